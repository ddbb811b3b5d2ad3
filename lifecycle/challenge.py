"""What came of one training, as it is recorded: the verdict, its evidence, the ledger entry and the event.

One value feeds the registry, the ledger, the event and the page, so that they cannot tell different stories. It
decides nothing: that was `lifecycle/promotion.py`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lifecycle.batch import Reason, shown
from lifecycle.events import ModelChallenged, ModelRefused
from lifecycle.ledger import Decision as LedgerDecision
from lifecycle.ledger import Scalar
from lifecycle.metrics import Metric
from lifecycle.promotion import Decision, Verdict

_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
_SAYS: dict[Verdict, str] = {
    "promote": "may replace model {champion}",
    "refuse": "is refused and model {champion} stays",
    "no_change": "is model {champion} over again",
    "undecidable": "cannot be judged and model {champion} stays",
}
_SAYS_FIRST: dict[Verdict, str] = {
    "promote": "may be the first champion",
    "refuse": "is refused and there is no champion yet",
    "no_change": "is no change",
    "undecidable": "cannot be judged and there is no champion yet",
}


class HoldoutWindow(BaseModel):
    """The frozen rows that judged: after `after`, up to and with `until` (ISO 8601, UTC), and their keys' digest.

    Both are None where rows have no time: then their content drew them, and nobody knows how the model ages.
    """

    model_config = _CLOSED

    after: str | None
    until: str | None
    rows: int
    digest: str

    def __str__(self) -> str:
        """Say which rows judged."""
        if self.after is None or self.until is None:
            return f"{self.rows:,} rows drawn by their content; without a time column nobody knows how the model ages"
        return f"{self.rows:,} rows after {self.after} up to {self.until}"


class Judgement(BaseModel):
    """Numbers of the contest in the deciding metric; None where there was no champion, or no number.

    `score_psi`: how far the challenger's scores lie from the champion's on the same holdout rows.
    """

    model_config = _CLOSED

    metric: Metric
    challenger: float | None = None
    champion: float | None = None
    improvement: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None
    score_psi: float | None = None


class Challenge(BaseModel):
    """One training and what was decided. `bundle` is None when no model was made.

    `again`: the earlier version whose model this is, where no new one was better.
    """

    model_config = _CLOSED

    format: Literal[1] = 1
    product: str
    train_key: str
    snapshot: str
    batches: tuple[str, ...]
    mlflow_run: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    judgement: Judgement
    champion: str | None = None
    bundle: str | None = None
    candidate: str | None = None
    again: str | None = None
    rows_trained: int = 0
    holdout: HoldoutWindow | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the reasons as people read them."""
        return tuple(str(reason) for reason in self.reasons)

    def summary(self, model_version: str | None) -> str:
        """Say in one paragraph what came of it."""
        who = f"Model {model_version}" if model_version else "The challenger"
        who += f", which is model {self.again} again," if self.again else ""
        says = _SAYS if self.champion else _SAYS_FIRST
        return " ".join((f"{who} {says[self.verdict].format(champion=self.champion)}.", *self.sentences))

    def event(self, model_version: str | None) -> ModelChallenged | ModelRefused:
        """Return the event that tells it: the same one however often it is told."""
        if self.verdict == "promote" and model_version and self.bundle:
            return ModelChallenged(product=self.product, version=model_version, bundle=self.bundle)
        return ModelRefused(
            product=self.product,
            mlflow_run=self.mlflow_run,
            version=model_version,
            outcome=self.verdict,
            reasons=self.sentences,
        )

    def entry(self, model_version: str | None, by: "Recorder") -> LedgerDecision:
        """Return the ledger's decision; its key makes a second one of the same training impossible."""
        return LedgerDecision(
            at=by.now,
            actor=by.actor,
            cause=by.cause,
            action="challenge",
            from_=self.champion,
            to=model_version,
            reason=self.summary(model_version),
            evidence=self._evidence(),
            key=f"challenge/{self.train_key}",
        )

    def _evidence(self) -> Mapping[str, Scalar]:
        numbers = self.judgement.model_dump(exclude_none=True)
        window = {
            f"holdout_{name}": value for name, value in (self.holdout.model_dump() if self.holdout else {}).items()
        }
        return {
            "verdict": self.verdict,
            "codes": ",".join(reason.code for reason in self.reasons),
            "bundle": self.bundle,
            "mlflow_run": self.mlflow_run,
            "snapshot": self.snapshot,
            "batches": ",".join(shown(batch) for batch in self.batches),
            "candidate": self.candidate,
            **({"again": self.again} if self.again else {}),
            "rows_trained": self.rows_trained,
            **numbers,
            **window,
        }


@dataclass(frozen=True)
class Recorder:
    """Who records it, what made it happen, and when."""

    actor: str
    cause: str
    now: datetime


def judgement(
    metric: Metric, decision: Decision, challenger: float, champion: float | None, score_psi: float | None = None
) -> Judgement:
    """Return the numbers of a decision, leaving out those that could not be computed."""
    found = decision.interval
    numbers = {
        "challenger": challenger,
        "champion": champion,
        "improvement": found.estimate if found else None,
        "lower": found.lower if found else None,
        "upper": found.upper if found else None,
        "confidence": found.confidence if found else None,
        "score_psi": score_psi,
    }
    return Judgement(metric=metric, **{name: value for name, value in numbers.items() if _finite(value)})


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
