"""The code of a predict function: the mould's zip with bundles and `serving.json` inside, the same bytes every time.

Same code, same bundles, same way of serving, same zip, same sha256: that is what makes publishing it twice harmless.
It calls nobody.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lifecycle import bundle as bundles
from lifecycle.bundle import Bundle
from lifecycle.errors import BundleError
from lifecycle.manifest import Release
from lifecycle.serving import ARMS, FILE, SHADOW, Serving, description
from lifecycle.serving_policy import PredictionsPolicy

FOLDER = "bundle"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say; a real date would make every zip another one
_LEVEL = 6
_OURS = (FOLDER, SHADOW, ARMS, FILE)
_READABLE = 0o644
_ARM_DEPTH = 3  # arms/<name>/<file>

Files = dict[str, tuple[bytes, int]]


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


@dataclass(frozen=True)
class Carried:
    """A bundle's folder, and the model version it is served as."""

    folder: Path
    release: Release


@dataclass(frozen=True)
class Extras:
    """How a package serves, and the bundles that needs: by their folder in the package, `shadow` or `arms/<name>`."""

    serving: Serving = field(default_factory=Serving)
    beside: Mapping[str, Carried] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """What a package was found to hold."""

    bundle: Bundle
    serving: Serving

    @property
    def description(self) -> str:
        """What a function version made of it must say."""
        return description(self.bundle.digest, self.serving)


def description_of(bundle_digest: str | None, serving: Serving | None = None) -> str:
    """Return the description of the function version that carries a bundle, or none; served as usual by default."""
    return description(bundle_digest, serving or Serving())


def to_code_sha256(sha256: str) -> str:
    """Turn a hex digest into Lambda's spelling."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def to_sha256(code_sha256: str) -> str:
    """Turn Lambda's spelling of a digest into hex."""
    return base64.b64decode(code_sha256).hex()


def extras(policy: PredictionsPolicy, shadow: Carried | None = None) -> Extras:
    """Return how a product's next version serves; `shadow`: what it is to replace, taken along if the product says so.

    Raises BundleError when that is not intact.
    """
    if policy.shadow is None or shadow is None:
        return Extras(policy.serving())
    return Extras(policy.serving(bundles.load(shadow.folder).digest), {SHADOW: shadow})


def pack(code: bytes, folder: Path | None, release: Release | None, more: Extras | None = None) -> Package:
    """Put a bundle that is intact into the code, and what it is served with. Without a folder, packs none.

    Raises BundleError when a bundle is not intact, or when those beside it are not the ones `serving` names.
    """
    files, more = _code_files(code), more or Extras()
    if folder is None or release is None:
        return Package(_zipped(files), description_of(None))
    bundle = _add(files, FOLDER, Carried(folder, release))
    found = {place: _add(files, place, carried) for place, carried in more.beside.items()}
    if found != (named := _named(more.serving)):
        raise BundleError(f"{FILE} names the bundles {sorted(named)}.", detail=f"Beside it lie {sorted(found)}.")
    experiment = more.serving.experiment
    if experiment is not None and experiment.default.bundle != bundle:
        raise BundleError(f"The bundle is not that of the experiment's first arm, {experiment.default.name}.")
    files[FILE] = (more.serving.to_json().encode(), _READABLE)
    return Package(_zipped(files), description(bundle, more.serving))


def unpack(body: bytes, folder: Path | None = None) -> Contents:
    """Return what a package holds, its bundles left in `folder`. Raises BundleError when it is not as it was written.

    The main bundle is verified; those beside it are, too, by whoever loads them.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="bundle-") as name:
            return unpack(body, Path(name))
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for info in archive.infolist():
                parts = tuple(info.filename.split("/"))
                if not info.is_dir() and _is_carried(parts):
                    (path := folder.joinpath(*parts)).parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(info))
    except (zipfile.BadZipFile, EOFError) as error:
        raise BundleError("The code of a function version is no zip.", detail=str(error)) from error
    bundle, said = bundles.load(folder / FOLDER), folder / FILE
    if not said.is_file():
        raise BundleError(f"The code of a function version holds no {FILE}.")
    return Contents(bundle, Serving.from_json(said.read_text(encoding="utf-8")))


def _named(serving: Serving) -> dict[str, str]:
    """Return folder → digest of the bundles that must lie beside the first."""
    if serving.shadow is not None:
        return {SHADOW: serving.shadow.bundle}
    others = serving.experiment.others if serving.experiment is not None else ()
    return {f"{ARMS}/{arm.name}": arm.bundle for arm in others}


def _add(files: Files, place: str, carried: Carried) -> str:
    """Add an intact bundle under a folder and return its digest."""
    digest = bundles.load(carried.folder).digest
    for path in carried.folder.iterdir():
        if path.is_file() and path.name != bundles.RELEASE:
            files[f"{place}/{path.name}"] = (path.read_bytes(), _READABLE)
    files[f"{place}/{bundles.RELEASE}"] = (carried.release.to_json().encode(), _READABLE)
    return digest


def _is_carried(parts: tuple[str, ...]) -> bool:
    """Tell a file of ours from code. No part leads out of the folder it is written to."""
    if ".." in parts or "" in parts or parts[0] not in _OURS:
        return False
    return len(parts) == {FILE: 1, ARMS: _ARM_DEPTH}.get(parts[0], 2)


def _zipped(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(files):
            content, mode = files[name]
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.create_system, info.external_attr = 3, (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def _code_files(code: bytes) -> Files:
    """Read name → (content, mode) of the mould's zip, without folders and without what a package adds."""
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            return {
                info.filename: (archive.read(info), (info.external_attr >> 16) & 0o777 or _READABLE)
                for info in archive.infolist()
                if not info.is_dir() and info.filename.partition("/")[0] not in _OURS
            }
    except zipfile.BadZipFile as error:
        raise BundleError("The mould's code is no zip.", detail=str(error)) from error
