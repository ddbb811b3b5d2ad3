"""Put the files of one folder into the landing zone as one delivery: the parts first, then the manifest.

What the folder's own `manifest.json` lists is sent as it says; without one, every file in the order of their names.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from lifecycle.parts import PartsManifest


def files_of(folder: Path) -> tuple[Path, ...]:
    """Return what is to be sent: the parts in the order of their rows, the manifest, if there is one, last.

    Raises UsageError when there is nothing, or not everything that the folder's manifest lists.
    """
    from lifecycle.keys import is_marker
    from lifecycle.parts import MANIFEST

    found = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not is_marker(path.name)}
    own = found.pop(MANIFEST, None)
    if not found:
        raise UsageError(f"{folder} holds no files.", resolution="Put the parts of one delivery into it.")
    if own is None:
        return tuple(found.values())
    listed = [one.name for one in _manifest(own).parts]
    if absent := [name for name in listed if name not in found]:
        raise UsageError(
            f"{own} lists {len(listed)} parts, and {absent[0]!r} is not there.",
            detail=f"{len(absent)} of them are missing." if len(absent) > 1 else "",
            resolution="Send a folder when it is whole, or its files one by one with any S3 client: what is missing "
            "is waited for.",
        )
    return (*(found[name] for name in listed), own)


def digest_of(path: Path) -> str:
    """Return the sha256 hex of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _manifest(path: Path) -> PartsManifest:
    from lifecycle.batch import Limits
    from lifecycle.parts import MOST_MANIFEST_BYTES, PartsManifest, read_manifest

    limits = Limits(max_parts=MOST_MANIFEST_BYTES)  # how many may be is the product's word, said by ingest
    found = read_manifest(path.read_bytes()[: MOST_MANIFEST_BYTES + 1], limits)
    if not isinstance(found, PartsManifest):
        raise UsageError(f"{path} is no manifest.", detail=str(found))
    return found
