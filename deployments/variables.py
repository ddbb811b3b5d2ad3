"""The variables that `prefect.yaml` names as `{{ $NAME }}`: one list, with a default and a meaning for each.

Prefect turns an unset variable into nothing with exit code 0, so whoever deploys fills in from here first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Variable:
    """A variable of the manifest, what it means, and its value when nobody sets one."""

    name: str
    default: str
    meaning: str


def variables() -> tuple[Variable, ...]:
    """Return every variable that the manifest may name."""
    return (
        Variable(
            "TROPISM_MONITOR_CRON",
            "7 * * * *",
            "When every product is looked at. Looks are made of whole hours of the log, shortly after each.",
        ),
        Variable(
            "TROPISM_SCHEDULES_ENABLED",
            "true",
            "`false` stops the schedules. Set it before a deploy: one changed by hand is set back.",
        ),
        Variable(
            "TROPISM_SWEEP_CRON",
            "*/5 * * * *",
            "When the sweep runs without being woken. A sixth field counts seconds: `* * * * * */30` on a laptop.",
        ),
        Variable("TROPISM_TRIGGERS_ENABLED", "true", "`false` stops every trigger: events are kept, nothing starts."),
        Variable("TROPISM_VERSION", version("tropism"), "The version that deployments show, such as a commit."),
    )


def filled(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the defaults of what is unset or empty filled in."""
    defaults = {variable.name: environ.get(variable.name) or variable.default for variable in variables()}
    return {**environ, **defaults}
