"""How a product is watched, as `product.yaml` may say it under `monitor:`. Pure values, nothing is applied here."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.durations import Duration
from lifecycle.measurement import Limits

_CLOSED = ConfigDict(frozen=True, extra="forbid")
Share = Annotated[float, Field(gt=0, lt=1)]


class DriftLimits(BaseModel):
    """When inputs and scores differ from training. Limits on shares are in points above the training's own share.

    PSI .1 and .25 are the custom. A normal curve moved by half its spread has PSI .25 and KS .2: one size of effect
    in two units. One unseen level in a hundred rows is what the research took for a first sign.
    """

    model_config = _CLOSED

    psi: Limits = Limits(warn=0.1, breach=0.25)
    ks: Limits = Limits(warn=0.1, breach=0.2)
    missing: Limits = Limits(warn=0.02, breach=0.05)
    unseen: Limits = Limits(warn=0.01, breach=0.05)
    clump: Limits = Limits(warn=0.03, breach=0.05)
    scores: Limits = Limits(warn=0.1, breach=0.25)


class ServingLimits(BaseModel):
    """Shares of requests. Errors and slow answers as a release's ceilings: twice of what a p95 budget allows."""

    model_config = _CLOSED

    errors: Limits = Limits(warn=0.01, breach=0.05)
    refused: Limits = Limits(warn=0.02, breach=0.1)
    slow: Limits = Limits(warn=0.05, breach=0.1)
    cold: Limits = Limits(warn=0.2, breach=0.5)
    slow_after: Annotated[Duration, Field(gt=timedelta(0), description="A later answer is slow.")] = timedelta(
        milliseconds=300
    )


class OutcomePolicy(BaseModel):
    """Labels and what they say. A drop is in AUC points, or a share of the loss that the holdout had.

    A drop of .03 AUC, or a tenth of the loss, is what started the retrainings of the research; .05 and a fifth are
    past any month-to-month change of a model that was still right.
    """

    model_config = _CLOSED

    due: Annotated[Duration | None, Field(description="Labels come within; not given: none are expected.")] = None
    window: Annotated[
        Duration | None,
        Field(ge=timedelta(minutes=1), description="Predictions judged together; not given: the monitor's window."),
    ] = None
    learn: Annotated[
        bool, Field(description="Deliver predictions whose labels came as training data, through the same gate.")
    ] = False
    min_labels: Annotated[int, Field(ge=20)] = 200
    unlabelled: Annotated[Limits, Field(description="Share of matured predictions without a label.")] = Limits(
        warn=0.2, breach=0.5
    )
    performance: Annotated[Limits | None, Field(description="Default .03/.05, of a loss .1/.2.")] = None
    estimate: Annotated[Limits | None, Field(description="Default as performance.")] = None
    calibration: Annotated[Limits, Field(description="Mean distance of score and outcome.")] = Limits(
        warn=0.02, breach=0.05
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=200, le=20_000)] = 1_000
    seed: int = 17

    def drop(self, *, higher_is_better: bool) -> Limits:
        """Return how much worse than on the holdout the model may get."""
        if self.performance is not None:
            return self.performance
        return Limits(warn=0.03, breach=0.05) if higher_is_better else Limits(warn=0.1, breach=0.2)


class ResponsePolicy(BaseModel):
    """What follows a breach, and how often.

    A metric counts as breached after so many looks in a row and as calm after so many below `calm` of its threshold:
    a metric on its threshold then is one breach, not one a look. Two retrainings a day are what a day's data can
    teach; after three refused challengers the fault is in what they are trained on.
    """

    model_config = _CLOSED

    sustained: Annotated[int, Field(ge=1, description="Looks in a row before drift counts.")] = 3
    calm: Annotated[float, Field(gt=0, le=1, description="Below this share of its threshold a metric is calm.")] = 0.8
    calm_looks: Annotated[int, Field(ge=1)] = 3
    cooldown: Annotated[Duration, Field(description="Least time between two retrainings.")] = timedelta(hours=12)
    budget_per_day: Annotated[int, Field(ge=0, description="Retrainings within 24 hours.")] = 2
    refusals: Annotated[int, Field(ge=1, description="Refused challengers in a row that open the breaker.")] = 3
    rest: Annotated[Duration, Field(description="How long an open breaker lets no retraining through.")] = timedelta(
        days=7
    )
    suspect: Annotated[Duration, Field(description="A serving fault this soon after a release is the release's.")] = (
        timedelta(days=1)
    )
    drift: Annotated[Literal["retrain", "notify"], Field(description="Sustained drift with no labels due.")] = "retrain"
    notify: Annotated[tuple[str, ...], Field(description="Prefect's notification blocks, as `<type>/<name>`.")] = ()


class MonitorPolicy(BaseModel):
    """What is watched, over which windows, how sure.

    A week holds every weekday, so that a calendar is no drift; faults show within the hour. Both windows reach
    further back until they hold `min_rows`: a PSI over ten bins of 1,000 rows is .02 by chance. A day without a
    request is no traffic, whatever came before. False alarms: with nothing wrong, one look in a hundred has any.
    """

    model_config = _CLOSED

    every: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(hours=1)
    window: Annotated[Duration, Field(ge=timedelta(hours=1), description="For distributions.")] = timedelta(days=7)
    recent: Annotated[Duration, Field(ge=timedelta(hours=1), description="For faults.")] = timedelta(hours=1)
    recent_reach: Annotated[Duration, Field(description="The recent one goes back no further.")] = timedelta(days=1)
    reach: Annotated[Duration, Field(description="No window goes back further.")] = timedelta(days=28)
    min_rows: Annotated[int, Field(ge=1)] = 1_000
    false_discovery: Share = 0.01
    drift: DriftLimits = DriftLimits()
    serving: ServingLimits = ServingLimits()
    outcomes: OutcomePolicy = OutcomePolicy()
    respond: ResponsePolicy = ResponsePolicy()

    @property
    def judged_by(self) -> timedelta:
        """Return how long the stretches are whose predictions are judged together."""
        return self.outcomes.window or self.window

    @model_validator(mode="after")
    def _windows_are_nested(self) -> Self:
        if not self.recent <= self.recent_reach <= self.reach or not self.recent <= self.window <= self.reach:
            found = f"recent {self.recent} to {self.recent_reach}, window {self.window}, reach {self.reach}"
            raise ValueError(f"{found}; expected recent <= recent_reach <= reach and recent <= window <= reach")
        if self.judged_by + (self.outcomes.due or timedelta(0)) > self.reach:
            raise ValueError(f"reach {self.reach} is over before the labels of {self.judged_by} are due")
        if self.outcomes.learn and self.outcomes.due is None:
            raise ValueError("outcomes.learn: nothing is learned before labels are due; say `due`")
        return self
