"""A delivery of several files: what its manifest promises, what of it is there, and which batch it makes. Pure.

    landing/<product>/<name>.parts/part-0000.csv, part-0001.csv, … and manifest.json, in any order

The manifest is the promise. Until every part it lists lies there as it says, nothing is judged. Listing the folder
and reading its files is `tasks/parts.py`, the rows of all parts together `tasks/part_files.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lifecycle.batch import Limits, Reason
from lifecycle.codes import Code
from lifecycle.envelope import delivery_id
from lifecycle.schema import listed

MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 1_000_000
_NAME_BYTES = 255  # of a file's name on most file systems; keys of copies are longer than the delivered ones
_TOLD = 20  # differences told one by one
_PROMISE = "every part as manifest.json lists it"


class Part(BaseModel):
    """One version of one object of the folder. `sha256`: hex, None until its bytes were read.

    `kept`: it came before the delivery was given up as incomplete, so it lies no longer in the landing zone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    key: str
    object_version: str | None
    etag: str
    size: int
    landed_at: AwareDatetime
    sha256: str | None = None
    kept: bool = False

    @property
    def place(self) -> tuple[str, str]:
        """Return what tells this object version from every other one."""
        return self.key, self.object_version or self.etag


class Listed(BaseModel):
    """What a manifest says of one part. Only the name must be there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, AfterValidator(str.lower), Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    bytes: Annotated[int, Field(ge=0)] | None = None
    rows: Annotated[int, Field(ge=0)] | None = None


class PartsManifest(BaseModel):
    """The producer's `manifest.json`: the parts in the order of their rows. What else it says is the producer's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    parts: Annotated[tuple[Listed, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_files(self) -> Self:
        names = [one.name for one in self.parts]
        if len(set(names)) < len(names):
            raise ValueError("a name is listed twice")
        if MANIFEST in names:
            raise ValueError(f"{MANIFEST} is no part of itself")
        if any(len(name.encode()) > _NAME_BYTES for name in names):
            raise ValueError(f"a name has more than {_NAME_BYTES} bytes")
        return self


@dataclass(frozen=True)
class Whole:
    """Everything that was promised is there: `parts` in the manifest's order, `extra` ones that it does not list."""

    listed: tuple[Listed, ...]
    parts: tuple[Part, ...]
    extra: tuple[Part, ...]

    @property
    def notes(self) -> tuple[Reason, ...]:
        """Return the remark about files that nobody promised."""
        if not self.extra:
            return ()
        found = f"{len(self.extra)} more: {listed([one.name for one in self.extra])}"
        return (Reason(Code.EXTRA_PART, None, found, "left out"),)


@dataclass(frozen=True)
class Lacking:
    """What is not there, or not as it was promised."""

    reasons: tuple[Reason, ...]


def read_manifest(body: bytes | None, limits: Limits) -> PartsManifest | Reason:
    """Return what a manifest says, or why it says nothing. `body`: None when it is too long to be one."""
    wanted = 'a JSON object like {"parts": [{"name": "part-0000.csv"}]}'
    if body is None:
        return Reason(Code.PARTS_MANIFEST, None, f"a {MANIFEST} of more than {MOST_MANIFEST_BYTES:,} bytes", wanted)
    try:
        manifest = PartsManifest.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        where = "".join(f"{step}." for step in fault["loc"]).rstrip(".")
        found = f"a {MANIFEST} that is wrong{f' in {where}' if where else ''}: {fault['msg']}"
        return Reason(Code.PARTS_MANIFEST, None, found, wanted)
    if len(manifest.parts) > limits.max_parts:
        found = f"a {MANIFEST} of {len(manifest.parts):,} parts"
        return Reason(Code.PARTS_MANIFEST, None, found, f"at most {limits.max_parts:,}")
    return manifest


def manifest_text(parts: Iterable[Listed]) -> bytes:
    """Return a manifest of some parts, as a producer would write it."""
    return PartsManifest(parts=tuple(parts)).model_dump_json(indent=1, exclude_none=True).encode()


def assemble(manifest: PartsManifest | Reason | None, present: Iterable[Part]) -> Whole | Lacking:
    """Say whether a delivery is whole, or what of it is missing. `manifest`: None when there is none yet."""
    parts = {part.name: part for part in present}
    if manifest is None:
        return Lacking((Reason(Code.PARTS_MISSING, None, f"no {MANIFEST}", f"a {MANIFEST} that lists the parts"),))
    if isinstance(manifest, Reason):
        return Lacking((manifest,))
    absent = [one.name for one in manifest.parts if one.name not in parts]
    reasons = [Reason(Code.PARTS_MISSING, None, f"no {listed(absent)}", _PROMISE)] if absent else []
    both = [(one, parts[one.name]) for one in manifest.parts if one.name in parts]
    reasons += [reason for one, part in both if (reason := _differs(one, part))]
    if reasons:
        return Lacking(tuple(reasons[:_TOLD]))
    names = [one.name for one in manifest.parts]
    extra = tuple(parts[name] for name in sorted(parts.keys() - {*names, MANIFEST}))
    return Whole(manifest.parts, tuple(parts[name] for name in names), extra)


def _differs(promised: Listed, part: Part) -> Reason | None:
    """Return how a part differs from what was promised; other bytes may still replace it."""
    name = listed([part.name])
    if promised.bytes is not None and part.size != promised.bytes:
        found, expected = f"{name} with {part.size:,} bytes", f"{promised.bytes:,} bytes"
    elif promised.sha256 is not None and part.sha256 is not None and part.sha256 != promised.sha256:
        found, expected = f"{name} with sha256 {part.sha256[:12]}…", f"sha256 {promised.sha256[:12]}…"
    else:
        return None
    return Reason(Code.PARTS_MISSING, None, found, f"{expected}, as manifest.json says")


def at_hand(landed: Sequence[Part], before: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts there are, by name: what lies in the folder, and what was kept unless it came again.

    `before`: the parts that the record knows; digests that were computed once are taken from there.
    """
    known = {part.place: part for part in before}
    kept = {part.name: part for part in before if part.kept}
    found = {part.name: known.get(part.place, part).model_copy(update={"kept": False}) for part in landed}
    return tuple(sorted({**kept, **found}.values(), key=lambda part: part.name))


def set_aside(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts of a delivery that was given up as what a later one may still be completed with."""
    return tuple(part.model_copy(update={"kept": True}) for part in parts)


def repeats(present: Iterable[Part], before: Mapping[str, str | None]) -> bool:
    """Say whether every part is byte by byte one that was taken in before. `before`: sha256 by name."""
    return all(part.sha256 is not None and before.get(part.name) == part.sha256 for part in present)


def whole_id(digests: Iterable[str]) -> str:
    """Return the batch of a whole delivery: sha256 hex of its parts' sha256 in the order they are listed in."""
    return _digest("parts", digests)


def incomplete_id(parts: Iterable[Part]) -> str:
    """Return the batch of what there is of a delivery that never was whole; it is no whole delivery's."""
    return _digest("incomplete parts", (f"{part.name}\0{part.sha256}" for part in parts))


def round_id(bucket: str, folder: str, number: int) -> str:
    """Return the delivery's id: a folder that is used again, after its last delivery ended, brings another one."""
    return delivery_id(bucket, folder, f"round {number}")


def deadline(parts: Iterable[Part], limits: Limits) -> datetime:
    """Return until when a delivery is waited for: counted from the first of its parts that lies in the folder."""
    found = list(parts)
    return min(part.landed_at for part in [one for one in found if not one.kept] or found) + limits.max_wait


def _digest(kind: str, lines: Iterable[str]) -> str:
    return sha256("\n".join((kind, *lines)).encode()).hexdigest()
