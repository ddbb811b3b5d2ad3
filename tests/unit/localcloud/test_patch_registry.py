import subprocess
import sys

import pytest

from localcloud.address import REPO
from localcloud.install import install
from localcloud.patches.registry import PINNED, Patch, PatchError, apply_all


def patch(name: str, applied: list[str], *, needed: bool = True) -> Patch:
    return Patch(name, f"no {name}", needed=lambda: needed, apply=lambda: applied.append(name))


def test_patches_are_applied_in_order_to_the_pinned_version() -> None:
    applied: list[str] = []
    apply_all([patch("one", applied), patch("two", applied)], PINNED)
    assert applied == ["one", "two"]


def test_another_version_is_refused_with_both_versions_named() -> None:
    applied: list[str] = []
    with pytest.raises(PatchError, match=rf"written for ministack {PINNED}, found 9\.9\.9"):
        apply_all([patch("one", applied)], "9.9.9")
    assert applied == []


def test_a_patch_that_upstream_made_needless_stops_the_start_and_applies_nothing() -> None:
    applied: list[str] = []
    with pytest.raises(PatchError, match=r"no longer lacks: two \(no two\)"):
        apply_all([patch("one", applied), patch("two", applied, needed=False)], PINNED)
    assert applied == []


@pytest.mark.parametrize(
    "name",
    [
        "alarms",
        "aliases",
        "durability",
        "ecs_tasks",
        "failures",
        "latency",
        "log_delivery",
        "log_lines",
        "metrics",
        "object_versions",
        "subscriptions",
    ],
)
def test_each_real_patch_is_needed_by_the_installed_version(name: str) -> None:
    code = f"from localcloud.patches import {name}; import sys; sys.exit(0 if {name}.patch().needed() else 1)"
    done = subprocess.run([str(install()), "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_second_application_in_one_process_is_refused() -> None:
    code = (
        "from localcloud.patches import latency; from localcloud.patches.registry import *\n"
        "apply_all([latency.patch()], PINNED); apply_all([latency.patch()], PINNED)"
    )
    done = subprocess.run([str(install()), "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert "no longer lacks: latency" in done.stderr


def test_the_application_never_imports_what_only_the_isolated_environment_has() -> None:
    code = "import localcloud.up, localcloud.down, sys; sys.exit('ministack' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPO, check=False).returncode == 0
