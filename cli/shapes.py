"""What `--json` prints: every shape a script may rely on, and its version.

`docs/cli.md` is made from these classes. A field may be added; one that changes its meaning or goes away
raises VERSION. A trailing underscore keeps Python's keywords apart and is not printed. These are answers
only: nothing is decided on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Literal

VERSION = 1

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True)
class Serving:
    """A model version in a role: since when (ISO 8601, UTC) and why."""

    version: str
    bundle: str
    since: str
    reason: str


@dataclass(frozen=True)
class Endpoint:
    """Where predictions are asked for; `version` is what the endpoint itself answers, null when it does not."""

    url: str | None
    version: str | None


@dataclass(frozen=True)
class Zones:
    """How many deliveries wait in landing, and how many batches the other zones hold."""

    landing: int
    validated: int
    quarantined: int


@dataclass(frozen=True)
class Waiting:
    """A delivery of several files that is not whole: until when it is waited for, and what has not come."""

    file: str
    until: str | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The newest page about a product."""

    url: str


@dataclass(frozen=True)
class Freeze:
    """Since when (ISO 8601, UTC), by whom and why a product is frozen, and how much waits for the end of it."""

    since: str | None
    by: str | None
    reason: str | None
    deliveries: int
    batches: int
    training: bool
    model: str | None


@dataclass(frozen=True)
class ProductStatus:
    """`status PRODUCT`: what serves; `weight` is the share (0-1) of requests the challenger answers."""

    product: str
    champion: Serving | None
    challenger: Serving | None
    weight: float
    release: Step | None
    endpoint: Endpoint
    batches: Zones
    report: Report | None
    frozen: bool
    freeze: Freeze | None
    waiting: tuple[Waiting, ...] = ()


@dataclass(frozen=True)
class Addresses:
    """Where one service is: its API and the page for people."""

    api: str | None
    ui: str | None


@dataclass(frozen=True)
class Store:
    """MLflow: the tracking URI, and its page when a server runs."""

    uri: str | None
    ui: str | None


@dataclass(frozen=True)
class Cloud:
    """AWS: the endpoint of the local cloud, null on an account."""

    endpoint: str | None


@dataclass(frozen=True)
class Services:
    """The services behind every product."""

    prefect: Addresses
    mlflow: Store
    aws: Cloud


@dataclass(frozen=True)
class Overview:
    """`status` without a product."""

    products: tuple[ProductStatus, ...]
    services: Services


@dataclass(frozen=True)
class Why:
    """One reason: the rule, what was found, what was expected, how many rows."""

    code: str
    column: str | None
    found: str
    expected: str
    rows: int | None


@dataclass(frozen=True)
class Rows:
    """Where the rows of a delivery went: received = validated + quarantined + duplicates, always.

    `duplicates` are the rows of a delivery whose bytes had come before.
    """

    received: int
    validated: int
    quarantined: int
    duplicates: int


@dataclass(frozen=True)
class Counts:
    """What one model answered at the step; null where it is not known, which is not zero."""

    requests: int | None
    errors: int | None
    slow: int | None
    invalid: int | None
    actions: int | None
    scored: int | None


@dataclass(frozen=True)
class Pairs:
    """Rows that both models scored: how far apart on average, the share (0-1) decided differently, and what labels say.

    `labels_log_e`: how strongly the labels of `labelled` rows speak against the challenger; null without any.
    """

    scored: int
    mean_distance: float
    flipped_share: float | None
    labelled: int
    labels_log_e: float | None


@dataclass(frozen=True)
class Step:
    """How far a release is, and on what evidence; all but the first two are null or empty unless it goes in steps.

    `steps` are percent of the requests; `reasons` those of the last look, `challenger` and `champion` what they
    answered at this step. `detectable_ratio`: the smallest ratio of errors that is taken back nine times in ten.
    """

    state: str
    step: int | None
    steps: tuple[float, ...] | None = None
    since: str | None = None
    looks: int | None = None
    next_look: str | None = None
    reasons: tuple[Why, ...] = ()
    challenger: Counts | None = None
    champion: Counts | None = None
    replayed: int = 0
    detectable_ratio: float | None = None
    approved_by: str | None = None
    held_by: str | None = None
    pairs: Pairs | None = None


ModelState = Literal["promoted", "challenger", "refused", "no_change", "undecidable"]
FileState = Literal["validated", "quarantined", "duplicate", "ignored", "landed", "waiting"]


@dataclass(frozen=True)
class Judged:
    """The model version that came of a delivery, null when none could be made, and its verdict."""

    version: str | None
    state: ModelState
    reasons: tuple[Why, ...]


@dataclass(frozen=True)
class Dropped:
    """`drop`: one file. Without `--wait` the state is `landed`."""

    file: str
    batch_id: str
    state: FileState
    reasons: tuple[Why, ...]
    rows: Rows | None
    model: Judged | None


def plain(value: object) -> Json:
    """Return a shape as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name.rstrip("_"): plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON shape.")
