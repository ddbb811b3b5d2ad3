"""A clock that jumps: what our own code takes for the time is another for a while, whichever module asks.

Services keep their own time, as they do when the clock of one machine is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest

OURS = ("flows", "functions", "lifecycle", "tasks")


@contextmanager
def jumped(by: timedelta) -> Iterator[None]:
    """Let the clock of this process be ahead by so much, or behind, until left."""

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Jumped(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + by

    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in OURS and getattr(module, "datetime", None) is datetime:
                patch.setattr(module, "datetime", Jumped)
        yield
