"""Records of batches and deliveries, and who may work on which."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.batch import Reason, RowCounts
from lifecycle.codes import Code
from lifecycle.delivery import (
    CLAIM_LASTS,
    Delivery,
    LandedObject,
    Outcome,
    Worker,
    may_take_over,
    refuse_key,
    to_markdown,
)
from lifecycle.envelope import delivery_id
from lifecycle.faults import RowFault, settle

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def record(**changes: object) -> Delivery:
    base = {
        "product": "parts",
        "delivery_id": "d",
        "key": "landing/parts/a.csv",
        "object_version": "v",
        "etag": "e",
        "state": "claimed",
        "owner": "first",
        "claimed_at": NOW,
    }
    return Delivery.model_validate({**base, **changes})


@pytest.mark.parametrize(
    ("state", "worker", "age", "may"),
    [
        ("claimed", Worker("first"), timedelta(0), True),
        ("claimed", Worker("other"), timedelta(0), False),
        ("claimed", Worker("other", retry_of="first"), timedelta(0), True),
        ("claimed", Worker("other", retry_of="third"), timedelta(0), False),
        ("claimed", Worker("other"), CLAIM_LASTS, False),
        ("claimed", Worker("other"), CLAIM_LASTS + timedelta(seconds=1), True),
        ("validated", Worker("first"), CLAIM_LASTS * 2, False),
    ],
)
def test_who_may_go_on_with_a_delivery(state: str, worker: Worker, age: timedelta, may: bool) -> None:  # noqa: FBT001
    assert may_take_over(record(state=state), worker, NOW + age) is may


def test_a_record_survives_json_and_ends_with_its_outcome() -> None:
    outcome = Outcome("validated", "b" * 64, RowCounts(3, 2, 1), (Reason(Code.TYPE, "id", "x", "y", 1),))
    ended = record().end(outcome, NOW)
    assert Delivery.model_validate_json(ended.model_dump_json()) == ended
    assert (ended.state, ended.ended_at, ended.owner) == ("validated", NOW, "first")
    assert (
        ended.message() == "Batch parts/bbbbbbbbbbbb is validated. 2 of 3 rows. TYPE id: found x, expected y (1 row)."
    )


def test_a_delivery_has_the_id_of_the_event_that_announced_it() -> None:
    landed = LandedObject("bucket", "parts", "landing/parts/a.csv", "v", etag="e")
    assert landed.delivery_id == delivery_id("bucket", "landing/parts/a.csv", "v")
    assert LandedObject("bucket", "parts", "k", None, etag="e").delivery_id == delivery_id("bucket", "k", "e")


@pytest.mark.parametrize(
    ("key", "refused"),
    [
        ("landing/parts/a.csv", False),
        ("landing/parts/2024/07/ä +%.csv", False),
        ("landing/other/a.csv", True),
        ("validated/parts/a.csv", True),
        ("landing/parts/", True),
        ("landing/parts/_SUCCESS", True),
        ("landing/parts/a.csv.tmp", True),
    ],
)
def test_only_a_finished_file_of_the_product_is_a_delivery(key: str, refused: bool) -> None:  # noqa: FBT001
    assert (refuse_key("parts", key) is not None) is refused


def test_a_page_shows_no_markup_a_producer_chose() -> None:
    evil = Reason(Code.EXTRA_COLUMN, None, "1 more: '<script>alert(1)</script> | `x`\n'", "left out")
    page = to_markdown(record(key="landing/parts/<b>|.csv", state="quarantined", reasons=(evil,)))
    assert "<script>" not in page
    assert "<b>" not in page
    assert [line.count("|") for line in page.splitlines() if "EXTRA_COLUMN" in line and line.startswith("|")] == [6]


def test_counts_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="10 rows received, 8 \\+ 1 \\+ 0 accounted for"):
        RowCounts(10, 8, 1)


CODES = st.sampled_from([Code.TYPE, Code.DUPLICATE_ROW, Code.REPEATED_HEADER, Code.RANGE])


@given(
    st.integers(0, 50).flatmap(
        lambda received: st.tuples(
            st.just(received),
            st.lists(st.tuples(CODES, st.sets(st.integers(0, max(received - 1, 0)), max_size=received)), max_size=5),
        )
    ),
    st.floats(0, 1),
)
def test_every_row_is_counted_once(case: tuple[int, list[tuple[Code, set[int]]]], share: float) -> None:
    received, found = case
    faults = [RowFault(code, None, "", "", np.array(sorted(rows), dtype=np.int64)) for code, rows in found if received]
    settled = settle(received, faults, share)
    counts = settled.counts
    assert counts.received == counts.validated + counts.quarantined == received
    held = {row for fault in faults for row in fault.rows.tolist()}
    assert np.flatnonzero(~settled.kept).tolist() == sorted(held)
    assert counts.validated in (0, received - len(held))


def test_the_limit_looks_at_rows_that_are_no_repeats() -> None:
    repeats = RowFault(Code.DUPLICATE_ROW, None, "", "", np.arange(50))
    bad = RowFault(Code.TYPE, None, "", "", np.array([98, 99]))
    assert settle(100, [repeats, bad], 0.04).refusal is None
    refusal = settle(100, [repeats, bad], 0.03).refusal
    assert str(refusal) == (
        "TOO_MANY_BAD_ROWS: found 2 of 50 rows bad (4.0%), expected at most 3.0% (2 rows)."
    )  # fmt: skip
