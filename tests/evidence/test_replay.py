"""Logged requests sent through a version that nobody asks, by a function that really runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lifecycle.predictions import Prediction
from tasks import replay
from tasks.replay import Replayed
from tests.evidence.conftest import Place
from tests.evidence.records import minutes, record

COLUMNS = ("amount", "income", "sched", "new", "purpose")
ROW = (9000.0, 40000.0, 930, True, "car")


def asked(ago: float, **changes: Any) -> Prediction:
    """Return a request of so many minutes ago whose rows are told."""
    return record(datetime.now(UTC) - minutes(ago), **{"columns": COLUMNS, "features": (ROW,), **changes})


def replayed(place: Place) -> Replayed:
    version = str(place.challenger.function_version)
    return replay.replay(place.settings, place.product, version, datetime.now(UTC))


def test_logged_requests_are_answered_by_the_version_and_those_that_fail_are_told(place: Place) -> None:
    place.deliver(asked(3), asked(2), asked(1, features=(("much", *ROW[1:]),)))
    assert replayed(place) == Replayed(requests=3, failed=1)


def test_only_live_requests_that_were_answered_and_whose_rows_are_known_are_sent(place: Place) -> None:
    place.deliver(
        asked(1, synthetic=True),
        asked(1, status=500, scores=None),
        asked(1, features=None, features_sha256="a" * 64),
        asked(1, part=1, parts=2),
        asked(1, method="GET", columns=None, features=None),
        asked(1),
    )
    assert replayed(place) == Replayed(requests=1, failed=0)


def test_nothing_in_the_log_replays_nothing(place: Place) -> None:
    assert replayed(place) == Replayed(requests=0, failed=0)


def test_the_newest_requests_are_sent_and_no_more_than_a_hundred_of_them(place: Place) -> None:
    old = datetime.now(UTC) - timedelta(hours=30)
    place.deliver(*(asked(1800 + at, features=(("old", *ROW[1:]),)) for at in range(50)), at=old)
    place.deliver(*(asked(60 + at) for at in range(300)))
    assert replayed(place) == Replayed(requests=replay.MOST, failed=0)
