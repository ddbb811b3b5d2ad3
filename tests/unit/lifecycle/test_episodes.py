"""One breach is one episode, however often it crosses its threshold."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.episodes import Watch, look
from lifecycle.measurement import Measurement, Metric, State
from lifecycle.monitoring import ResponsePolicy

POLICY = ResponsePolicy()
START, HOUR = datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1)
# A threshold of .1 above a usual value of 0: calm is below .08.
SEEN: dict[str, tuple[State, float]] = {
    "!": ("breached", 0.3),
    "w": ("warned", 0.15),
    "~": ("ok", 0.09),
    ".": ("ok", 0.01),
}


def measured(sign: str, metric: Metric = Metric.ERRORS) -> Measurement:
    if sign == "?":
        return Measurement(metric=metric, state="undecidable", n=3)
    state, statistic = SEEN[sign]
    return Measurement(metric=metric, state=state, n=900, statistic=statistic, usual=0.0, threshold=0.1)


def followed(signs: str, metric: Metric = Metric.ERRORS) -> str:
    """Return after each look: `.` no episode, `o` one that does not count yet, `X` one that does."""
    watch, told = Watch(), ""
    for hour, sign in enumerate(signs):
        watch = look(watch, "b", [measured(sign, metric)], POLICY, START + hour * HOUR)
        told += "." if not watch.episodes else "X" if watch.raised else "o"
    return told


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ("..!", "..X"),
        ("!...", "XXX."),
        ("!..!...", "XXXXXX."),
        ("!~~~~~~", "XXXXXXX"),  # near the threshold is not over
        ("!.~.~.~", "XXXXXXX"),
        ("!?????", "XXXXXX"),  # what cannot be judged ends nothing
        ("?w~.", "...."),
    ],
)
def test_a_fault_counts_at_once_and_ends_after_calm(signs: str, expected: str) -> None:
    assert followed(signs) == expected


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ("!!!", "ooX"),
        ("!!.!!", "oo.oo"),
        ("!!~!!", "oo.oo"),
        ("!!w!!", "ooooX"[:2] + "oXX"),
        ("!?!!", "oooX"),
        ("!!!...", "ooXXX."),
    ],
)
def test_drift_counts_after_three_looks_in_a_row(signs: str, expected: str) -> None:
    assert followed(signs, Metric.PSI) == expected


def test_what_a_window_of_labels_says_holds_until_the_next_one_says_otherwise() -> None:
    assert followed("!??~?.!", Metric.PERFORMANCE) == "XXXXX.X"


def test_the_same_look_twice_and_an_older_one_change_nothing() -> None:
    once = look(Watch(), "b", [measured("!", Metric.PSI)], POLICY, START)
    assert look(once, "b", [measured("!", Metric.PSI)], POLICY, START) == once
    assert look(once, "b", [measured("!", Metric.PSI)], POLICY, START - HOUR) == once


def test_another_model_starts_without_the_old_ones_breaches_but_with_those_of_data_and_serving() -> None:
    found = [measured("!", metric) for metric in (Metric.PERFORMANCE, Metric.ERRORS, Metric.MISSING, Metric.PSI)]
    watch = look(Watch(), "b", found, POLICY, START)
    again = look(watch, "c", [], POLICY, START + HOUR)
    assert {one.metric for one in again.episodes} == {Metric.ERRORS, Metric.MISSING}


def test_the_worst_is_kept_beside_the_last() -> None:
    watch = look(Watch(), "b", [measured("!")], POLICY, START)
    worse = measured("!").model_copy(update={"statistic": 0.9})
    for hour, found in enumerate([worse, measured("w")], 1):
        watch = look(watch, "b", [found], POLICY, START + hour * HOUR)
    (episode,) = watch.episodes
    assert (episode.worst.statistic, episode.last.statistic, episode.since) == (0.9, 0.15, START)
    assert Watch.model_validate_json(watch.model_dump_json()) == watch


def test_being_blind_is_remembered_from_its_first_look_until_something_is_seen() -> None:
    watch, told = Watch(), []
    for hour, blind in enumerate((False, True, True, False, True)):
        watch = look(watch, "b", [], POLICY, START + hour * HOUR, blind=blind)
        told.append(watch.blind_since)
    assert told == [None, START + HOUR, START + HOUR, None, START + 4 * HOUR]
