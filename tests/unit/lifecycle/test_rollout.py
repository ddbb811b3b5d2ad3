"""Verdicts of a release: a truth table, and what must hold for any counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.evidence import GUARDS, Arm, Evidence, StepEvidence
from lifecycle.pairs import Disagreement
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress, Verdict, advance
from lifecycle.sequential import PairedBets

PLAN = ReleasePlan()
START = datetime(2026, 3, 1, tzinfo=UTC)
BAKED, LATE = START + PLAN.bake_time, START + PLAN.deadline
TOWARDS_PROMOTION = {"roll_back": 0, "hold": 1, "advance": 2, "promote": 2}


def arm(requests: int, /, **changes: Any) -> Arm:
    usual = {"errors": requests // 250, "slow": requests // 50, "invalid": 0, "scores": (requests // 4,) * 4}
    return Arm(**{"requests": requests, **usual, **changes})


def at(step: int, ours: Arm | None = None, theirs: Arm | None = None, **changes: Any) -> StepEvidence:
    weight = PLAN.weight(step)
    fields = {"challenger": ours or arm(round(8000 * weight)), "champion": theirs or arm(round(8000 * (1 - weight)))}
    return StepEvidence(**{"step": step, "weight": weight, **fields, **changes})


def judge(*steps: StepEvidence, step: int = 0, now: datetime = BAKED, **changes: Any) -> Verdict:
    labels, alarms = changes.pop("labels", None), changes.pop("alarms", ())
    progress = Progress(step=step, since=START, **changes)
    return advance(PLAN, progress, Evidence(steps=steps, labels=labels, alarms=alarms), now)


def told(verdict: Verdict) -> tuple[str, list[tuple[str, str | None]]]:
    return verdict.action, [(str(reason.code), reason.column) for reason in verdict.reasons]


def codes(verdict: Verdict) -> set[str]:
    return {str(reason.code) for reason in verdict.reasons}


def test_a_step_without_a_finding_is_passed_and_the_next_one_begins_now() -> None:
    found = judge(at(0))
    assert told(found) == ("advance", [("STEP_PASSED", None)])
    assert found.progress == Progress(step=1, since=BAKED)


def test_the_last_step_promotes() -> None:
    found = judge(at(0), at(1), at(2), at(3), step=3)
    assert (told(found), found.progress) == (("promote", [("ALL_STEPS_PASSED", None)]), None)


def test_a_first_model_is_judged_at_full_weight_alone() -> None:
    plan = ReleasePlan(steps=(100,))
    only = StepEvidence(step=0, weight=1.0, challenger=arm(400), champion=Arm(requests=0))
    assert advance(plan, Progress(since=START), Evidence(steps=(only,)), BAKED).action == "promote"


@pytest.mark.parametrize(
    ("step", "ours", "reason"),
    [
        (0, arm(400, errors=16), ("HARM", "errors")),
        (0, arm(400, slow=40), ("HARM", "slow")),
        (0, arm(400, invalid=20), ("HARM", "invalid")),
        (0, arm(1200), ("SPLIT_BROKEN", "requests")),
        (0, arm(100), ("SPLIT_BROKEN", "requests")),
        (3, arm(8000, errors=800), ("CEILING", "errors")),
        (3, arm(8000, slow=1600), ("CEILING", "slow")),
        (3, arm(8000, invalid=800), ("CEILING", "invalid")),
    ],
)
def test_harm_takes_it_back_at_any_moment_whoever_holds_it(step: int, ours: Arm, reason: tuple[str, str]) -> None:
    for now in (START, BAKED, LATE):
        for word in ({}, {"held": True}, {"approved": True}):
            found = judge(at(step, ours), step=step, now=now, **word)
            assert (told(found), found.progress) == (("roll_back", [reason]), None)


def test_a_broken_split_voids_all_other_evidence() -> None:
    found = judge(at(0, arm(1200, errors=400, slow=800)))
    assert told(found) == ("roll_back", [("SPLIT_BROKEN", "requests")])


def test_harm_of_an_earlier_step_is_not_forgotten() -> None:
    assert told(judge(at(0, arm(400, errors=24)), at(1), step=1)) == ("roll_back", [("HARM", "errors")])


def test_an_outage_of_both_arms_is_not_the_challengers() -> None:
    assert judge(at(0, arm(400, errors=200), arm(7600, errors=3800))).action == "advance"


def test_an_alarm_takes_it_back() -> None:
    assert told(judge(at(0), alarms=("errors",))) == ("roll_back", [("ALARM", "errors")])


def test_a_larger_loss_on_labels_takes_it_back_and_leaning_to_it_holds() -> None:
    sure = PairedBets(margin=0.002).after(np.full(400, 0.1))
    leaning = PairedBets(margin=0.002).after(np.full(60, 0.1))
    assert told(judge(at(0), labels=sure)) == ("roll_back", [("WORSE_LABELS", "labels")])
    assert told(judge(at(0), labels=leaning)) == ("hold", [("LEANS_TO_HARM", "labels")])
    assert judge(at(0), labels=PairedBets().after(np.full(400, -0.1))).action == "advance"


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (at(0, arm(400, errors=8)), ("LEANS_TO_HARM", "errors")),
        (at(0, arm(150), arm(2850)), ("TOO_FEW_REQUESTS", "requests")),
        (at(0, arm(400, scores=(10, 10, 10, 10))), ("TOO_FEW_SCORES", "scores")),
        (at(0, arm(400, slow=None)), ("METRIC_MISSING", "slow")),
        (at(0, None, arm(7600, scores=None)), ("METRIC_MISSING", "scores")),
        (at(0, arm(400, requests=None)), ("METRIC_MISSING", "requests")),
        (at(0, None, arm(7600, errors=7601)), ("METRIC_CONTRADICTS", None)),
        (at(0, weight=0.051), ("WEIGHT_DIFFERS", None)),
        (at(1), ("METRIC_MISSING", None)),
    ],
)
def test_doubt_holds_and_goes_back_at_the_deadline(evidence: StepEvidence, reason: tuple[str, str | None]) -> None:
    held, late = judge(evidence), judge(evidence, now=LATE)
    assert held.action == "hold"
    assert reason in told(held)[1]
    assert (late.action, told(late)[1][0]) == ("roll_back", ("DEADLINE", None))
    assert judge(evidence, now=LATE, held=True).action == "hold"


def test_a_metric_missing_from_an_earlier_step_holds_too() -> None:
    found = judge(at(0, arm(400, errors=None)), at(1), step=1)
    assert told(found) == ("hold", [("METRIC_MISSING", "errors")])


def test_before_its_bake_time_is_over_a_step_holds() -> None:
    for early in (timedelta(seconds=1), PLAN.bake_time, timedelta(days=2)):
        assert told(judge(at(0), now=BAKED - early)) == ("hold", [("BAKING", None)])


def test_no_traffic_holds_without_end_and_wants_a_replay_once_it_baked() -> None:
    silent = at(0, arm(0), arm(0))
    found = [judge(silent, now=now) for now in (START, BAKED, LATE)]
    assert [(verdict.action, verdict.replay_due) for verdict in found] == [
        ("hold", False),
        ("hold", True),
        ("hold", True),
    ]
    replayed = judge(silent.model_copy(update={"replayed": 500}), now=LATE)
    assert told(replayed) == ("hold", [("NO_TRAFFIC", "requests")])
    assert (replayed.replay_due, replayed.reasons[0].found) == (False, "no live request; 500 replayed")


def test_shifted_scores_wait_for_a_person_beyond_the_deadline() -> None:
    shifted = at(0, arm(400, scores=(10, 40, 150, 200)))
    for now in (BAKED, LATE):
        assert told(judge(shifted, now=now)) == ("hold", [("SCORES_SHIFTED", "scores")])
    assert judge(shifted, approved=True).action == "advance"


def test_a_person_does_not_wait_for_evidence_that_never_came() -> None:
    shifted = at(0, arm(400, scores=(10, 40, 150, 200), errors=8))
    assert codes(judge(shifted)) == {"LEANS_TO_HARM", "SCORES_SHIFTED"}
    assert judge(shifted, now=LATE).action == "roll_back"


@pytest.mark.parametrize("ours", [2, 80])
def test_actions_are_watched_in_both_directions_when_the_plan_says_so(ours: int) -> None:
    plan = ReleasePlan(act_above=0.5)
    evidence = Evidence(steps=(at(0, arm(400, actions=ours), arm(7600, actions=760)),))
    found = advance(plan, Progress(since=START), evidence, BAKED)
    assert told(found) == ("hold", [("ACTIONS_SHIFTED", "actions")])
    assert advance(PLAN, Progress(since=START), evidence, BAKED).action == "advance"
    unknown = advance(plan, Progress(since=START), Evidence(steps=(at(0),)), BAKED)
    assert ("METRIC_MISSING", "actions") in told(unknown)[1]


@pytest.mark.parametrize(
    ("apart", "action", "code"),
    [
        (Disagreement(pairs=400, distance=9.0, decided=400, flipped=40), "advance", "STEP_PASSED"),
        (Disagreement(pairs=400, distance=9.0, decided=400, flipped=41), "hold", "DECISIONS_DIFFER"),
        (Disagreement(pairs=199, distance=9.0, decided=199, flipped=0), "hold", "TOO_FEW_PAIRS"),
        (Disagreement(pairs=400, distance=9.0), "hold", "TOO_FEW_PAIRS"),
        (None, "hold", "TOO_FEW_PAIRS"),
    ],
)
def test_rows_both_models_decide_differently_are_a_persons_business_where_the_plan_says_so(
    apart: Disagreement | None, action: str, code: str
) -> None:
    plan = ReleasePlan(max_flipped=0.1)
    evidence = Evidence(steps=(at(0),), disagreement=apart)
    found = advance(plan, Progress(since=START), evidence, BAKED)
    assert (found.action, codes(found)) == (action, {code})
    assert advance(PLAN, Progress(since=START), evidence, BAKED).action == "advance"
    assert advance(plan, Progress(since=START, approved=True), evidence, BAKED).action == "advance"
    late = advance(plan, Progress(since=START), evidence, LATE)
    assert late.action == {"TOO_FEW_PAIRS": "roll_back", "DECISIONS_DIFFER": "hold"}.get(code, "advance")


def test_a_held_release_goes_on_when_it_is_let_go() -> None:
    assert told(judge(at(0), held=True)) == ("hold", [("HELD", None)])


def test_half_of_the_requests_at_the_champion_break_full_weight() -> None:
    assert told(judge(at(3, arm(4000), arm(4000)), step=3)) == ("roll_back", [("SPLIT_BROKEN", "requests")])


def test_a_step_beyond_the_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="the plan has 4 steps"):
        judge(at(0), step=4)


@st.composite
def some_steps(draw: st.DrawFn) -> list[StepEvidence]:
    """Any counts that can be, for every step up to some step."""

    def counted(requests: int) -> Arm:
        bad = {guard: draw(st.integers(0, requests // 5)) for guard in GUARDS}
        return arm(requests, **bad, scores=tuple(draw(st.integers(0, 400)) for _ in range(4)))

    last = draw(st.integers(0, PLAN.last))
    sizes = [(draw(st.integers(0, 600)), draw(st.integers(0, 8000))) for _ in range(last + 1)]
    return [at(step, counted(ours), counted(theirs)) for step, (ours, theirs) in enumerate(sizes)]


moments = st.sampled_from([START, BAKED, LATE])


@settings(max_examples=150, deadline=None)
@given(some_steps(), moments, st.sampled_from(GUARDS), st.data())
def test_more_harm_never_moves_the_verdict_towards_promotion(
    steps: list[StepEvidence], now: datetime, guard: str, data: Any
) -> None:
    last = len(steps) - 1
    hurt = data.draw(st.integers(0, last))
    ours = steps[hurt].challenger
    bad = data.draw(st.integers(getattr(ours, guard), ours.requests or 0))
    worse = [*steps]
    worse[hurt] = steps[hurt].model_copy(update={"challenger": ours.model_copy(update={guard: bad})})
    before, after = judge(*steps, step=last, now=now), judge(*worse, step=last, now=now)
    assert TOWARDS_PROMOTION[after.action] <= TOWARDS_PROMOTION[before.action]


@settings(max_examples=150, deadline=None)
@given(some_steps(), moments, st.randoms())
def test_the_order_in_which_steps_are_told_changes_nothing(
    steps: list[StepEvidence], now: datetime, random: Any
) -> None:
    shuffled = [*steps]
    random.shuffle(shuffled)
    before, after = (judge(*each, step=len(steps) - 1, now=now) for each in (steps, shuffled))
    assert (before.action, sorted(map(str, before.reasons))) == (after.action, sorted(map(str, after.reasons)))


@settings(max_examples=150, deadline=None)
@given(some_steps(), moments, st.sampled_from(["requests", *GUARDS, "scores"]), st.data())
def test_a_missing_metric_never_passes(steps: list[StepEvidence], now: datetime, metric: str, data: Any) -> None:
    gap = data.draw(st.integers(0, len(steps) - 1))
    holed = [*steps]
    challenger = steps[gap].challenger.model_copy(update={metric: None})
    holed[gap] = steps[gap].model_copy(update={"challenger": challenger})
    assert judge(*holed, step=len(steps) - 1, now=now).action in {"hold", "roll_back"}
