"""The table of contents of a bundle: what is in it, where it comes from, which version it was released as."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256

from lifecycle.contract import Task
from lifecycle.errors import BundleError

FORMAT = 1


@dataclass(frozen=True)
class Lineage:
    """Where a model comes from. `snapshot`: digest of the data; `batches`: the batch ids in it; `rows`: trained on.

    `tables`: the joined tables with the sha256 of their files.
    """

    snapshot: str
    batches: tuple[str, ...]
    rows: int
    suites: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    mlflow_run: str = ""
    flow_run: str = ""
    seed: int = 0
    tables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileEntry:
    """One file of a bundle: its sha256 in hex and its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The table of contents. `digest` identifies the bundle."""

    product: str
    task: Task
    files: tuple[FileEntry, ...]
    digest: str
    lineage: Lineage
    versions: Mapping[str, str]
    parameters: Mapping[str, str | int | float | bool]

    def to_json(self) -> str:
        """Return the manifest as text, the same bytes for the same manifest."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Read `to_json` back. Raises BundleError."""
        try:
            state = json.loads(text)
            if (found := state.pop("format")) != FORMAT:
                raise BundleError(f"manifest.json has format {found}, expected {FORMAT}.")
            state["task"] = Task(state["task"]["kind"], tuple(state["task"]["classes"]))
            state["files"] = tuple(FileEntry(**entry) for entry in state["files"])
            lineage = state["lineage"]
            state["lineage"] = Lineage(**{**lineage, "batches": tuple(lineage["batches"])})
            return cls(**state)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise BundleError("manifest.json is not a manifest.", detail=f"{type(error).__name__}.") from None


@dataclass(frozen=True)
class Release:
    """Which version the registry gave the bundle, and when it was published (ISO 8601, UTC)."""

    model_version: str
    published_at: str

    def to_json(self) -> str:
        """Return release.json as text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Release":
        """Read `to_json` back. Raises BundleError."""
        try:
            return cls(**json.loads(text))
        except (TypeError, json.JSONDecodeError) as error:
            raise BundleError("release.json names no release.", detail=f"{type(error).__name__}.") from None


def digest_of(entries: tuple[FileEntry, ...]) -> str:
    """Return the sha256 hex over the sorted names and sha256 of the files."""
    listed = sorted((entry.name, entry.sha256) for entry in entries)
    return sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()


def entry_of(name: str, content: bytes) -> FileEntry:
    """Return the entry of one file."""
    return FileEntry(name, sha256(content).hexdigest(), len(content))
