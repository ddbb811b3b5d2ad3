"""Put files into a product's landing zone, as any S3 client may.

One PutObject per file with its SHA-256, so that what landed is what was sent; a folder is one delivery. Nothing is
looked into and nothing is started: the bucket's own event does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import folders
from cli.context import Here
from lifecycle.errors import UsageError

_KEY_BYTES = 1024  # S3's limit
_PUT_BYTES = 5 * 1000**3  # S3's limit for one PutObject


@dataclass(frozen=True)
class Wanted:
    """A file and the key it is to land under."""

    path: Path
    key: str


@dataclass(frozen=True)
class Landed:
    """A delivery on its way: what was sent, and the ids it will be known by."""

    path: Path
    key: str
    object_version: str | None
    batch_id: str
    delivery_id: str
    size: int


def plan(product: str, files: Sequence[Path], name: str | None) -> tuple[Wanted, ...]:
    """Return the key of each file, before anything is sent. Raises UsageError naming the first unusable one."""
    if name is not None and len(files) != 1:
        raise UsageError("--as names one file.", detail=f"Found {len(files)} files.")
    wanted = tuple(_wanted(product, path, name or path.name) for path in files)
    keys = [one.key for one in wanted]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UsageError(
            f"Two files would land as {twice}.", resolution="Drop one of them with `--as NAME`, or one after the other."
        )
    return wanted


def put(here: Here, wanted: Wanted) -> Landed:
    """Upload one file, or those of one folder. A second call is a second delivery of the same batch: a duplicate.

    A file that lands in a folder of parts is followed as the delivery it belongs to.
    """
    if wanted.path.is_dir():
        return _put_folder(here, wanted)
    from lifecycle.events import delivery_id
    from lifecycle.keys import parts_folder

    digest, folder = folders.digest_of(wanted.path), parts_folder(wanted.key)
    together = _delivery_of(here, folder) if folder else None
    version = _upload(here, wanted.path, wanted.key)
    return Landed(
        path=wanted.path,
        key=folder or wanted.key,
        object_version=version,
        batch_id=digest,
        delivery_id=together or delivery_id(here.bucket, wanted.key, version),
        size=wanted.path.stat().st_size,
    )


def _put_folder(here: Here, wanted: Wanted) -> Landed:
    """Upload the files of one delivery, the manifest last: what lies there before it is waited for."""
    from lifecycle.parts import MANIFEST, Listed, manifest_text, whole_id
    from tasks import originals

    files = folders.files_of(wanted.path)
    sent, own = tuple(path for path in files if path.name != MANIFEST), files[-1].name == MANIFEST
    digests = {path: folders.digest_of(path) for path in sent}
    together = _delivery_of(here, wanted.key)
    for path in sent:
        _upload(here, path, f"{wanted.key}/{path.name}")
    listed = (Listed(name=path.name, sha256=digests[path], bytes=path.stat().st_size) for path in sent)
    manifest = files[-1].read_bytes() if own else manifest_text(listed)
    return Landed(
        path=wanted.path,
        key=wanted.key,
        object_version=originals.put_object(here.bucket, f"{wanted.key}/{MANIFEST}", manifest),
        batch_id=whole_id(digests[path] for path in sent),
        delivery_id=together,
        size=sum(path.stat().st_size for path in sent),
    )


def _delivery_of(here: Here, folder: str) -> str:
    """Return the id of the delivery that what lands in a folder now will belong to."""
    from lifecycle.keys import product_of
    from lifecycle.parts import round_id
    from tasks import parts

    return round_id(here.bucket, folder, parts.look(here.bucket, str(product_of(f"{folder}/")), folder).number)


def _upload(here: Here, path: Path, key: str) -> str:
    """Send a file and return the version it became, or its etag in a bucket that keeps none."""
    from tasks.clients import s3

    with path.open("rb") as stream:
        answer = s3().put_object(Bucket=here.bucket, Key=key, Body=stream, ChecksumAlgorithm="SHA256")
    return str(answer.get("VersionId") or answer["ETag"].strip('"'))


def _wanted(product: str, path: Path, name: str) -> Wanted:
    from lifecycle.keys import PARTS, is_marker, landing_prefix

    together = path.is_dir() and name.endswith(PARTS)
    if not path.is_file() and not together:
        found = "It is a folder." if path.is_dir() else "There is no such file."
        hint = f"Files that are one delivery: `--as NAME{PARTS}`, one folder at a time." if path.is_dir() else ""
        raise UsageError(f"{path} cannot be dropped.", detail=found, resolution=hint)
    for one in folders.files_of(path) if together else (path,):
        if (size := one.stat().st_size) > _PUT_BYTES:
            raise UsageError(f"{one} cannot be dropped.", detail=f"It has {size:,} bytes; 5 GB go at once.")
    key = f"{landing_prefix(product)}{name}"
    if is_marker(key):
        raise UsageError(
            f"{name!r} is no name for a delivery.",
            detail="Names that start with _ or . or end in .tmp, .crc or .inprogress are unfinished files.",
            resolution="Give it another with `--as NAME`.",
        )
    if len(key.encode()) > _KEY_BYTES:
        raise UsageError(f"{name!r} is too long.", detail=f"A key has {_KEY_BYTES} bytes at most.")
    return Wanted(path, key)
