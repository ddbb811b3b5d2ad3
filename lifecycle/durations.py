"""Durations as people write them in YAML: `10m`, `1h30m`, `500ms`, seconds, or ISO 8601 such as `PT10M`. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse(value: object) -> object:
    """Turn `1h30m` into a duration; numbers, ISO 8601 and durations go on to pydantic as they are.

    Raises ValueError, naming the forms there are, for other text.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    parts = list(_PART.finditer(text))
    if parts and "".join(part.group() for part in parts) == text:
        units = [part.group(2) for part in parts]
        if len(set(units)) == len(units):
            return timedelta(**{_UNITS[part.group(2)]: float(part.group(1)) for part in parts})
    if re.fullmatch(r"P[0-9DTHMS.]+", text):
        return text
    raise ValueError(f"{value!r} is no duration; write `30s`, `10m`, `1h30m`, `1d`, seconds as a number, or `PT10M`")


Duration = Annotated[timedelta, BeforeValidator(parse)]
