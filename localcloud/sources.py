"""One digest for a set of source files: what was set up from unchanged sources need not be set up again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from localcloud.address import REPO

_SUFFIXES = frozenset({".py", ".yaml", ".json", ".lock", ".txt"})


def digest(names: Iterable[str], root: Path = REPO) -> str:
    """Return the sha256 (hex) over the paths and contents of the source files below `names`, folders or files."""
    total = hashlib.sha256()
    for name in sorted(names):
        place = root / name
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.suffix in _SUFFIXES and file.is_file() and "__pycache__" not in file.parts:
                total.update(f"{file.relative_to(root)}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
