import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.predictions import (
    Prediction,
    PredictionId,
    Repeats,
    hour_of,
    hours_back,
    merge,
    partition,
    read,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def line(**more: Any) -> bytes:
    known = {
        "event": "prediction.answered",
        "at": NOON.isoformat(),
        "request_id": "r-1",
        "function_version": "3",
        "status": 200,
    }
    return json.dumps({**known, **more}).encode()


def record(**more: Any) -> Prediction:
    found = read(line(**more))
    assert found is not None
    return found


def test_a_line_is_read_with_all_it_says() -> None:
    found = record(
        product="flights",
        model_version="none",
        rows=2,
        columns=["a", "b"],
        parts=2,
        part=2,
        features=[[1, "x"], [None, True]],
        scores=[0.5, math.nan],
        first_row=4,
        cold=True,
        news=1,
        shadow={"model_version": "2", "scores": [0.4, 0.6], "latency_ms": 1.5, "skipped": None},
    )
    assert (found.at, found.product, found.model_version, found.cold) == (NOON, "flights", None, True)
    assert found.features == ((1, "x"), (None, True))
    assert found.scores is not None
    assert found.scores[0] == 0.5
    assert math.isnan(found.scores[1])  # type: ignore[arg-type]
    assert found.shadow is not None
    assert found.shadow.scores == (0.4, 0.6)
    assert [row for row in range(8) if found.holds(row)] == [4, 5]
    assert (found.opens, found.key) == (False, ("r-1", 2))


def test_scores_of_several_classes_are_read() -> None:
    assert record(scores=[[0.2, 0.8], [0.5, 0.5]]).scores == ((0.2, 0.8), (0.5, 0.5))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"START RequestId: 1 Version: 3",
        b"CWL CONTROL MESSAGE: Checking health of destination Firehose.",
        b'{"event":"model.opened","at":"2026-03-01T12:00:00+00:00"}',
        b'"prediction.answered"',
        line()[:-20],
        line(at="2026-03-01T12:00:00"),
        line(status="fine"),
        line(request_id=""),
        line(part=3, parts=2),
        line(event="prediction.answered.twice"),
        b"\xff\xfe prediction.answered",
    ],
    ids=range(12),
)
def test_a_line_that_is_no_record_is_none_and_no_error(bad: bytes) -> None:
    assert read(bad) is None


@given(st.binary())
def test_no_bytes_raise(junk: bytes) -> None:
    assert read(junk) is None
    assert read(b'{"event":"prediction.answered",' + junk) is None


@given(st.permutations([1, 2, 3]), st.lists(st.sampled_from([1, 2, 3])))
def test_parts_become_the_request_whatever_their_order_and_repeats(order: list[int], again: list[int]) -> None:
    rows = {1: [[1.0], [2.0]], 2: [[3.0]], 3: [[4.0]]}
    first = {1: 0, 2: 2, 3: 3}
    parts = [
        record(
            part=part,
            parts=3,
            first_row=first[part],
            rows=len(rows[part]),
            features=rows[part],
            scores=[row[0] / 10 for row in rows[part]],
            shadow={"scores": [row[0] for row in rows[part]]},
            features_sha256="f" * 64,
        )
        for part in [*order, *again]
    ]
    whole = merge(parts)
    assert whole is not None
    assert whole.features == ((1.0,), (2.0,), (3.0,), (4.0,))
    assert whole.scores == (0.1, 0.2, 0.3, 0.4)
    assert whole.shadow is not None
    assert whole.shadow.scores == (1.0, 2.0, 3.0, 4.0)
    assert (whole.rows, whole.first_row, whole.part, whole.parts, whole.features_sha256) == (4, 0, 1, 1, None)


def test_a_request_with_a_part_missing_is_none() -> None:
    assert merge([record(part=1, parts=2), record(part=1, parts=2)]) is None
    assert merge([]) is None


def test_a_request_in_one_part_is_itself() -> None:
    assert merge([record(features_sha256="f" * 64)]) == record(features_sha256="f" * 64)


def test_features_that_policy_keeps_back_stay_back() -> None:
    whole = merge([record(part=part, parts=2, rows=1, scores=[0.5]) for part in (1, 2)])
    assert whole is not None
    assert (whole.features, whole.scores) == (None, (0.5, 0.5))


def test_parts_of_several_requests_are_no_request() -> None:
    with pytest.raises(ValueError, match="several requests"):
        merge([record(part=1, parts=2), record(part=2, parts=2, request_id="r-2")])


def test_a_repeat_is_known_and_another_part_is_not_a_repeat() -> None:
    repeats = Repeats()
    lines = [record(), record(), record(part=2, parts=2), record(request_id="r-2")]
    assert [repeats.is_new(one) for one in lines] == [True, False, True, True]


def test_what_is_remembered_is_bounded_and_reaches_back_as_far_as_promised() -> None:
    repeats = Repeats(limit=10)
    many = [record(request_id=str(number)) for number in range(100)]
    assert all(repeats.is_new(one) for one in many)
    assert not any(repeats.is_new(one) for one in many[-10:])
    assert len(repeats._young) + len(repeats._old) <= 20


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("5e2f-0a1b-12", PredictionId("5e2f-0a1b", 12)),
        ("a-0", PredictionId("a", 0)),
        ("a", None),
        ("-1", None),
        ("a-01", None),
        ("a-x", None),
        ("a--1", PredictionId("a-", 1)),
        ("", None),
        ("a-\u0661", None),
    ],
)
def test_a_prediction_id_is_a_request_and_a_row(text: str, known: PredictionId | None) -> None:
    assert PredictionId.parse(text) == known
    assert known is None or str(known) == text


def test_an_hour_of_the_log_is_utc_whatever_zone_is_asked() -> None:
    east = NOON.astimezone(tz=None)
    assert partition("flights", east) == "predictions/flights/dt=2026-03-01/hour=12/"
    assert hour_of(partition("flights", east) + "x.gz") == NOON
    assert hour_of("predictions/flights/notes.txt") is None
    assert hour_of("predictions/flights/dt=2026-13-01/hour=12/x") is None


def test_the_hours_that_touch_a_stretch_come_newest_first() -> None:
    found = list(hours_back(NOON - timedelta(minutes=90), NOON + timedelta(minutes=1)))
    assert found == [NOON, NOON - timedelta(hours=1), NOON - timedelta(hours=2)]
    assert list(hours_back(NOON, NOON)) == [NOON]
