"""What `why PRODUCT PREDICTION_ID --json` prints: one prediction, and everything it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cli.shapes import Json

Score = float | tuple[float, ...] | None


@dataclass(frozen=True)
class Served:
    """Who answered. `weight`: the arm's share of the requests then, by entry `ledger_seq`.

    `moving`: that entry was just being carried out. All null when nothing in the ledger let this version answer then.
    """

    function_version: str
    arm: Literal["champion", "challenger"] | None
    weight: float | None
    ledger_seq: int | None
    moving: bool
    experiment: str | None
    experiment_arm: str | None


@dataclass(frozen=True)
class Explained:
    """The prediction on the margin: `base` and the contributions sum to it. `class`: null where there is one score."""

    class_: str | None
    base: float
    contributions: Mapping[str, float]


@dataclass(frozen=True)
class Gate:
    """The ledger's entry that let the model be released."""

    seq: int
    at: str
    actor: str
    reason: str
    evidence: Mapping[str, Json]


@dataclass(frozen=True)
class SourceObject:
    """A file the model learned from: as it was delivered, and as it was validated."""

    batch_id: str
    key: str
    object_version: str | None
    data_sha256: str
    rows: int


@dataclass(frozen=True)
class Origin:
    """Where the model comes from. `code` is the digest of the deciding modules, `commit` git's id, null when unknown.

    `missing`: batches whose manifest is gone.
    """

    snapshot: str
    sources: tuple[SourceObject, ...]
    missing: tuple[str, ...]
    code: str
    commit: str | None
    mlflow_run: str
    flow_run: str


@dataclass(frozen=True)
class Again:
    """The score computed anew from the published version: `same`, `differs`, or `impossible` with the reason."""

    verdict: Literal["same", "differs", "impossible"]
    score: Score
    difference: float | None
    reason: str


@dataclass(frozen=True)
class TracedPrediction:
    """`why PRODUCT PREDICTION_ID`: from one prediction to everything it came from. `features` is null by policy."""

    product: str
    id: str
    kind: Literal["prediction"]
    at: str
    status: int
    reason: str | None
    synthetic: bool
    score: Score
    model_version: str | None
    bundle: str | None
    served: Served
    features: Mapping[str, Json] | None
    features_sha256: str | None
    explanation: tuple[Explained, ...]
    gate: Gate | None
    origin: Origin | None
    rescored: Again
