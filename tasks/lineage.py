"""Which code trains: a digest of the modules that decide a model's bytes or its verdict, and the git commit.

The commit is lineage for people; the digest is part of a training's key, so that a change of the rules trains
again and a change of a page does not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

DECIDING = (
    "lifecycle.bootstrap",
    "lifecycle.bundle",
    "lifecycle.columns",
    "lifecycle.contract",
    "lifecycle.encoding",
    "lifecycle.enough",
    "lifecycle.evaluation",
    "lifecycle.feature_spec",
    "lifecycle.feature_table",
    "lifecycle.features",
    "lifecycle.history",
    "lifecycle.hook",
    "lifecycle.joining",
    "lifecycle.labels",
    "lifecycle.leakage",
    "lifecycle.level_means",
    "lifecycle.metrics",
    "lifecycle.past",
    "lifecycle.promotion",
    "lifecycle.reference",
    "lifecycle.timeline",
    "lifecycle.training",
    "lifecycle.transforms",
    "lifecycle.watched",
    "tasks.bundles",
    "tasks.evaluation",
    "tasks.features",
    "tasks.snapshot",
    "tasks.tables",
    "tasks.training",
)
_GIT_SECONDS = 5.0


@dataclass(frozen=True)
class Code:
    """`digest`: sha256 hex of the deciding modules and libraries. `commit`: git's id, empty when unknown."""

    digest: str
    commit: str


def code_version() -> Code:
    """Return the code's identity. The commit comes from GIT_COMMIT, which images carry, else from git itself."""
    parts = sha256()
    for name in DECIDING:
        found = find_spec(name)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(name)
        parts.update(name.encode() + b"\0" + Path(found.origin).read_bytes() + b"\0")
    parts.update(version("numpy").encode() + b"\0" + _xgboost().encode())
    return Code(parts.hexdigest(), os.environ.get("GIT_COMMIT") or _commit())


def _xgboost() -> str:
    """Return the version of whichever of XGBoost's two distributions is installed, without importing it."""
    return version("xgboost-cpu") if _installed("xgboost-cpu") else version("xgboost")


def _installed(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415

    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _commit() -> str:
    git, here = shutil.which("git"), Path(__file__).resolve().parent.parent
    if git is None or not (here / ".git").exists():
        return ""
    asked = subprocess.run(  # noqa: S603  # fixed arguments
        [git, "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=_GIT_SECONDS
    )
    return asked.stdout.strip()
