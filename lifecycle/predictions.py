"""One record of the prediction log: what was asked, what was answered, by which version. Pure.

The predict function writes a request as one line of JSON, or as several parts when it is large; whatever carries
lines from there delivers each at least once and in any order. This says what a line means, which repeats are the
same line, how parts become a request again, and under which keys the log lies. It reads no storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

ANSWERED = "prediction.answered"
Score = float | tuple[float, ...] | None
"""A number, the classes' probabilities, or null where there is no number."""
Row = tuple[Any, ...]
_PARTITION = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/hour=(\d{2})/")
_HOUR = timedelta(hours=1)


def _absent(value: object) -> object:
    """Read the function's word for "no model" as what it means."""
    return None if value == "none" else value


Named = Annotated[str | None, BeforeValidator(_absent)]
_OPEN = ConfigDict(frozen=True, extra="ignore")  # a newer function may tell more


class ShadowScores(BaseModel):
    """What the model beside the serving one said of the same rows; `skipped`: why it said nothing."""

    model_config = _OPEN

    model_version: Named = None
    bundle: Named = None
    scores: tuple[Score, ...] | None = None
    latency_ms: float | None = None
    skipped: str | None = None


class Prediction(BaseModel):
    """One request, or one part of it. What a refused request has no value for is None.

    `rows`, `features` and `scores` are those of this part, from the request's row `first_row` on; `features` holds one
    row after another in the order of `columns`, and None where the product keeps its digest only. Which arm of a
    release answered is not here: it follows from `function_version` and the ledger.
    """

    model_config = _OPEN

    event: Literal["prediction.answered"]
    at: Annotated[AwareDatetime, Field(description="When the request was answered.")]
    request_id: Annotated[str, Field(min_length=1)]
    product: Named = None
    model_version: Named = None
    bundle: Named = None
    function_version: Annotated[str, Field(min_length=1)]
    engine: Named = None
    method: str | None = None
    path: str | None = None
    direct: Annotated[bool, Field(description="Invoked without the URL.")] = False
    synthetic: Annotated[bool, Field(description="Smoke, replay or monitor: never counted as live.")] = False
    status: Annotated[int, Field(ge=100, le=599)]
    reason: str | None = None
    first_row: Annotated[int, Field(ge=0)] = 0
    rows: Annotated[int, Field(ge=0)] = 0
    columns: tuple[str, ...] | None = None
    features: tuple[Row, ...] | None = None
    features_sha256: str | None = None
    scores: tuple[Score, ...] | None = None
    violations: JsonValue = None
    latency_ms: Annotated[float | None, Field(ge=0)] = None
    cold: bool = False
    unit: str | None = None
    experiment: str | None = None
    arm: str | None = None
    shadow: ShadowScores | None = None
    part: Annotated[int, Field(ge=1, description="From 1.")] = 1
    parts: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _is_one_of_its_parts(self) -> Self:
        if self.part > self.parts:
            raise ValueError(f"part {self.part} of {self.parts}")
        return self

    @property
    def live(self) -> bool:
        """Say whether a caller wanted the answer for its own sake."""
        return not self.synthetic

    @property
    def opens(self) -> bool:
        """Say whether this record stands for its request: count these to count requests."""
        return self.part == 1

    def holds(self, row: int) -> bool:
        """Say whether a row of the request is told in this part."""
        return self.first_row <= row < self.first_row + self.rows

    @property
    def key(self) -> tuple[str, int]:
        """Return what a repeat of the same line has in common with it."""
        return self.request_id, self.part


def read(line: bytes) -> Prediction | None:
    """Return the record a line of the log holds, or None for a line that is no record."""
    if ANSWERED.encode() not in line:
        return None
    try:
        return Prediction.model_validate_json(line)
    except ValidationError:
        return None


def merge(parts: Iterable[Prediction]) -> Prediction | None:
    """Return one request as a single record, or None while a part of it is missing; repeats of a part change nothing.

    Rows keep their order: row n of the request is row n of the result, and its prediction id ends in `-n`. The digest
    of the features is that of no part any more, so it is left out. Raises ValueError for parts of several requests.
    """
    known = {record.part: record for record in parts}
    found = [known[number] for number in sorted(known)]
    if not found or len(found) != found[0].parts:
        return None
    if len({record.request_id for record in found}) > 1:
        raise ValueError("parts of several requests")
    first = found[0]
    if first.parts == 1:
        return first
    shadow = first.shadow and first.shadow.model_copy(
        update={"scores": _joined(record.shadow.scores if record.shadow else None for record in found)}
    )
    together = {
        "features_sha256": None,
        "shadow": shadow,
        "rows": sum(record.rows for record in found),
        "features": _joined(record.features for record in found),
        "scores": _joined(record.scores for record in found),
        "part": 1,
        "parts": 1,
    }
    return first.model_copy(update=together)


def _joined(pieces: Iterable[tuple[Any, ...] | None]) -> tuple[Any, ...] | None:
    known = list(pieces)
    return None if any(piece is None for piece in known) else tuple(chain.from_iterable(p for p in known if p))


@dataclass(frozen=True)
class PredictionId:
    """One row of one request, as callers know it."""

    request_id: str
    row: int

    @classmethod
    def parse(cls, text: str) -> PredictionId | None:
        """Read `<request id>-<row>`, or None when the text is no prediction id."""
        request_id, dash, row = text.rpartition("-")
        known = dash and request_id and re.fullmatch(r"0|[1-9]\d{0,8}", row)
        return cls(request_id, int(row)) if known else None

    def __str__(self) -> str:
        """Return the id as the endpoint gave it out."""
        return f"{self.request_id}-{self.row}"


@dataclass
class Repeats:
    """Knows a line that came before, in bounded memory: it remembers between `limit` and twice as many of the last.

    Deliveries repeat a batch that was just sent, so a repeat is near. 200,000 keys are about 15 MB.
    """

    limit: int = 200_000
    _young: set[bytes] = field(default_factory=set, repr=False)
    _old: set[bytes] = field(default_factory=set, repr=False)

    def is_new(self, record: Prediction) -> bool:
        """Say whether the record was not here before, and remember it."""
        key = blake2b(f"{record.request_id}/{record.part}".encode(), digest_size=16).digest()
        if key in self._young or key in self._old:
            return False
        self._young.add(key)
        if len(self._young) >= self.limit:
            self._old, self._young = self._young, set()
        return True


def log_prefix(product: str) -> str:
    """Return the prefix of a product's log."""
    return f"predictions/{product}/"


def partition(product: str, moment: datetime) -> str:
    """Return the prefix of the hour (UTC) in which a line delivered at `moment` lies."""
    return f"{log_prefix(product)}{moment.astimezone(UTC):dt=%Y-%m-%d/hour=%H/}"


def hour_of(key: str) -> datetime | None:
    """Return the hour of a log object's partition, or None when the key is in no partition."""
    found = _PARTITION.search(key)
    try:
        return datetime.strptime("".join(found.groups()), "%Y-%m-%d%H").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def hours_back(since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the hours that touch [since, until], the newest first."""
    hour = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour + _HOUR > since:
        yield hour
        hour -= _HOUR
