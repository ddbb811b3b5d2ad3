"""From log lines to the end of a release, on a simulated clock."""

from datetime import timedelta

import pytest

from lifecycle.release_plan import ReleasePlan
from tests.evidence.simulation import Model, Release, World

HOUR = 60


def told(release: Release) -> list[tuple[str, str | None]]:
    return [(str(reason.code), reason.column) for reason in release.verdicts[-1].reasons]


def test_a_healthy_challenger_goes_through_every_step_and_is_promoted() -> None:
    release = Release(World())
    assert release.run(HOUR).action == "promote"
    assert [one.action for one in release.verdicts if one.action != "hold"] == ["advance"] * 3 + ["promote"]
    assert [window.weight for window in release.windows] == [0.05, 0.25, 0.5, 1.0]
    for window, following in zip(release.windows, release.windows[1:], strict=False):
        assert window.until is not None
        assert window.until < following.since


def test_every_request_of_a_window_is_counted_once_in_spite_of_repeats() -> None:
    release = Release(World())
    release.run(HOUR)
    looked = [release.now - timedelta(minutes=back, seconds=55) for back in range(len(release.verdicts))]
    minutes = [
        sum(window.since <= begin < (window.until or release.now) for begin in looked) for window in release.windows
    ]
    sums = [(step.challenger.requests or 0) + (step.champion.requests or 0) for step in release.evidence.steps]
    assert sums == [400 * number for number in minutes]


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        (Model(errors=0.05), ("HARM", "errors")),
        (Model(errors=0.0, crashes=0.05), ("HARM", "errors")),
        (Model(slow=0.06), ("HARM", "slow")),
    ],
)
def test_harm_is_taken_back_with_its_name(challenger: Model, reason: tuple[str, str]) -> None:
    release = Release(World(challenger))
    assert release.run(2 * HOUR).action == "roll_back"
    assert told(release) == [reason]


def test_shifted_scores_with_every_answer_200_wait_for_a_person_and_no_deadline_ends_them() -> None:
    plan = ReleasePlan(bake_time=timedelta(minutes=6), deadline=timedelta(minutes=30))
    release = Release(World(Model(errors=0, scores=(5, 2)), Model(errors=0), plan=plan))
    assert release.run(HOUR).action == "hold"
    assert told(release) == [("SCORES_SHIFTED", "scores")]
    assert {one.action for one in release.verdicts} == {"hold"}
    release.progress = release.progress.model_copy(update={"approved": True})
    assert release.look().action == "advance"


@pytest.mark.parametrize("split", [3.0, 0.2])
def test_a_broken_split_is_taken_back(split: float) -> None:
    release = Release(World(split=split))
    assert release.run(2 * HOUR).action == "roll_back"
    assert told(release) == [("SPLIT_BROKEN", "requests")]


def test_no_traffic_holds_for_days_and_is_replayed_once_and_never_a_success() -> None:
    release = Release(World(per_minute=0, plan=ReleasePlan(deadline=timedelta(minutes=20))))
    release.run(10)
    assert (release.verdicts[-1].replay_due, told(release)) == (True, [("NO_TRAFFIC", "requests")])
    release.replayed(100)
    release.run(5 * HOUR)
    assert {one.action for one in release.verdicts} == {"hold"}
    assert release.verdicts[-1].replay_due is False
    assert release.verdicts[-1].reasons[0].found == "no live request; 100 replayed"


def test_traffic_that_comes_at_last_is_judged() -> None:
    release = Release(World(per_minute=0))
    release.run(30)
    release.world = World()
    assert release.run(2 * HOUR).action == "promote"


def test_a_log_outage_holds_and_the_release_goes_on_when_the_log_has_caught_up() -> None:
    release = Release(World(silent=(10, 30)))
    for _ in range(30):
        release.look()
    assert release.verdicts[-1].action == "hold"
    assert {code for code, _ in told(release)} == {"METRIC_MISSING"}
    before = release.progress.step
    assert release.run(2 * HOUR).action == "promote"
    assert release.verdicts[30].action != "roll_back"
    assert before < release.progress.step


def test_an_outage_of_the_log_from_the_first_minute_is_no_lack_of_traffic() -> None:
    release = Release(World(silent=(0, 20)))
    for _ in range(20):
        release.look()
    assert ("METRIC_MISSING", "requests") in told(release)
    assert not any(one.replay_due for one in release.verdicts)
    assert release.run(2 * HOUR).action == "promote"


def test_a_log_that_never_comes_back_ends_at_the_deadline() -> None:
    plan = ReleasePlan(bake_time=timedelta(minutes=6), deadline=timedelta(minutes=60))
    release = Release(World(silent=(8, 10_000), plan=plan))
    assert release.run(3 * HOUR).action == "roll_back"
    assert told(release)[0] == ("DEADLINE", None)


def test_harm_hidden_by_an_outage_is_found_when_the_records_come() -> None:
    release = Release(World(Model(errors=0.3), silent=(0, 40)))
    for _ in range(40):
        release.look()
    assert {one.action for one in release.verdicts} == {"hold"}
    assert release.look().action == "roll_back"
    assert told(release)[0] == ("HARM", "errors")
