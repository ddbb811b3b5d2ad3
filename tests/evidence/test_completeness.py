"""Sums and metrics to evidence: an arm whose log is short is unknown, and crashes are requests as well."""

from collections.abc import Sequence

import pytest

from lifecycle.completeness import LAG, Metrics, Minute, evidence_of
from lifecycle.counting import Frame, fold
from lifecycle.evidence import Arm, Evidence, StepEvidence
from lifecycle.predictions import Repeats
from lifecycle.tally import Tally
from tests.evidence.records import CHALLENGER, CHAMPION, START, frame, minutes, record, window

OPEN = frame(window(0, 0.5, 0))
FIRST = int(START.timestamp()) // 60
UNKNOWN = Arm()


def logged(per_minute: Sequence[int], *, version: str = CHALLENGER, of: Frame = OPEN) -> Tally:
    """Return the sums of so many records in each minute after START, in the middle of the minute."""
    stream = (record(START + minutes(at + 0.5), version) for at, times in enumerate(per_minute) for _ in range(times))
    return fold(of, stream, Tally(), Repeats())


def metrics(per_minute: Sequence[int], errors: Sequence[int] = (), *, version: str = CHALLENGER) -> Metrics:
    """Return what CloudWatch says of each minute after START."""
    wrong = [*errors, *[0] * len(per_minute)]
    return {version: {FIRST + at: Minute(times, wrong[at]) for at, times in enumerate(per_minute)}}


def challenger(tally: Tally, told: Metrics | None, now: float, *, of: Frame = OPEN, step: int = 0) -> Arm:
    """Return the evidence of the challenger so many minutes after START."""
    found = evidence_of(of, tally, told, START + minutes(now), Evidence()).at(step)
    assert found is not None
    return found.challenger


def test_a_log_that_tells_what_the_metrics_count_is_evidence() -> None:
    assert challenger(logged([100] * 6), metrics([100] * 6), 6).requests == 600


@pytest.mark.parametrize(("records", "known"), [(100, True), (99, True), (98, False), (50, False), (0, False)])
def test_below_99_percent_of_the_invocations_nothing_of_the_arm_is_known(records: int, known: bool) -> None:  # noqa: FBT001
    found = challenger(logged([records]), metrics([100]), 1 + LAG.total_seconds() / 60)
    assert (found != UNKNOWN, found.requests) == (known, records if known else None)


def test_a_hole_in_the_log_is_seen_however_much_comes_after_it() -> None:
    assert challenger(logged([100, 0, 0, 100, 100, 100]), metrics([100] * 6), 6) == UNKNOWN


def test_minutes_that_may_still_come_are_no_hole() -> None:
    assert challenger(logged([100, 100, 100]), metrics([100] * 6), 6).requests == 300


def test_metrics_that_lag_behind_the_log_are_no_shortage() -> None:
    assert challenger(logged([100] * 6), metrics([100, 100]), 6).requests == 600


def test_without_any_metrics_nothing_is_known() -> None:
    assert challenger(logged([100] * 6), None, 6) == UNKNOWN
    assert challenger(logged([100] * 6), {}, 6) == UNKNOWN


def test_a_log_that_is_silent_while_the_alias_answers_is_unknown_at_once() -> None:
    assert challenger(Tally(), metrics([0, 3]), 2) == UNKNOWN


def test_no_records_and_no_invocations_are_no_traffic() -> None:
    found = challenger(Tally(), {}, 60)
    assert (found.requests, found.errors, found.scores) == (0, 0, (0, 0, 0, 0))


def test_crashes_are_requests_and_errors_though_the_log_never_heard_of_them() -> None:
    found = challenger(logged([90] * 6), metrics([100] * 6, errors=[10] * 6), 6)
    assert (found.requests, found.errors) == (600, 60)


def test_what_comes_late_ends_an_outage() -> None:
    """Both kinds of late: the log's records, and what the metrics said before they were lost."""
    told, now = metrics([100] * 10), START + minutes(10)
    short = evidence_of(OPEN, logged([100, 0, 0, 0, 100, 100]), told, now, Evidence())
    late = (record(START + minutes(at + 0.5)) for at in (1, 2, 3, 6, 7, 8, 9) for _ in range(100))
    whole = fold(OPEN, late, short.tally, Repeats())
    after = evidence_of(OPEN, whole, told, now + minutes(5), short)
    assert (short.steps[0].challenger, after.steps[0].challenger.requests) == (UNKNOWN, 1000)


def test_metrics_that_were_lost_take_nothing_back() -> None:
    now = START + minutes(6)
    before = evidence_of(OPEN, logged([90] * 6), metrics([100] * 6, errors=[10] * 6), now, Evidence())
    after = evidence_of(OPEN, before.tally, {}, now, before)
    assert after == before


def test_only_whole_minutes_of_a_window_are_held_against_the_log() -> None:
    """The half minute before the window had other traffic, and so has the one after it."""
    part = frame(window(0, 0.5, 0.5, 2.5))
    tally = fold(part, [record(START + minutes(1.5)) for _ in range(100)], Tally(), Repeats())
    assert challenger(tally, metrics([900, 100, 900]), 10, of=part).requests == 100


def test_a_crash_belongs_to_the_step_that_has_most_of_its_minute() -> None:
    both = frame(window(0, 0.05, 0, 1.25), window(1, 0.5, 1.5, 2.2), window(2, 1.0, 2.3))
    told = metrics([0, 0, 0, 0], errors=[1, 10, 100, 1000])
    found = [challenger(Tally(), told, 4, of=both, step=step).errors for step in (0, 1, 2)]
    assert found == [1, 10, 1100]


def test_both_arms_are_judged_by_their_own_metrics() -> None:
    stream = [record(START + minutes(0.5), version) for version in (CHALLENGER, CHAMPION) for _ in range(100)]
    told = {**metrics([100]), **metrics([200], version=CHAMPION)}
    found = evidence_of(OPEN, fold(OPEN, stream, Tally(), Repeats()), told, START + minutes(5), Evidence()).at(0)
    assert found is not None
    assert (found.challenger.requests, found.champion) == (100, UNKNOWN)


def test_replays_labels_and_alarms_known_before_stay() -> None:
    before = Evidence(steps=(StepEvidence(step=0, weight=0.5, replayed=80),), alarms=("errors",))
    found = evidence_of(OPEN, logged([5]), metrics([5]), START + minutes(1), before)
    assert (found.steps[0].replayed, found.steps[0].challenger.requests, found.alarms) == (80, 5, ("errors",))


def test_evidence_survives_being_written_down() -> None:
    found = evidence_of(OPEN, logged([90] * 6), metrics([100] * 6, errors=[10] * 6), START + minutes(6), Evidence())
    assert Evidence.model_validate_json(found.model_dump_json()) == found


def test_records_of_a_part_of_a_minute_fill_no_hole_in_the_minutes_after_it() -> None:
    part = frame(window(0, 0.5, 0.25))
    tally = logged([100, 50], of=part)
    assert challenger(tally, metrics([120, 100]), 6, of=part) == UNKNOWN
