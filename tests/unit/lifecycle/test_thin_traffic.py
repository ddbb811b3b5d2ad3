from datetime import timedelta

import pytest

from lifecycle.release_plan import ReleasePlan
from lifecycle.thin_traffic import enough, look_back, too_thin

PLAN = ReleasePlan(steps=(10, 100), min_requests=30, bake_time=timedelta(0), deadline=timedelta(minutes=10))
DAY = PLAN.model_copy(update={"deadline": timedelta(days=1)})


@pytest.mark.parametrize(("requests", "thin"), [(0, True), (299, True), (300, False), (10**6, False), (None, False)])
def test_traffic_is_too_thin_when_the_first_step_cannot_see_enough_in_time(requests: int | None, thin: bool) -> None:  # noqa: FBT001
    """10 % of 300 requests are the 30 wanted, within the ten minutes of the deadline."""
    assert (too_thin(PLAN, requests) is not None) is thin


def test_a_long_deadline_is_judged_by_the_rate_of_the_last_hour() -> None:
    assert (look_back(DAY), enough(DAY)) == (timedelta(hours=1), 13)
    assert too_thin(DAY, 12) is not None
    assert too_thin(DAY, 13) is None


def test_it_says_so_in_words_and_numbers() -> None:
    assert str(too_thin(DAY, 2)) == (
        "TRAFFIC_TOO_THIN requests: found 2 requests in the last 1:00:00, so 48 within 1 day, 0:00:00, "
        "expected at least 300, for 30 to the challenger at 10%."
    )
