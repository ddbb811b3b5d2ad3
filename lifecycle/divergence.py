"""What disagrees: the control record says what serves, and alias, endpoint and registry have to say the same. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lifecycle.control import ControlRecord


@dataclass(frozen=True)
class Divergence:
    """Two records of what serves disagree; the control record is right. `occasion` tells one time from another."""

    what: Literal["function_alias", "endpoint", "model_alias"]
    found: str
    expected: str
    occasion: str


@dataclass(frozen=True)
class Observed:
    """What the world says beside the control record; None where there is nothing."""

    alias_version: str | None
    alias_revision: str | None
    mixed: bool
    endpoint_model: str | None
    endpoint_version: str | None
    registry_model: str | None


def divergences(record: ControlRecord, observed: Observed, now: datetime) -> tuple[Divergence, ...]:
    """Compare what serves with the control record. A record whose change is under way is not compared.

    While a challenger has traffic, the alias is the release's business: it takes back what somebody else moved.
    """
    champion, found = record.champion, []
    if record.release is not None:
        return ()
    if champion is not None and record.weight == 0:
        alias = observed.alias_version if not observed.mixed else f"{observed.alias_version} and others"
        if alias != champion.function_version:
            occasion = observed.alias_revision or f"{now:%Y-%m-%dT%H}"
            found.append(Divergence("function_alias", str(alias), str(champion.function_version), occasion))
        elif (observed.endpoint_model, observed.endpoint_version) != (
            champion.model_version,
            champion.function_version,
        ):
            says = f"model {observed.endpoint_model}, function version {observed.endpoint_version}"
            expected = f"model {champion.model_version}, function version {champion.function_version}"
            found.append(Divergence("endpoint", says, expected, f"{now:%Y-%m-%dT%H}"))
    wanted = champion.model_version if champion else None
    if observed.registry_model != wanted:
        found.append(Divergence("model_alias", str(observed.registry_model), str(wanted), f"{now:%Y-%m-%dT%H}"))
    return tuple(found)


def repair_key(record: ControlRecord, divergence: Divergence) -> str:
    """Return the ledger key of a repair: the same disagreement, seen twice, is entered once."""
    return f"repair/{divergence.what}/{record.revision}/{divergence.found}/{divergence.occasion}"
