"""What follows from a breach: a truth table, a flapping metric, the breaker."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.causes import Cause
from lifecycle.episodes import Episode, Watch, look
from lifecycle.measurement import Measurement, Metric
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy, ResponsePolicy
from lifecycle.response import Action, Ground, Outcome, Response, Situation, Taken, breaker_open_until, respond

START, HOUR, DAY = datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1), timedelta(days=1)
NOW = START + 30 * DAY
LABELLED = MonitorPolicy(outcomes=OutcomePolicy(due=7 * DAY))
UNLABELLED = MonitorPolicy()
SERVING = replace(Situation(Watch()), serving_since=START, can_go_back=True)


def measured(metric: Metric, state: str = "breached", statistic: float = 0.3) -> Measurement:
    fields: dict[str, Any] = {"state": state, "statistic": statistic, "usual": 0.0, "threshold": 0.1, "chance": 0.02}
    return Measurement(metric=metric, n=900, power=0.99, **fields)


def raised(*metrics: Metric, since: datetime = NOW) -> Watch:
    found = [
        Episode(metric=one, since=since, raised_at=since, worst=measured(one), last=measured(one)) for one in metrics
    ]
    return Watch(bundle="b", looked_at=NOW, episodes=tuple(found))


def decided(*metrics: Metric, policy: MonitorPolicy = LABELLED, **changes: Any) -> Response:
    situation = replace(SERVING, watch=raised(*metrics, since=changes.pop("since", NOW)), **changes)
    return respond(policy, situation, NOW)


def asked(hours_ago: float, outcome: Outcome = "refused") -> Taken:
    at = NOW - hours_ago * HOUR
    return Taken(at=at, action="retrain", cause=Cause.PERFORMANCE, key=f"retrain/earlier/{at}", outcome=outcome)


FITTING: list[tuple[tuple[Metric, ...], MonitorPolicy, Action, Cause]] = [
    ((), LABELLED, "nothing", Cause.NONE),
    ((Metric.MISSING,), LABELLED, "quarantine_and_notify", Cause.DATA_FAULT),
    ((Metric.UNSEEN,), LABELLED, "quarantine_and_notify", Cause.DATA_FAULT),
    ((Metric.CLUMP,), LABELLED, "quarantine_and_notify", Cause.DATA_FAULT),
    ((Metric.REFUSED,), LABELLED, "quarantine_and_notify", Cause.DATA_FAULT),
    ((Metric.PERFORMANCE,), LABELLED, "retrain", Cause.PERFORMANCE),
    ((Metric.CALIBRATION,), LABELLED, "retrain", Cause.PERFORMANCE),
    ((Metric.ESTIMATE,), LABELLED, "retrain", Cause.ESTIMATE),
    ((Metric.PSI, Metric.SCORES), LABELLED, "notify", Cause.DRIFT),
    ((Metric.PSI, Metric.SCORES), UNLABELLED, "retrain", Cause.DRIFT),
    ((Metric.UNLABELLED,), LABELLED, "notify", Cause.LABEL_OUTAGE),
    ((Metric.COLD,), LABELLED, "notify", Cause.CAPACITY),
    # one explains the other
    ((Metric.PERFORMANCE, Metric.MISSING), LABELLED, "quarantine_and_notify", Cause.DATA_FAULT),
    ((Metric.PSI, Metric.PERFORMANCE), LABELLED, "retrain", Cause.PERFORMANCE),
    ((Metric.UNLABELLED, Metric.PSI), LABELLED, "notify", Cause.LABEL_OUTAGE),
    ((Metric.MISSING, Metric.ERRORS), LABELLED, "notify", Cause.SERVING_FAULT),
]


@pytest.mark.parametrize(("metrics", "policy", "action", "cause"), FITTING)
def test_the_action_fits_the_cause(
    metrics: tuple[Metric, ...], policy: MonitorPolicy, action: Action, cause: Cause
) -> None:
    found = decided(*metrics, policy=policy)
    assert (found.action, found.cause) == (action, cause)


@pytest.mark.parametrize(
    ("changes", "action", "ground"),
    [
        ({"since": START + 2 * HOUR}, "roll_back", Ground.RELEASED_JUST_BEFORE),
        ({"since": START + 2 * DAY}, "notify", Ground.NOT_THE_RELEASE),
        ({"since": START - HOUR}, "notify", Ground.NOT_THE_RELEASE),  # it was there before the release
        ({"since": START + HOUR, "can_go_back": False}, "notify", Ground.NOT_THE_RELEASE),
        ({"since": START + HOUR, "serving_since": None}, "notify", Ground.NOT_THE_RELEASE),
    ],
)
def test_a_serving_fault_takes_back_the_release_it_came_with(
    changes: dict[str, Any], action: Action, ground: Ground
) -> None:
    found = decided(Metric.ERRORS, **changes)
    assert (found.action, found.grounds[0]) == (action, ground)


def test_a_release_is_taken_back_once() -> None:
    gone = Taken(at=START + 2 * HOUR, action="roll_back", cause=Cause.SERVING_FAULT, key="earlier")
    found = decided(Metric.ERRORS, since=START + 3 * HOUR, taken=(gone,))
    assert (found.action, found.grounds) == ("notify", (Ground.ROLLED_BACK_ALREADY,))


@pytest.mark.parametrize(
    ("taken", "changes", "action", "ground"),
    [
        ((), {}, "retrain", Ground.MODEL_SUFFERS),
        ((), {"busy": True}, "nothing", Ground.UNDER_WAY),
        ((asked(1, "pending"),), {}, "nothing", Ground.UNDER_WAY),
        ((asked(11),), {}, "nothing", Ground.COOLING_DOWN),
        ((asked(12),), {}, "retrain", Ground.MODEL_SUFFERS),
        ((asked(24), asked(12)), {}, "notify", Ground.BUDGET_SPENT),
        ((asked(25), asked(13)), {}, "retrain", Ground.MODEL_SUFFERS),
        ((asked(80), asked(60), asked(40)), {}, "notify", Ground.BREAKER_OPEN),
        ((asked(80), asked(60, "promoted"), asked(40)), {}, "retrain", Ground.MODEL_SUFFERS),
        ((asked(500), asked(300), asked(24 * 7)), {}, "retrain", Ground.MODEL_SUFFERS),  # it has rested
        ((asked(500), asked(300), asked(24 * 7), asked(30)), {}, "notify", Ground.BREAKER_OPEN),  # and failed again
        ((), {"frozen": True}, "notify", Ground.FROZEN),
    ],
)
def test_a_training_is_asked_for_only_as_often_as_it_may(
    taken: tuple[Taken, ...], changes: dict[str, Any], action: Action, ground: Ground
) -> None:
    found = decided(Metric.PERFORMANCE, taken=taken, **changes)
    assert (found.action, found.grounds[0]) == (action, ground)


@pytest.mark.parametrize("metric", [Metric.ERRORS, Metric.MISSING, Metric.PERFORMANCE, Metric.PSI])
def test_a_freeze_stops_everything_but_the_telling(metric: Metric) -> None:
    found = decided(metric, frozen=True, since=START + HOUR)
    assert (found.action, found.grounds[0]) == ("notify", Ground.FROZEN)


def test_a_breach_that_calms_down_is_not_answered_again() -> None:
    (episode,) = raised(Metric.PERFORMANCE).episodes
    calming = episode.model_copy(update={"last": measured(Metric.PERFORMANCE, "ok", 0.01), "calm": 1})
    found = respond(LABELLED, replace(SERVING, watch=Watch(bundle="b", looked_at=NOW, episodes=(calming,))), NOW)
    assert (found.action, found.grounds) == ("nothing", (Ground.CALM,))


def test_the_same_decision_has_the_same_key_and_is_carried_out_once() -> None:
    first = decided(Metric.MISSING)
    assert decided(Metric.MISSING) == first
    done = Taken(at=NOW, action=first.action, cause=first.cause, key=first.key)
    again = decided(Metric.MISSING, taken=(done,))
    assert (again.action, again.grounds) == ("nothing", (Ground.TOLD_ALREADY, Ground.DATA_IS_WRONG))


def test_the_next_training_of_a_breach_that_lasts_is_another_decision() -> None:
    first = decided(Metric.PERFORMANCE)
    done = Taken(at=NOW - DAY, action="retrain", cause=first.cause, key=first.key, outcome="refused")
    assert decided(Metric.PERFORMANCE, taken=(done,)).key == first.key.removesuffix("/0") + "/1"


def test_a_look_that_could_judge_nothing_is_told_once() -> None:
    blind = replace(SERVING, watch=Watch(blind_since=NOW))
    found = respond(LABELLED, blind, NOW)
    assert (found.action, found.cause, found.grounds) == ("notify", Cause.BLIND, (Ground.NOTHING_TO_JUDGE,))
    told = Taken(at=NOW, action="notify", cause=Cause.BLIND, key=found.key)
    assert respond(LABELLED, replace(blind, taken=(told,)), NOW + HOUR).action == "nothing"


@pytest.mark.parametrize("pattern", ["!~", "!.", "!...", "!!!......", "!" + "." * 11, "!~~.!...."])
@pytest.mark.parametrize("minutes", [5, 60])
@pytest.mark.parametrize("outcome", ["refused", "promoted", "failed"])
def test_a_metric_that_flaps_for_a_day_asks_for_at_most_two_trainings(
    pattern: str, minutes: int, outcome: Outcome
) -> None:
    watch, taken, retrains = Watch(), [], 0
    signs = {"!": measured(Metric.PERFORMANCE), "~": measured(Metric.PERFORMANCE, "ok", 0.09)}
    for at in range(24 * 60 // minutes + 1):
        now = START + at * timedelta(minutes=minutes)
        bundle = f"b{retrains}" if outcome == "promoted" else "b"
        sign = signs.get(pattern[at % len(pattern)], measured(Metric.PERFORMANCE, "ok", 0.01))
        watch = look(watch, bundle, [sign], LABELLED.respond, now)
        found = respond(LABELLED, replace(SERVING, watch=watch, taken=tuple(taken)), now)
        if found.action != "nothing":
            came = outcome if found.action == "retrain" else None
            taken.append(Taken(at=now, action=found.action, cause=found.cause, key=found.key, outcome=came))
        retrains += found.action == "retrain"
    assert 1 <= retrains <= 2
    assert len(taken) <= 4  # and people are not told all day either


def test_three_refused_challengers_open_the_breaker_until_it_has_rested() -> None:
    watch, taken, told = raised(Metric.PERFORMANCE, since=START), [], []
    for hour in range(24 * 14):
        now = START + hour * HOUR
        found = respond(LABELLED, replace(SERVING, watch=watch, taken=tuple(taken)), now)
        if found.action != "nothing":
            came: Outcome | None = "refused" if found.action == "retrain" else None
            taken.append(Taken(at=now, action=found.action, cause=found.cause, key=found.key, outcome=came))
            told.append((hour, found.action, found.grounds[0]))
    assert [hour for hour, action, _ in told if action == "retrain"] == [0, 12, 25, 25 + 24 * 7]
    assert [hour for hour, _, ground in told if ground is Ground.BREAKER_OPEN] == [26, 26 + 24 * 7]
    assert breaker_open_until(taken, ResponsePolicy()) == START + (25 + 2 * 24 * 7) * HOUR


def test_a_decision_reads_as_a_sentence() -> None:
    assert str(decided(Metric.PERFORMANCE)) == (
        "retrain (performance; MODEL_SUFFERS). performance breached: found 0.3, expected at most 0.1 "
        "(n = 900, by chance up to 0.02, power 0.99)."
    )
