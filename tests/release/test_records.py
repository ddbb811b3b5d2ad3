"""The control record and the ledger against real conditional writes."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from lifecycle.control import Actor, Contender, empty, promote, settle
from lifecycle.errors import ConflictError, ServiceError
from lifecycle.ledger import Decision, entry_key, hint_key
from tasks import control, ledger, objects
from tests.conftest import Aws

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def contender(version: str) -> Contender:
    return Contender(
        model_version=version, bundle="a" * 64, function_version=version, mlflow_run="r", since=NOW, reason="better"
    )


def decision(key: str) -> Decision:
    return Decision(at=NOW, actor="test", cause="test", action="promote", reason="because", key=key)


def together(count: int, work: Callable[[int], object]) -> list[object]:
    barrier = threading.Barrier(count)

    def one(number: int) -> object:
        barrier.wait()
        try:
            return work(number)
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_of_two_concurrent_promotions_one_wins_and_the_other_says_so(aws: Aws) -> None:
    bucket, held = aws.bucket(), control.Held(empty("flights"), None)
    for round_ in range(1, 21):
        both = [str(2 * round_), str(2 * round_ + 1)]
        base = held

        def race(number: int, base: control.Held = base, both: list[str] = both) -> control.Held:
            move = promote(base.record, contender(both[number]), Actor(f"racer-{number}", NOW))
            return control.write(bucket, base, move)

        found = together(2, race)
        (won,) = [item for item in found if isinstance(item, control.Held)]
        (lost,) = [item for item in found if isinstance(item, ConflictError)]
        assert control.read(bucket, "flights") == won
        assert won.record.champion is not None
        assert won.record.updated_by in lost.detail
        assert f"model {won.record.champion.model_version}" in lost.detail
        held = control.write(bucket, won, settle(won.record, Actor("test", NOW)))
    assert held.record.revision == 40


def test_writing_the_same_move_again_is_no_conflict(aws: Aws) -> None:
    bucket = aws.bucket()
    fresh = control.read(bucket, "flights")
    move = promote(fresh.record, contender("1"), Actor("me", NOW))
    assert control.write(bucket, fresh, move) == control.write(bucket, fresh, move)


def test_a_move_that_changes_nothing_writes_nothing(aws: Aws) -> None:
    bucket = aws.bucket()
    held = control.read(bucket, "flights")
    assert control.write(bucket, held, settle(held.record, Actor("me", NOW))) == held
    assert objects.read(bucket, control.record_key("flights")) is None


def test_a_record_that_cannot_be_read_is_not_taken_for_an_empty_one(aws: Aws) -> None:
    bucket = aws.bucket()
    objects.create(bucket, control.record_key("flights"), b"{}")
    with pytest.raises(ServiceError, match="no control record"):
        control.read(bucket, "flights")
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        control.read("tropism-test-absent", "flights")


@pytest.mark.faults
def test_six_writers_of_ten_entries_make_one_chain(aws: Aws) -> None:
    bucket = aws.bucket()

    def write(writer: int) -> None:
        for number in range(10):
            ledger.append(bucket, "flights", decision(f"{writer}/{number}"))

    together(6, write)
    verdict = ledger.check(bucket, "flights")
    assert (verdict.holds, verdict.length) == (True, 60)
    assert {entry.key for entry in ledger.entries(bucket, "flights")} == {
        f"{w}/{n}" for w in range(6) for n in range(10)
    }


def test_writers_of_the_same_decision_make_one_entry(aws: Aws) -> None:
    bucket = aws.bucket()
    for number in range(5):
        found = together(6, lambda _, number=number: ledger.append(bucket, "flights", decision(f"same/{number}")))
        assert len({entry.seq for entry in found if hasattr(entry, "seq")}) == 1
        ledger.append(bucket, "flights", decision(f"other/{number}"))
    assert [entry.key for entry in ledger.entries(bucket, "flights")] == [
        f"{who}/{number}" for number in range(5) for who in ("same", "other")
    ]


def test_a_decision_is_found_though_its_writer_died_before_noting_where_it_is(aws: Aws) -> None:
    bucket = aws.bucket()
    ledger.append(bucket, "flights", decision("first"))
    last = ledger.append(bucket, "flights", decision("last"))
    aws.s3.delete_object(Bucket=bucket, Key=hint_key("flights", "last"))
    assert ledger.append(bucket, "flights", decision("last")) == last
    ledger.append(bucket, "flights", decision("next"))
    assert ledger.append(bucket, "flights", decision("last")) == last


def test_an_edited_and_a_removed_entry_are_found(aws: Aws) -> None:
    bucket = aws.bucket()
    for number in range(4):
        ledger.append(bucket, "flights", decision(str(number)))
    body = objects.read(bucket, entry_key("flights", 2))
    assert body is not None
    aws.s3.put_object(Bucket=bucket, Key=entry_key("flights", 2), Body=body.body.replace(b"because", b"so what"))
    assert ledger.check(bucket, "flights").broken_seq == 2
    aws.s3.delete_object(Bucket=bucket, Key=entry_key("flights", 2))
    assert ledger.check(bucket, "flights").broken_seq == 2


def test_products_do_not_share_a_ledger(aws: Aws) -> None:
    bucket = aws.bucket()
    ledger.append(bucket, "flights", decision("one"))
    assert ledger.append(bucket, "flights-two", decision("one")).seq == 1
