from datetime import timedelta

import pytest
from pydantic import ValidationError

from lifecycle.release_plan import ReleasePlan


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10m", 600),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        (90, 90),
        (0.25, 0.25),
        ("PT10M", 600),
        ("1d", 86400),
    ],
)
def test_a_duration_is_read_as_people_write_it(written: object, seconds: float) -> None:
    plan = ReleasePlan.model_validate({"bake_time": written, "deadline": "30d"})
    assert plan.bake_time == timedelta(seconds=seconds)
    assert ReleasePlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize("written", ["10", "10 minutes", "m", "", "10m10m", "-5s", "5x", "1h 3", "P", "PTM"])
def test_what_is_no_duration_is_refused_with_the_forms_there_are(written: str) -> None:
    with pytest.raises(ValidationError, match=r"bake_time\n.*duration"):
        ReleasePlan.model_validate({"bake_time": written})


def test_a_time_between_looks_is_at_least_a_second() -> None:
    with pytest.raises(ValidationError, match="tick"):
        ReleasePlan.model_validate({"tick": "500ms"})
