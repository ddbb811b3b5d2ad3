"""One look at a product: what is found, what could not be looked at, and how loud that is."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lifecycle.examination import Examination, Labelled, Windows, Yardstick, examine
from lifecycle.measurement import Gap, Metric
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy
from lifecycle.performance import Outcomes
from lifecycle.profiles import Reference
from lifecycle.sketch import Sketch, empty
from tests.unit.lifecycle.worlds import NOTHING, Changed, draw, reference, served, window

KNOWN = reference()
POLICY = MonitorPolicy(outcomes=OutcomePolicy(due=timedelta(days=7), resamples=200))
NOW = datetime(2026, 3, 20, tzinfo=UTC)
SILENCE = empty("b" * 64, KNOWN.numbers, KNOWN.categories, KNOWN.scores)
BY = Yardstick("auc", KNOWN)


def labelled(changed: Changed = NOTHING, share: float = 1.0) -> Labelled:
    rows = draw(np.random.default_rng(5), 2_000, changed)
    told = round(share * 2_000)
    until = NOW - timedelta(days=8)
    outcomes = Outcomes(until - timedelta(days=7), until, 2_000, rows.labels[:told], rows.scores[:told])
    return Labelled(outcomes, np.full(told, 86_400.0))


def looked(
    changed: Changed = NOTHING, seen: Sketch | None = None, told: Labelled | None = None, by: Yardstick = BY
) -> Examination:
    wide = served(window(KNOWN, draw(np.random.default_rng(2), 4_000, changed))) if seen is None else seen
    return examine(POLICY, by, Windows(wide, wide), told, NOW)


def test_a_healthy_product_is_ok_and_nothing_is_hidden() -> None:
    found = looked(told=labelled())
    assert (found.state, found.blind, found.named) == ("ok", (), ())
    assert {one.metric for one in found.measurements} == set(Metric)
    assert found.realised is not None
    assert found.realised.state == "final"
    assert found.estimate is not None


def test_the_columns_that_matter_are_named() -> None:
    found = looked(Changed(amount=1.0, income=0.8, unused=4.0))
    assert found.named == ("amount", "income")
    assert found.state == "breached"


def test_no_traffic_is_no_good_news() -> None:
    found = looked(seen=SILENCE)
    assert (found.state, found.blind) == ("undecidable", ("serving", "inputs"))


def test_a_model_without_a_profile_is_blind_to_its_inputs() -> None:
    found = looked(by=Yardstick("auc", None), told=labelled())
    assert (found.state, found.blind) == ("undecidable", ("inputs",))
    assert {one.gap for one in found.measurements if one.metric is Metric.PSI} == {Gap.NO_REFERENCE}


def test_a_reference_that_could_not_be_computed_is_loud() -> None:
    blank: Reference = KNOWN.model_copy(update={"metrics": {"auc": None}})
    for told in (labelled(), None):
        found = looked(by=Yardstick("auc", blank), told=told)
        assert (found.state, found.blind) == ("undecidable", ("performance",))


def test_labels_that_are_not_due_yet_are_no_gap() -> None:
    told = labelled()
    young = Labelled(
        Outcomes(NOW - timedelta(days=3), NOW, 2_000, told.outcomes.labels, told.outcomes.scores), told.delays
    )
    found = looked(told=young)
    assert (found.state, found.blind) == ("ok", ())
    assert found.realised is not None
    assert found.realised.state == "provisional"


def test_columns_that_policy_keeps_out_of_the_log_are_said_to_be_missing_there() -> None:
    seen = window(KNOWN, draw(np.random.default_rng(2), 4_000))
    bare = served(SILENCE.model_copy(update={"scored": seen.scored, "score_sums": seen.score_sums}), rows=4_000)
    found = looked(seen=bare)
    gaps = {one.gap for one in found.measurements if one.column == "amount"}
    assert gaps == {Gap.NOT_LOGGED}
    assert (found.state, found.blind) == ("ok", ())  # the scores could be judged


@pytest.mark.parametrize(("changed", "gap"), [(NOTHING, None), (Changed(slope=-1.0), Gap.NOT_CALIBRATED)])
def test_an_estimate_is_withheld_once_labels_say_that_scores_are_no_chances_any_more(
    changed: Changed, gap: Gap | None
) -> None:
    found = looked(told=labelled(changed))
    assert [one.gap for one in found.measurements if one.metric is Metric.ESTIMATE] == [gap]


def test_too_few_rows_are_not_known_and_no_reason_to_call_anybody() -> None:
    few = served(window(KNOWN, draw(np.random.default_rng(2), 8)))
    found = looked(seen=few)
    assert (found.state, found.blind, found.undecided) == ("undecidable", (), ("serving", "inputs"))
