"""Sketches add up exactly in any order, stay small, and are read back as they were written."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.predictions import Prediction
from lifecycle.sketch import PRECISION, Latency, Sketch, Tally, empty, latency_bin, merge
from lifecycle.sketching import NO_BUNDLE, Sketching, single
from lifecycle.watched import Watched
from tests.unit.lifecycle.worlds import Changed, draw, reference, window

KNOWN, BUNDLE = reference(), "b" * 64
NOTHING = empty(BUNDLE, KNOWN.numbers, KNOWN.categories, KNOWN.scores)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(number: int, **changes: Any) -> Prediction:
    fields = {"event": "prediction.answered", "at": AT, "request_id": f"r{number}", "function_version": "3"}
    plain = {"status": 200, "method": "POST", "scores": (0.5,), "rows": 1, "latency_ms": 12.0}
    return Prediction.model_validate({**fields, **plain, **changes})


def made(seed: int) -> Sketch:
    random = np.random.default_rng(seed)
    sketching = Sketching(BUNDLE, KNOWN)
    for number in range(int(random.integers(0, 30))):
        kinds = [{}, {"status": 500, "scores": None}, {"status": 400, "reason": "ragged", "scores": None}]
        changes: dict[str, Any] = kinds[int(random.integers(3))]
        sketching.add_request(
            record(number, cold=bool(random.random() < 0.2), latency_ms=float(random.gamma(2, 9)), **changes)
        )
    rows = draw(random, int(random.integers(0, 60)), Changed(strange=0.2, missing=0.1))
    rows.seen.categories["carrier"][rows.seen.categories["carrier"] == "ZZ"] = f"new {random.integers(90)}"
    sketching.add_scores(rows.scores)
    sketching.add_columns(rows.seen)
    return sketching.sketch()


SKETCHES = st.integers(0, 400).map(made)


@settings(max_examples=40, deadline=None)
@given(SKETCHES, SKETCHES, SKETCHES)
def test_adding_up_does_not_depend_on_order_or_grouping(one: Sketch, two: Sketch, three: Sketch) -> None:
    assert one.merged(two) == two.merged(one)
    assert one.merged(two).merged(three) == one.merged(two.merged(three))
    assert NOTHING.merged(one) == one


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(1, 9), max_size=9), max_size=9))
def test_a_tally_keeps_few_names_with_exact_counts_and_the_whole_sum(parts: list[dict[str, int]]) -> None:
    forward, backward = Tally(most=4), Tally(most=4)
    for part in parts:
        forward = forward.plus(part)
    for part in reversed(parts):
        backward = Tally(most=4).plus(part).merged(backward)
    exact = {name: sum(part.get(name, 0) for part in parts) for part in parts for name in part}
    assert forward == backward
    assert forward.total == sum(exact.values())
    assert forward.named.items() <= exact.items()
    assert len(forward.named) == min(4, len(exact))


@settings(max_examples=20, deadline=None)
@given(SKETCHES)
def test_a_sketch_is_read_back_as_it_was_written(one: Sketch) -> None:
    assert Sketch.model_validate_json(one.model_dump_json()) == one


def test_hours_added_up_are_the_day_at_once() -> None:
    random = np.random.default_rng(5)
    rows = draw(random, 2_400)
    hours = []
    for hour in range(24):
        cut = slice(100 * hour, 100 * (hour + 1))
        seen = Watched(
            {name: values[cut] for name, values in rows.seen.numbers.items()},
            {name: values[cut] for name, values in rows.seen.categories.items()},
        )
        sketching = Sketching(BUNDLE, KNOWN)
        sketching.add_scores(rows.scores[cut])
        sketching.add_columns(seen)
        hours.append(sketching.sketch())
    assert merge(NOTHING, hours) == window(KNOWN, rows)


def test_sums_made_while_the_bundle_could_not_be_read_add_their_requests_and_nothing_else() -> None:
    blind = Sketching(BUNDLE, None)
    blind.add_request(record(1))
    blind.add_request(record(2, status=500, scores=None))
    blind.add_scores(np.asarray([0.5]))
    seen = made(3)
    both = seen.merged(blind.sketch())
    assert both == blind.sketch().merged(seen)
    assert (both.requests, both.failed) == (seen.requests + 2, seen.failed + 1)
    assert (both.rows, both.scored, both.numbers, both.categories) == (
        seen.rows,
        seen.scored,
        seen.numbers,
        seen.categories,
    )


def test_sketches_of_two_bundles_are_not_added_up() -> None:
    with pytest.raises(ValueError, match="two bundles"):
        NOTHING.merged(NOTHING.model_copy(update={"bundle": "c" * 64}))


@given(st.lists(st.floats(0.01, 800_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_latency_quantile_is_right_within_its_precision(times: list[float], share: float) -> None:
    bins: dict[int, int] = {}
    for time in times:
        bins[latency_bin(time)] = bins.get(latency_bin(time), 0) + 1
    exact = float(np.quantile(np.array(times), share, method="inverted_cdf"))
    assert Latency(bins=bins).quantile(share) == pytest.approx(exact, rel=PRECISION * 1.01)


def test_what_took_longer_than_a_limit_is_counted() -> None:
    times = [1.0, 50.0, 290.0, 310.0, 5_000.0]
    assert Latency(bins={latency_bin(time): 1 for time in times}).beyond(300.0) == 2


def test_requests_are_counted_by_what_became_of_them() -> None:
    sketching = Sketching(BUNDLE, KNOWN)
    for one in (
        record(1, cold=True, latency_ms=900.0),
        record(2, violations={"unseen": {"carrier": 2}, "extra_columns": 1}),
        record(3, status=400, reason="ragged", scores=None, rows=0),
        record(4, status=400, reason="malformed", scores=None, rows=0),
        record(5, status=503, reason="no_bundle", scores=None, rows=0),
        record(6, synthetic=True),
        record(7, method="GET", scores=None),
        record(8, scores=(0.1, 0.2), rows=2, parts=2, part=1),
        record(8, scores=(0.3,), rows=1, parts=2, part=2, first_row=2),
    ):
        sketching.add_request(one)
    found = sketching.sketch()
    assert (found.requests, found.synthetic, found.rows, found.cold, found.failed, found.refused) == (6, 1, 5, 1, 1, 1)
    assert found.statuses == {200: 3, 400: 2, 503: 1}
    assert found.reasons.named == {"ragged": 1, "malformed": 1, "no_bundle": 1}
    assert found.violations.named == {"unseen carrier": 1, "extra_columns": 1}
    assert (found.latency.total, found.warm.total, found.latency.beyond(300), found.warm.beyond(300)) == (6, 5, 1, 0)


def test_a_request_that_reached_no_model_is_counted_without_a_profile() -> None:
    sketching = Sketching(NO_BUNDLE, None)
    sketching.add_request(record(1, status=503, reason="no_bundle", scores=None, rows=0))
    assert (sketching.sketch().failed, sketching.sketch().numbers) == (1, {})


def test_scores_that_are_no_numbers_are_missing() -> None:
    sketching = Sketching(BUNDLE, KNOWN)
    sketching.add_scores(np.array([single(score) for score in (0.25, None, (0.1, 0.7, 0.2), float("inf"))]))
    found = sketching.sketch()
    assert (found.scored.present, found.scored.missing, sum(found.score_sums)) == (2, 2, 950_000)


def test_a_strangers_flood_of_names_stays_small() -> None:
    sketching = Sketching(BUNDLE, KNOWN)
    rows = draw(np.random.default_rng(1), 5_000)
    for flood in range(10):
        names = np.array([f"{flood}-{row}" for row in range(5_000)], dtype=object)
        sketching.add_columns(Watched(rows.seen.numbers, {"carrier": names}))
    found = sketching.sketch()
    assert found.categories["carrier"].unseen.total == 50_000
    assert len(found.categories["carrier"].unseen.named) == 20
    assert len(json.dumps(found.model_dump(mode="json"))) < 20_000
