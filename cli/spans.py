"""Times as people write them on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from datetime import timedelta


def span(text: str, option: str) -> timedelta:
    """Read `12h` or `30d`, more than nothing. Raises UsageError naming the option and the forms there are."""
    from datetime import timedelta

    from pydantic import TypeAdapter, ValidationError

    from lifecycle.durations import Duration

    try:
        found: timedelta = TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        raise UsageError(f"{option} {text!r} is no duration.", detail="Write 12h, 7d or 1d12h.") from error
    if found <= timedelta(0):
        raise UsageError(f"{option} {text!r} is no time at all.", detail="Write 12h, 7d or 1d12h.")
    return found
