"""Where a function alias sends requests. Pure, and light enough for the guard.

One version takes what no other one takes: its share is what the others leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AliasState:
    """Where the alias points. `extra`: other versions with their share of the requests, 0 to 1."""

    function_version: str
    revision: str
    extra: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say it for people: `version 3` or `version 3 (75%), version 4 (25%)`."""
        if not self.extra:
            return f"version {self.function_version}"
        shares = {self.function_version: 1 - sum(self.extra.values()), **self.extra}
        return ", ".join(f"version {version} ({share:.0%})" for version, share in shares.items())


def alias_state(answer: Mapping[str, Any]) -> AliasState:
    """Read Lambda's answer about an alias (GetAlias, UpdateAlias)."""
    extra = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return AliasState(
        answer["FunctionVersion"], answer["RevisionId"], {version: float(share) for version, share in extra.items()}
    )
