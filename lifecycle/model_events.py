"""The events about models, releases and freezes: what each carries. Standard library only, as `lifecycle/events.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lifecycle.envelope import Event, EventName, model_resource


@dataclass(frozen=True, kw_only=True)
class _AboutModel(Event):
    """Something became of a model version."""

    identified_by: ClassVar[tuple[str, ...]] = ("version",)
    version: str
    bundle: str

    @property
    def resource(self) -> str:
        """Return the model version."""
        return model_resource(self.product or "none", self.version)


@dataclass(frozen=True, kw_only=True)
class ModelChallenged(_AboutModel):
    """A challenger passed the promotion gate. Wakes `release`."""

    name = EventName.MODEL_CHALLENGED


@dataclass(frozen=True, kw_only=True)
class ModelRefused(Event):
    """A candidate did not pass the promotion gate; `outcome` is the verdict, such as no_change or undecidable."""

    name = EventName.MODEL_REFUSED
    identified_by = ("mlflow_run",)
    mlflow_run: str
    version: str | None
    outcome: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _UnderRelease(_AboutModel):
    """Something became of a release under way. `weight`: the model's share of requests, 0 to 1."""

    weight: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReleaseAdvanced(_UnderRelease):
    """Traffic flows at a step's weight; `reasons` say why the one before was passed."""

    name = EventName.RELEASE_ADVANCED
    identified_by = ("version", "step")
    step: int


@dataclass(frozen=True, kw_only=True)
class ReleaseHeld(_UnderRelease):
    """A release stays where it is, for other reasons than before; `look` numbers the look that found them."""

    name = EventName.RELEASE_HELD
    identified_by = ("version", "look")
    look: int
    codes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Moved(_AboutModel):
    """The traffic went to another version; `ledger_seq` numbers the decision, since a version may return."""

    identified_by = ("version", "ledger_seq")
    previous: str | None
    reason: str
    actor: str
    ledger_seq: int


@dataclass(frozen=True, kw_only=True)
class ReleasePromoted(_Moved):
    """`version` answers now; `previous` answered before."""

    name = EventName.RELEASE_PROMOTED


@dataclass(frozen=True, kw_only=True)
class ReleaseRolledBack(_Moved):
    """`version` answers again; `previous` was taken out of the traffic."""

    name = EventName.RELEASE_ROLLED_BACK


@dataclass(frozen=True, kw_only=True)
class ProductUnfrozen(Event):
    """A freeze has ended; `times` numbers it. Wakes `sweep`, which wakes whoever waited."""

    name = EventName.PRODUCT_UNFROZEN
    identified_by = ("times",)
    times: int
    actor: str
    reason: str
