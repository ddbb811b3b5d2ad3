from datetime import timedelta

import pytest

from lifecycle.release_plan import ReleasePlan
from lifecycle.thin_traffic import too_thin

PLAN = ReleasePlan(steps=(10, 100), min_requests=30, bake_time=timedelta(0), deadline=timedelta(minutes=10))


@pytest.mark.parametrize(("rate", "thin"), [(0.0, True), (1799.0, True), (1800.0, False), (1e6, False), (None, False)])
def test_traffic_is_too_thin_when_the_first_step_cannot_see_enough_in_time(rate: float | None, thin: bool) -> None:  # noqa: FBT001
    """10 % of 300 requests are the 30 wanted; 300 in ten minutes are 1,800 an hour."""
    assert (too_thin(PLAN, rate) is not None) is thin


def test_it_says_so_in_words_and_numbers() -> None:
    assert str(too_thin(PLAN, 60.0)) == (
        "TRAFFIC_TOO_THIN requests: found 60 requests in the last hour, so 10 within 0:10:00, "
        "expected at least 300, for 30 to the challenger at 10%."
    )
