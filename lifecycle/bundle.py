"""The bundle: everything needed to predict, in one folder, checksummed. No pickle anywhere.

    model.ubj  features.json  [features.py]  contract.json  reference.json  manifest.json  [release.json]

`manifest.json` lists the sha256 and size of every file. The digest is the sha256 over the sorted names and
sha256 of those files, so the same model is the same digest whoever trained it and whenever. Which version the
registry gave it is not known when it is written: `release.json` says so and is added when it is published.
It deliberately loads no model: the engine that computes is the reader's choice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lifecycle.contract import Contract
from lifecycle.errors import BundleError, TropismError
from lifecycle.features import FittedFeatures
from lifecycle.hook import HOOK_FILE
from lifecycle.manifest import Lineage, Manifest, Release, digest_of, entry_of

MODEL, FEATURES, CONTRACT, REFERENCE = "model.ubj", "features.json", "contract.json", "reference.json"
MANIFEST, RELEASE = "manifest.json", "release.json"
REQUIRED = (MODEL, FEATURES, CONTRACT, REFERENCE)

VerdictState = Literal["intact", "absent", "incomplete", "tampered"]


@dataclass(frozen=True)
class Draft:
    """What `write` makes a bundle of. `reference`: JSON text of the training profile.

    `versions`: library to version, as trained; `parameters`: of the model, for people.
    """

    model: bytes
    features: FittedFeatures
    contract: Contract
    reference: str
    lineage: Lineage
    versions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was found intact, read into memory. `release` is None before it was published."""

    manifest: Manifest
    features: FittedFeatures
    contract: Contract
    model: bytes
    reference: str
    release: Release | None = None

    @property
    def digest(self) -> str:
        """The sha256 that identifies the bundle."""
        return self.manifest.digest


@dataclass(frozen=True)
class BundleVerdict:
    """Whether a folder holds a bundle as it was written; anything but "intact" comes with reasons."""

    state: VerdictState
    reasons: tuple[str, ...] = ()


def write(folder: Path, draft: Draft) -> Manifest:
    """Write a bundle into `folder`, the manifest last. A second call with the same draft writes the same bytes.

    Raises BundleError when the folder holds anything that is not part of this bundle.
    """
    contents = _contents(draft)
    folder.mkdir(parents=True, exist_ok=True)
    if strange := sorted(path.name for path in folder.iterdir() if path.name not in {*contents, MANIFEST, RELEASE}):
        raise BundleError(f"{folder} already holds {strange[0]!r}.", resolution="Write a bundle into an empty folder.")
    entries = tuple(entry_of(name, contents[name]) for name in sorted(contents))
    manifest = Manifest(
        product=draft.contract.product,
        task=draft.contract.task,
        files=entries,
        digest=digest_of(entries),
        lineage=draft.lineage,
        versions=dict(draft.versions),
        parameters=dict(draft.parameters),
    )
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def write_release(folder: Path, release: Release) -> None:
    """Write release.json beside the bundle; a second call replaces it. The digest does not change."""
    (folder / RELEASE).write_text(release.to_json(), encoding="utf-8")


def verify(folder: Path) -> BundleVerdict:
    """Judge whether `folder` holds every byte of the bundle that was written there and nothing else."""
    return _judge(_read(folder))


def load(folder: Path) -> Bundle:
    """Return the bundle in `folder`. Raises BundleError with the reasons unless it is intact."""
    contents = _read(folder)
    verdict = _judge(contents)
    if verdict.state != "intact":
        raise BundleError(f"The bundle in {folder} is {verdict.state}.", detail=" ".join(verdict.reasons))
    hook = contents.get(HOOK_FILE)
    return Bundle(
        manifest=Manifest.from_json(contents[MANIFEST].decode()),
        features=FittedFeatures.from_json(contents[FEATURES].decode(), hook=None if hook is None else hook.decode()),
        contract=Contract.from_json(contents[CONTRACT].decode()),
        model=contents[MODEL],
        reference=contents[REFERENCE].decode(),
        release=Release.from_json(contents[RELEASE].decode()) if RELEASE in contents else None,
    )


def _contents(draft: Draft) -> dict[str, bytes]:
    try:
        json.loads(draft.reference)
    except json.JSONDecodeError as error:
        raise BundleError("The reference is not JSON.", detail=str(error)) from None
    contents = {
        MODEL: bytes(draft.model),
        FEATURES: draft.features.to_json().encode(),
        CONTRACT: draft.contract.to_json().encode(),
        REFERENCE: draft.reference.encode(),
    }
    if draft.features.spec.hook is not None:
        contents[HOOK_FILE] = draft.features.spec.hook.encode()
    return contents


def _read(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {
        path.name: path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.iterdir())
        if path.name != "__pycache__"
    }


def _judge(contents: Mapping[str, bytes]) -> BundleVerdict:
    if not contents:
        return BundleVerdict("absent", ("There is no bundle.",))
    if MANIFEST not in contents:
        return BundleVerdict("incomplete", ("manifest.json is missing, so writing was never finished.",))
    try:
        manifest = Manifest.from_json(contents[MANIFEST].decode())
        answers = Contract.from_json(contents[CONTRACT].decode()).task if CONTRACT in contents else manifest.task
    except (TropismError, UnicodeDecodeError) as error:
        return BundleVerdict("tampered", (str(error),))
    reasons = _differences(manifest, contents)
    if answers != manifest.task:
        reasons.append("manifest.json and contract.json name different tasks.")
    absent = [name for name in (*REQUIRED, *(entry.name for entry in manifest.files)) if name not in contents]
    if absent:
        return BundleVerdict("incomplete", tuple(f"{name} is missing." for name in dict.fromkeys(absent)))
    return BundleVerdict("tampered", tuple(reasons)) if reasons else BundleVerdict("intact")


def _differences(manifest: Manifest, contents: Mapping[str, bytes]) -> list[str]:
    reasons = []
    for entry in manifest.files:
        found = entry_of(entry.name, contents.get(entry.name, b""))
        if entry.name in contents and found != entry:
            reasons.append(
                f"{entry.name} has sha256 {found.sha256[:12]} ({found.size} bytes), "
                f"expected {entry.sha256[:12]} ({entry.size} bytes)."
            )
    known = {*(entry.name for entry in manifest.files), MANIFEST, RELEASE}
    reasons.extend(f"{name} is not listed in manifest.json." for name in sorted(contents.keys() - known))
    if manifest.digest != digest_of(manifest.files):
        reasons.append("The digest in manifest.json is not that of its files.")
    return reasons
