"""A look at a product as it is kept and shown: what was seen over which time, judged, and what was asked for. Pure.

One JSON object per look; the page, the command and whoever decides read the same one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle.estimate import Estimate
from lifecycle.examination import Examination, Family
from lifecycle.label_book import Book
from lifecycle.log_part import Window
from lifecycle.measurement import Measurement, State
from lifecycle.performance import Realised
from lifecycle.profiles import Count
from lifecycle.ranking import Effect

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Seen(BaseModel):
    """Requests of a window. `latency_ms`: by quantile, cold starts included; none without requests."""

    model_config = _CLOSED

    since: AwareDatetime
    until: AwareDatetime
    requests: Count
    rows: Count
    failed: Count
    refused: Count
    cold: Count
    synthetic: Count
    latency_ms: dict[str, float]
    unseen: dict[str, dict[str, int]] = {}


class Estimated(BaseModel):
    """The performance expected of the scores, with the root mean square error of earlier estimates; None: none."""

    model_config = _CLOSED

    metric: str
    value: float | None
    holdout: float | None
    noise: float | None
    past_error: float | None
    windows: Count


class LabelCount(BaseModel):
    """All labels within reach: current ones, corrected, said again, taken back, parked without a prediction.

    `parked` is None when nothing new came and it was not counted again.
    """

    model_config = _CLOSED

    current: Count
    corrected: Count
    repeated: Count
    withdrawn: Count
    parked: Count | None


class Look(BaseModel):
    """Everything one look found. `named`: the drifted columns that matter most."""

    model_config = _CLOSED

    format: Literal[1] = 1
    product: str
    at: AwareDatetime
    model_version: str | None
    bundle: str | None
    state: State
    blind: tuple[Family, ...]
    named: tuple[str, ...]
    wide: Seen | None
    recent: Seen | None
    measurements: tuple[Measurement, ...]
    effects: tuple[Effect, ...] = ()
    realised: Realised | None = None
    provisional: Realised | None = None
    estimate: Estimated | None = None
    labels: LabelCount | None = None

    @property
    def alerts(self) -> tuple[Measurement, ...]:
        """Return what somebody should look at, breaches first."""
        return tuple(sorted((one for one in self.measurements if one.alerts), key=lambda one: one.state != "breached"))

    def summary(self) -> str:
        """Say in one paragraph what there is to say."""
        told = [str(one) for one in self.alerts]
        columns = f"Columns that matter: {', '.join(self.named)}." if self.named else ""
        blind = f"Nothing could be judged about {', '.join(self.blind)}." if self.blind else ""
        seen = f"{self.recent.requests:,} requests since {self.recent.since:%Y-%m-%d %H:%M} UTC." if self.recent else ""
        return " ".join(part for part in (f"{self.product}: {self.state}.", seen, blind, columns, *told) if part)


def seen(window: Window) -> Seen:
    """Return what is told of a window."""
    sketch = window.serving
    latency = {name: sketch.latency.quantile(share) for name, share in QUANTILES.items()}
    strange = {name: one.unseen.named for name, one in sketch.categories.items() if one.unseen.total}
    return Seen(
        since=window.since,
        until=window.until,
        requests=sketch.requests,
        rows=sketch.rows,
        failed=sketch.failed,
        refused=sketch.refused,
        cold=sketch.cold,
        synthetic=sketch.synthetic,
        latency_ms={name: round(value, 3) for name, value in latency.items() if math.isfinite(value)},
        unseen=strange,
    )


def estimated(found: Estimate | None) -> Estimated | None:
    """Return what is told of an estimate."""
    if found is None:
        return None
    return Estimated(
        metric=found.metric,
        value=_number(found.value),
        holdout=_number(found.holdout),
        noise=_number(found.noise),
        past_error=found.past_error,
        windows=found.windows,
    )


def label_count(book: Book, parked: int | None) -> LabelCount:
    """Return what is told of the labels."""
    return LabelCount(
        current=len(book.current) - book.withdrawn,
        corrected=book.corrected,
        repeated=book.repeated,
        withdrawn=book.withdrawn,
        parked=parked,
    )


def look_key(product: str, at: datetime) -> str:
    """Return the key of a look: keys are in the order of time."""
    return f"{looks_prefix(product)}{at.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"


def looks_prefix(product: str) -> str:
    """Return the prefix of a product's looks."""
    return f"metrics/{product}/looks/"


def watch_key(product: str) -> str:
    """Return the key of what the monitor remembers of a product."""
    return f"metrics/{product}/watch.json"


def compose(
    product: str, at: datetime, model: tuple[str, str] | None, found: Examination, windows: tuple[Window, Window]
) -> Look:
    """Put a look together; `model` is version and bundle, `windows` the wide one and the recent one."""
    wide, recent = windows
    return Look(
        product=product,
        at=at,
        model_version=model[0] if model else None,
        bundle=model[1] if model else None,
        state=found.state,
        blind=found.blind,
        named=found.named,
        wide=seen(wide),
        recent=seen(recent),
        measurements=found.measurements,
        effects=found.effects,
        realised=found.realised,
        estimate=estimated(found.estimate),
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
