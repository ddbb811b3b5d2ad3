"""Another model's word on the same rows: scored for a share of requests, within a time, told in the record only.

It never changes an answer and never fails a request: whatever goes wrong here becomes the reason why the record
has no second scores.
"""

import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from functions.predict import journal
from functions.predict.answer import Asked, answer
from functions.predict.invocations import Given
from functions.predict.model import Note, Served, Unready, open_bundle
from functions.predict.record import Score, Scored
from functions.predict.refusals import RefusalError
from functions.predict.timing import LateError, UnboundedError, within
from lifecycle.serving import Shadow

# Opening takes 10 to 30 ms; a bundle whose own code hangs must not hang the start of the function.
_OPENING_SECONDS = 1.0
_WORDS = 2.0**64


@dataclass(frozen=True)
class NoShadow:
    """Why there is no other model: a sentence for the log."""

    sentence: str


def open_shadow(folder: Path, wanted: Shadow, library: str | None, note: Note) -> Served | NoShadow:
    """Open the other model at the function's start, or say why there is none. Never raises."""
    try:
        found = within(_OPENING_SECONDS, lambda: open_bundle(folder, library, note))
    except LateError:
        return _without(wanted, f"It was not open after {_OPENING_SECONDS:g} s.", note)
    except Exception as error:  # noqa: BLE001  the function serves without it
        return _without(wanted, f"{type(error).__name__} while it was opened.", note)
    if isinstance(found, Unready):
        return _without(wanted, found.sentence, note)
    if found.bundle.digest != wanted.bundle:
        return _without(wanted, f"It is bundle {found.bundle.digest[:12]}, expected {wanted.bundle[:12]}.", note)
    return found


def is_sampled(request_id: str, share: float) -> bool:
    """Tell whether a request is one of the `share` that both models score: the same id, the same answer."""
    return int.from_bytes(sha256(f"shadow:{request_id}".encode()).digest()[:8], "big") / _WORDS < share


def score(shadow: Served | NoShadow, wanted: Shadow, given: Given, request_id: str, started: float) -> Scored | None:
    """Return what the other model says of the rows; None when the request is not sampled. Never raises.

    `started`: time.perf_counter() when the request began; the time allowed runs from there.
    """
    if not is_sampled(request_id, wanted.share):
        return None
    begun = time.perf_counter()
    if isinstance(shadow, NoShadow):
        return Scored(None, wanted.bundle, None, 0.0, "fault")
    left = wanted.budget_ms / 1000 - (begun - started)
    scores, skipped = _try(shadow, Asked(given), request_id, left)
    latency_ms = round((time.perf_counter() - begun) * 1000, 3)
    return Scored(shadow.model_version, wanted.bundle, scores, latency_ms, skipped)


def _without(wanted: Shadow, sentence: str, note: Note) -> NoShadow:
    note("shadow.refused", {"bundle": wanted.bundle, "found": sentence})
    return NoShadow(sentence)


def _try(shadow: Served, asked: Asked, request_id: str, left: float) -> tuple[list[Score] | None, str | None]:
    """Return the scores, or why there are none."""
    try:
        made = within(left, lambda: answer(shadow, asked, request_id))
    except LateError:
        return None, "budget"
    except UnboundedError:
        return None, "unbounded"
    except RefusalError:
        return None, "contract"
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, the request is answered without it
        journal.write("shadow.failed", {"request_id": request_id, **journal.where(error)})
        return None, "fault"
    return made.predictions.tolist(), None
