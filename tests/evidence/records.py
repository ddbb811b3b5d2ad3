"""Records of the prediction log, as the predict function writes them, for tests that need no function."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from lifecycle.control import Window
from lifecycle.counting import Frame
from lifecycle.predictions import Prediction
from lifecycle.release_plan import ReleasePlan

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAMPION, CHALLENGER, OTHER = "7", "8", "9"
EDGES = (0.25, 0.5, 0.75)
_NUMBERS = count()


def record(at: datetime, version: str = CHALLENGER, **changes: Any) -> Prediction:
    """Return a request that was answered well and quickly, unless `changes` say otherwise."""
    usual: dict[str, Any] = {
        "event": "prediction.answered",
        "at": at,
        "request_id": f"r{next(_NUMBERS)}",
        "product": "parcels",
        "model_version": version,
        "bundle": "b" * 64,
        "function_version": version,
        "engine": "libxgboost/3.2.0",
        "method": "POST",
        "path": "/invocations",
        "status": 200,
        "rows": 1,
        "scores": (0.4,),
        "latency_ms": 4.0,
    }
    return Prediction(**{**usual, **changes})


def minutes(number: float) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=number)


def window(step: int, weight: float, since: float, until: float | None = None) -> Window:
    """Return a window given in minutes after START."""
    end = None if until is None else START + minutes(until)
    return Window(step=step, weight=weight, since=START + minutes(since), until=end)


def frame(*windows: Window, plan: ReleasePlan | None = None) -> Frame:
    """Return what to count by."""
    return Frame(plan or ReleasePlan(), windows, CHALLENGER, CHAMPION, EDGES)
