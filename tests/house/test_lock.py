"""What the lock must hold, because a fresh resolve without it does not run."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[2]


def locked() -> dict[str, Version]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    return {package["name"]: Version(package["version"]) for package in packages if "version" in package}


def test_fastapi_stays_in_the_range_prefects_server_works_with() -> None:
    assert Version("0.139") <= locked()["fastapi"] < Version("0.151")


def test_sqlalchemy_stays_below_the_series_prefects_scheduler_fails_on() -> None:
    assert locked()["sqlalchemy"] < Version("2.1")


def test_the_cpu_build_of_xgboost_is_what_everything_but_the_gpu_extra_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [entry for group in project["dependency-groups"].values() for entry in group if isinstance(entry, str)]
    assert [entry for entry in wanted if entry.startswith("xgboost")] == ["xgboost-cpu==3.2.0"]
    assert locked()["xgboost"] == locked()["xgboost-cpu"]


def test_every_package_is_locked_with_a_hash() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    files = [
        file
        for package in packages
        for file in [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    ]
    assert [file for file in files if not file.get("hash", "").startswith("sha256:")] == []
