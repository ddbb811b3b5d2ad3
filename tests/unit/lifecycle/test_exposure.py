"""Records to units: the first exposure counts, its label is the outcome, and nothing depends on order or repeats."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.assignment import assign
from lifecycle.experiment_plan import ArmPlan, ExperimentPlan
from lifecycle.exposure import Exposures, Label
from lifecycle.predictions import Prediction

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = ExperimentPlan(
    name="x",
    goal="higher",
    arms=(
        ArmPlan(name="control", weight=0.5, model_version="1", bundle="1" * 64),
        ArmPlan(name="blue", weight=0.5, model_version="2", bundle="2" * 64),
    ),
)


def arm_of(user: str) -> str:
    return assign(PLAN.experiment(), user).arm.name


USERS = {name: next(f"u{n}" for n in range(99) if arm_of(f"u{n}") == name) for name in ("control", "blue")}


def record(user: str, minute: int = 0, request: str = "r", **changes: Any) -> Prediction:
    assigned = assign(PLAN.experiment(), user)
    told = {
        "event": "prediction.answered",
        "at": NOW + timedelta(minutes=minute),
        "request_id": request,
        "function_version": "9",
        "status": 200,
        "experiment": "x",
        "arm": assigned.arm.name,
        "unit": assigned.unit,
    }
    return Prediction.model_validate(told | changes)


def label(request: str, value: float | None, minute: int = 0, row: int = 0) -> Label:
    return Label(f"{request}-{row}", value, NOW + timedelta(minutes=minute))


def exposures(*records: Prediction) -> Exposures:
    made = Exposures(PLAN, "9")
    for one in records:
        made.add(one)
    return made


def told(made: Exposures, *labels: Label) -> dict[str, tuple[int, list[float]]]:
    return {arm.plan.name: (arm.exposed, arm.labels.tolist()) for arm in made.observed(labels).arms}


def test_a_unit_counts_once_by_the_label_of_its_first_prediction() -> None:
    blue = USERS["blue"]
    made = exposures(record(blue, 5, "late"), record(blue, 1, "early"), record(blue, 9, "later"))
    found = told(made, label("late", 1.0), label("early", 0.0), label("later", 1.0), label("early", 1.0, row=1))
    assert found == {"control": (0, []), "blue": (1, [0.0])}


def test_of_several_labels_the_one_true_since_last_counts() -> None:
    made = exposures(record(USERS["blue"]))
    assert told(made, label("r", 1.0, 5), label("r", 0.0, 1))["blue"] == (1, [1.0])
    assert told(made, label("r", 0.0, 1), label("r", 1.0, 5))["blue"] == (1, [1.0])


def test_a_unit_without_a_label_is_exposed_all_the_same() -> None:
    made = exposures(record(USERS["blue"]), record(USERS["control"], request="c", status=400))
    assert told(made, label("somebody-else", 1.0)) == {"control": (1, []), "blue": (1, [])}


def test_what_exposed_nobody_in_this_experiment_changes_nothing() -> None:
    blue = USERS["blue"]
    made = exposures(
        record(blue, synthetic=True),
        record(blue, experiment="another"),
        record(blue, function_version="8"),
        record(blue, unit=None),
        record(blue, arm=None),
        record(blue, part=2, parts=2),
    )
    assert (made.first, made.misplaced) == ({}, 0)


def test_a_record_with_another_arm_than_its_unit_s_is_counted_apart() -> None:
    made = exposures(record(USERS["blue"], arm="control"))
    assert (made.observed(()).misplaced, told(made)) == (1, {"control": (0, []), "blue": (0, [])})


def test_a_label_that_is_no_number_is_counted_apart_unless_it_was_corrected() -> None:
    made = exposures(record(USERS["blue"]))
    assert made.observed([label("r", None)]).unread == 1
    assert made.observed([label("r", None, 1), label("r", 1.0, 2)]).unread == 0
    assert made.observed([label("elsewhere", None)]).unread == 0


RECORDS = [record(f"u{n % 7}", minute=n * 13 % 29, request=f"r{n}") for n in range(25)]
LABELS = [label(f"r{n}", n % 2, minute=n % 3) for n in range(25)]


@given(st.permutations(RECORDS), st.permutations(LABELS))
def test_order_and_repeats_change_nothing(records: list[Prediction], labels: list[Label]) -> None:
    def found(made: Exposures, given: list[Label]) -> Any:
        return {name: (n, sorted(values)) for name, (n, values) in told(made, *given).items()}

    assert found(exposures(*records, *records[:5]), [*labels, *labels[:5]]) == found(exposures(*RECORDS), LABELS)
