"""The guard: an alarm of a challenger takes its traffic away, without Prefect and without anybody watching.

An alarm about a whole function's traffic moves nothing: it is told, so that somebody looks.

Traffic first, then the record of what was done, then word of it. It decides nothing (`lifecycle.guarding` does) and
never writes the control record: the release under way finds its challenger out and ends. The package is
`functions/guard` with `lifecycle/{envelope,guarding,notices}.py`; boto3 is the runtime's.

Environment: `TROPISM_BUCKET`, `TROPISM_FUNCTION_PREFIX` and `TROPISM_EVENTS_QUEUE_URL`.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from functions.guard import effects
from functions.guard.effects import Place
from lifecycle.alias import AliasState
from lifecycle.guarding import Alarm, Decision, GuardRecord, Rise, decide, record
from lifecycle.notices import NotOurs, read_alarm

_LOG = logging.getLogger("guard")
_TRIES = 5
_TOLD = "told"
_PAUSE_SECONDS = 0.2
"""Others move an alias in one call each; five tries in a second outlast any of them."""


class AliasContestedError(RuntimeError):
    """Somebody else moved the alias at every try; Lambda invokes the guard again."""


def handler(
    event: Mapping[str, Sequence[Mapping[str, Mapping[str, object]]]], _context: object
) -> dict[str, list[str]]:
    """Act on what SNS delivers and return the code of each alarm. Delivered again, it finds its work done.

    Raises what Lambda is to try again: an AWS call that failed, or an alias that others keep moving.
    """
    _LOG.setLevel(logging.INFO)  # Lambda's root logger starts at WARNING
    place, codes = Place.read(), []
    for item in event["Records"]:
        alarm = read_alarm(item["Sns"].get("Message"))
        if isinstance(alarm, NotOurs):
            _log("alarm.ignored", reason=alarm.reason)
            continue
        product = place.product_of(alarm.function)
        if product is None:
            _log("alarm.ignored", reason=f"{alarm.function} answers for no product.")
            continue
        if isinstance(alarm, Rise):
            effects.tell_rise(place, product, alarm)
            _log("traffic.rose", alarm=alarm.name, product=product)
            codes.append(_TOLD)
            continue
        codes.append(_guard(place, product, alarm).code)
    return {"codes": codes}


def _guard(place: Place, product: str, alarm: Alarm) -> GuardRecord:
    decision, before = _take_back(place, product, alarm)
    done = effects.remember(place, record(alarm, product, decision, before, datetime.now(UTC)))
    _log("alarm.guarded", alarm=alarm.name, product=product, code=decision.code.value, recorded=done.code)
    try:
        effects.tell(place, done)
    except Exception as error:  # noqa: BLE001  # the traffic is safe and the record written; the sweep finds both
        _log("alarm.untold", alarm=alarm.name, reason=f"{type(error).__name__}: {error}"[:300])
    return done


def _take_back(place: Place, product: str, alarm: Alarm) -> tuple[Decision, AliasState | None]:
    """Decide on what is there now, again whenever somebody else moved the alias meanwhile."""
    for _ in range(_TRIES):
        before = effects.traffic(alarm.function)
        decision = decide(alarm, before, effects.standing(place, product))
        if decision.to is None or before is None or effects.move(alarm.function, decision.to, before.revision):
            return decision, before
        time.sleep(_PAUSE_SECONDS)
    raise AliasContestedError(f"The alias of {alarm.function} was moved by others {_TRIES} times; {alarm.name} waits.")


def _log(event: str, **fields: str) -> None:
    _LOG.info(json.dumps({"event": event, **fields}))
