"""Records to sums: which request counts where, and that order, batches and repeats change nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.counting import fold
from lifecycle.predictions import Prediction, Repeats
from lifecycle.release_plan import ReleasePlan
from lifecycle.tally import ArmTally, Tally
from tests.evidence.records import CHALLENGER, CHAMPION, OTHER, START, frame, minutes, record, window

TWO_STEPS = frame(window(0, 0.05, 0, 10), window(1, 0.25, 11))


def counted(*records: Prediction, plan: ReleasePlan | None = None) -> ArmTally:
    """Return the sums of the challenger at the first step."""
    one = frame(window(0, 0.05, 0, 10), plan=plan)
    return fold(one, records, Tally(), Repeats()).at(0).challenger


def test_a_good_answer_is_a_request_with_a_score_and_nothing_else() -> None:
    found = counted(record(START + minutes(1), scores=(0.6, 0.1)))
    minute = int((START + minutes(1)).timestamp()) // 60
    assert found == ArmTally(requests=1, scores=(0, 0, 1, 0), recent={minute: 1})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": 500, "reason": "internal", "scores": None}, {"errors": 1}),
        ({"status": 503, "reason": "engine_failed", "scores": None}, {"errors": 1}),
        ({"engine": "xgboost-python/3.2.0"}, {"errors": 1}),
        ({"latency_ms": 300.1}, {"slow": 1}),
        ({"latency_ms": 300.0}, {}),
        ({"latency_ms": 2000.0, "cold": True}, {}),
        ({"latency_ms": 2000.0, "status": 400, "reason": "path", "scores": None}, {"slow": 1}),
        ({"status": 400, "reason": "missing_column", "scores": None}, {"invalid": 1}),
        ({"status": 400, "reason": "not_finite", "scores": None}, {"invalid": 1}),
        ({"status": 413, "reason": "too_many_rows", "scores": None}, {"invalid": 1}),
        ({"status": 400, "reason": "malformed", "scores": None}, {}),
        ({"status": 415, "reason": "content_type", "scores": None}, {}),
        ({"status": 500, "reason": "score_not_finite", "scores": None}, {"errors": 1, "invalid": 1}),
        ({"scores": (0.4, None)}, {"invalid": 1}),
    ],
)
def test_what_is_wrong_with_a_request_is_counted_by_its_kind(changes: dict[str, Any], expected: dict[str, int]) -> None:
    found = counted(record(START, **changes))
    wrong = {name: getattr(found, name) for name in ("errors", "slow", "invalid") if getattr(found, name)}
    assert (found.requests, wrong) == (1, expected)


@pytest.mark.parametrize(("score", "place"), [(0.25, 0), (0.2500001, 1), (-3.0, 0), (0.75, 2), (7.0, 3)])
def test_scores_fall_into_the_bins_of_the_reference(score: float, place: int) -> None:
    """A bin holds its upper edge, as in the reference that training writes."""
    assert counted(record(START, scores=(score,))).scores.index(1) == place


def test_a_score_from_the_cut_off_on_is_an_action_when_the_plan_has_one() -> None:
    records = [record(START, scores=(score,)) for score in (0.69, 0.7, 0.9)]
    assert counted(*records, plan=ReleasePlan(act_above=0.7)).actions == 2
    assert counted(*records).actions == 0


def test_a_record_belongs_to_the_window_it_was_answered_in_and_between_two_windows_to_nobody() -> None:
    instant = timedelta(milliseconds=1)
    places = {0.0: 0, 10.0: None, 10.5: None, 11.0: 1, 900.0: 1}
    for at, step in places.items():
        found = fold(TWO_STEPS, [record(START + minutes(at))], Tally(), Repeats())
        assert [one.step for one in found.steps] == ([] if step is None else [step])
    for early in (START - instant, START + minutes(11) - instant):
        assert fold(TWO_STEPS, [record(early)], Tally(), Repeats()) == Tally()
    assert fold(TWO_STEPS, [record(START + minutes(10) - instant)], Tally(), Repeats()).at(0).challenger.requests == 1


def test_a_record_of_another_version_belongs_to_no_arm() -> None:
    assert fold(TWO_STEPS, [record(START, OTHER)], Tally(), Repeats()) == Tally()


@pytest.mark.parametrize(
    "changes", [{"synthetic": True}, {"synthetic": True, "status": 500}, {"method": "GET", "path": "/ping"}]
)
def test_checks_never_count_as_requests_but_their_records_show_that_the_log_works(changes: dict[str, Any]) -> None:
    found = counted(record(START, **changes))
    assert (found.requests, found.errors, sum(found.scores), sum(found.recent.values())) == (0, 0, 0, 1)


def test_a_replay_straight_to_the_version_leaves_no_trace_at_all() -> None:
    """No alias passed it on, so the metrics of the alias do not know it either."""
    found = counted(record(START, synthetic=True, direct=True))
    assert (found.requests, found.recent) == (0, {})


def test_a_request_in_parts_counts_once_by_its_first() -> None:
    parts = [record(START, request_id="large", part=part, parts=3, scores=(part / 4,)) for part in (2, 3, 1, 1)]
    found = counted(*parts)
    assert (found.requests, found.scores) == (1, (1, 0, 0, 0))


def test_other_edges_than_before_are_refused() -> None:
    before = fold(TWO_STEPS, [record(START)], Tally(), Repeats())
    other = frame(window(0, 0.05, 0))
    changed = type(other)(other.plan, other.windows, CHALLENGER, CHAMPION, (0.5,))
    with pytest.raises(ValueError, match="4 bins so far, now in 2"):
        fold(changed, [record(START)], before, Repeats())


def shadowed(**changes: Any) -> Prediction:
    """Return an answer of the challenger with the champion's scores of the same two rows beside it."""
    scored = {"bundle": "c" * 64, "scores": (0.5, 0.1)}
    return record(START, **{"rows": 2, "scores": (0.7, 0.2), "shadow": scored, **changes})


def test_rows_that_both_models_scored_are_compared_in_every_part_of_a_request_once() -> None:
    plan = ReleasePlan(act_above=0.6)
    known = replace(frame(window(0, 0.05, 0, 10), plan=plan), bundles=("b" * 64, "c" * 64))
    whole = shadowed(request_id="r-1", parts=2)
    rest = whole.model_copy(update={"part": 2, "first_row": 2})
    records = [
        whole,
        rest,
        rest,
        shadowed(synthetic=True),
        shadowed(function_version=CHAMPION),
        shadowed(shadow={"bundle": "c" * 64, "scores": None, "skipped": "budget"}),
        shadowed(bundle="d" * 64),
        shadowed().model_copy(update={"at": START + minutes(11)}),
        record(START),
    ]
    found = fold(known, records, Tally(), Repeats())
    assert (found.apart.pairs, found.apart.decided, found.apart.flipped) == (4, 4, 2)
    assert found.apart.distance == pytest.approx(0.6)
    again = fold(known, [shadowed()], found, Repeats())
    assert (again.apart.pairs, again.at(0).challenger.requests) == (6, found.at(0).challenger.requests + 1)
    assert fold(frame(window(0, 0.05, 0, 10)), records, Tally(), Repeats()).apart.pairs == 0


some_records = st.lists(
    st.builds(
        lambda at, version, status, score, latency, synthetic: record(
            START + timedelta(seconds=at),
            version,
            status=status,
            scores=(score,) if status == 200 else None,
            latency_ms=latency,
            synthetic=synthetic,
        ),
        st.integers(-60, 1500),
        st.sampled_from([CHAMPION, CHALLENGER, OTHER]),
        st.sampled_from([200, 200, 200, 400, 500]),
        st.floats(0, 1),
        st.floats(0, 900),
        st.booleans(),
    ),
    max_size=60,
)


@given(records=some_records, data=st.data())
def test_order_batches_and_repeats_change_nothing(records: list[Prediction], data: st.DataObject) -> None:
    expected = fold(TWO_STEPS, records, Tally(), Repeats())
    again = data.draw(st.lists(st.sampled_from(records), max_size=20)) if records else []
    shuffled = data.draw(st.permutations([*records, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    repeats, found = Repeats(), Tally()
    for begin, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True):
        found = fold(TWO_STEPS, shuffled[begin:end], found, repeats)
    assert found == expected


@given(records=some_records)
def test_every_live_request_in_a_window_is_counted_once_and_nothing_else(records: list[Prediction]) -> None:
    found = fold(TWO_STEPS, records, Tally(), Repeats())
    inside = [one for one in records if TWO_STEPS.step_of(one.at) is not None and one.function_version != OTHER]
    sums = [arm for step in found.steps for arm in (step.challenger, step.champion)]
    assert sum(arm.requests for arm in sums) == sum(not one.synthetic for one in inside)
    assert sum(sum(arm.recent.values()) for arm in sums) == len(inside)


def test_the_sums_are_as_small_for_a_hundred_thousand_records_as_for_a_hundred() -> None:
    one = record(START + minutes(3))

    def many(number: int) -> Tally:
        stream = (one.model_copy(update={"request_id": f"{i}"}) for i in range(number))
        return fold(TWO_STEPS, stream, Tally(), Repeats(limit=100))

    few, lots = many(100), many(100_000)
    assert lots.at(0).challenger.requests == 100_000
    assert len(lots.model_dump_json()) - len(few.model_dump_json()) < 20
