"""One line of JSON per event on standard output, where Lambda's log picks it up. Never a row's values.

The prediction record, whose values are a matter of policy, is `functions/predict/record.py`; it leaves this way too.
"""

import json
import sys
from datetime import UTC, datetime


def write(event: str, fields: dict[str, object]) -> None:
    """Write one event, a `noun.verbed`, with its fields."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    send(json.dumps({"event": event, "at": now, **fields}, separators=(",", ":"), default=str))


def send(line: str) -> None:
    """Write one line and let it go: the runtime freezes the process once the answer is out."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def where(error: BaseException) -> dict[str, object]:
    """Return what may be told of a fault: its type and the places in the code, not its text, which may quote values."""
    import traceback  # noqa: PLC0415  only a fault needs it, every cold start would pay for it

    frames = traceback.extract_tb(error.__traceback__)[-5:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames]
    return {"error": type(error).__name__, "places": places}
