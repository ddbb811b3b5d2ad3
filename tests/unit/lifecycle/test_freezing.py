"""The one question about a freeze, and what its last word tells."""

from datetime import UTC, datetime, timedelta

from lifecycle import orders
from lifecycle.control import Actor, ControlRecord, empty
from lifecycle.freezing import stopped, thaw_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def by(minute: int, name: str = "ada") -> Actor:
    return Actor(name, NOW + timedelta(minutes=minute))


def test_nothing_is_stopped_that_was_never_frozen() -> None:
    assert (stopped(empty("flights")), thaw_of(empty("flights"))) == (None, None)


def test_a_freeze_says_since_when_whose_and_why_and_what_ends_it() -> None:
    frozen = orders.freeze(empty("flights"), by(0), "the books.").record
    assert str(stopped(frozen)) == (
        "FROZEN: found the product is frozen since 2026-03-01 12:00:00 UTC by ada: the books, "
        "expected nothing that stops it; `tropism unfreeze flights`."
    )
    assert thaw_of(frozen) is None
    assert orders.freeze(frozen, by(5, "bo"), "too").record == frozen
    assert ControlRecord.model_validate_json(frozen.model_dump_json()) == frozen


def test_every_freeze_has_a_number_of_its_own_which_its_end_keeps() -> None:
    record, numbers = empty("flights"), []
    for minute in (0, 10):
        record = orders.freeze(record, by(minute), "audit").record
        record = orders.unfreeze(record, by(minute + 5), "done").record
        word = thaw_of(record)
        assert word is not None
        numbers.append((word.times, word.at))
        assert stopped(record) is None
    assert numbers == [(1, by(5).now), (2, by(15).now)]
