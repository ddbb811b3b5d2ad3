"""What a look at the machine, the services and the products comes to: one line per check.

Findings are values; nothing is looked at here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lifecycle.errors import TropismError

State = Literal["ok", "missing", "notice"]


@dataclass(frozen=True)
class Finding:
    """`doctor`: one check. `missing` stops something from working, `notice` does not; `resolution` mends it."""

    check: str
    state: State
    found: str
    resolution: str


def ok(check: str, found: str) -> Finding:
    """Return a check that found what it wants."""
    return Finding(check, "ok", found, "")


def missing(check: str, found: str, resolution: str) -> Finding:
    """Return a check that stops something from working."""
    return Finding(check, "missing", found, resolution)


def notice(check: str, found: str, resolution: str) -> Finding:
    """Return a check that is worth knowing and stops nothing."""
    return Finding(check, "notice", found, resolution)


def guarded(check: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what a look found; one that ends in an error is a finding as well."""
    from cli.failures import translate

    try:
        return look()
    except Exception as error:
        known = translate(error)
        if known is None:
            raise
        return [of_error(check, known)]


def of_error(check: str, error: TropismError) -> Finding:
    """Return an error as the finding it is."""
    found = " ".join(part for part in (error.summary, error.detail) if part)
    return missing(check, found, error.resolution or "Run `tropism up`, then look again.")
