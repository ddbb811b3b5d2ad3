"""The code of a predict function: the mould's zip with one bundle inside, as the same bytes every time.

Same code, same bundle, same zip, same sha256: that is what makes publishing it twice harmless. It calls nobody.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lifecycle import bundle as bundles
from lifecycle.bundle import Bundle
from lifecycle.errors import BundleError
from lifecycle.manifest import Release

FOLDER = "bundle"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say; a real date would make every zip another one
_LEVEL = 6


@dataclass(frozen=True)
class Package:
    """A zip for Lambda. `description` identifies what is inside; `sha256` is hex over the zip's bytes."""

    body: bytes
    description: str

    @property
    def sha256(self) -> str:
        """The hex digest, part of the object's key."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda spells it: base64."""
        return to_code_sha256(self.sha256)


def description_of(bundle_digest: str | None) -> str:
    """Return the description of the function version that carries a bundle, or none."""
    return f"bundle:{bundle_digest or 'none'}"


def to_code_sha256(sha256: str) -> str:
    """Turn a hex digest into Lambda's spelling."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def to_sha256(code_sha256: str) -> str:
    """Turn Lambda's spelling of a digest into hex."""
    return base64.b64decode(code_sha256).hex()


def pack(code: bytes, folder: Path | None, release: Release | None) -> Package:
    """Put a bundle that is intact into the code. Raises BundleError otherwise; without a folder, packs none."""
    files = _code_files(code)
    digest = None
    if folder is not None and release is not None:
        digest = bundles.load(folder).digest
        names = (path.name for path in folder.iterdir() if path.is_file() and path.name != bundles.RELEASE)
        files |= {f"{FOLDER}/{name}": ((folder / name).read_bytes(), 0o644) for name in names}
        files[f"{FOLDER}/{bundles.RELEASE}"] = (release.to_json().encode(), 0o644)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(files):
            content, mode = files[name]
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.create_system, info.external_attr = 3, (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return Package(out.getvalue(), description_of(digest))


def unpack(body: bytes) -> Bundle:
    """Return the bundle inside a package. Raises BundleError when it is not there as it was written."""
    with tempfile.TemporaryDirectory(prefix="bundle-") as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                for info in archive.infolist():
                    top, _, rest = info.filename.partition("/")
                    if top == FOLDER and rest and "/" not in rest and not info.is_dir():
                        (folder / rest).write_bytes(archive.read(info))
        except (zipfile.BadZipFile, EOFError) as error:
            raise BundleError("The code of a function version is no zip.", detail=str(error)) from error
        return bundles.load(folder)


def _code_files(code: bytes) -> dict[str, tuple[bytes, int]]:
    """Read name → (content, mode) of the mould's zip, without a bundle and without folders."""
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            return {
                info.filename: (archive.read(info), (info.external_attr >> 16) & 0o777 or 0o644)
                for info in archive.infolist()
                if not info.is_dir() and not info.filename.startswith(f"{FOLDER}/")
            }
    except zipfile.BadZipFile as error:
        raise BundleError("The mould's code is no zip.", detail=str(error)) from error
