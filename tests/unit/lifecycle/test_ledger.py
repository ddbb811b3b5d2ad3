import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from lifecycle.ledger import GENESIS, Decision, Entry, Stored, chain, decode, encode, verify

Edit = Callable[[list[Stored]], list[Stored]]


def decision(number: int, reason: str = "better by 0.01") -> Decision:
    return Decision(
        at=datetime(2026, 3, number, tzinfo=UTC),
        actor="run",
        cause="model.challenged",
        action="promote",
        from_=str(number),
        to=str(number + 1),
        reason=reason,
        evidence={"auc": 0.71, "rows": 3, "exact": True, "slice": None},
        key=f"promote/{number}",
    )


def stored(count: int) -> list[Stored]:
    last: Entry | None = None
    found = []
    for number in range(1, count + 1):
        last = chain(decision(number), last)
        found.append(Stored(number, encode(last)))
    return found


def altered(item: Stored, *, rehash: bool, **changes: object) -> Stored:
    body = {**json.loads(item.body), **changes}
    if rehash:
        body.pop("hash")
        again = Decision.model_validate({name: body[name] for name in body if name not in ("seq", "prev")})
        before = Entry.model_construct(seq=body["seq"] - 1, hash=body["prev"])
        return Stored(item.seq, encode(chain(again, before)))
    return Stored(item.seq, json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def test_an_entry_is_the_decision_in_its_place_and_reads_back_the_same() -> None:
    first = chain(decision(1), None)
    second = chain(decision(2), first)
    assert (first.seq, first.prev, second.seq, second.prev) == (1, GENESIS, 2, first.hash)
    assert decode(encode(second)) == second
    assert json.loads(encode(second))["from"] == "2"


def test_the_same_entry_is_the_same_bytes_and_the_hash_is_known() -> None:
    assert encode(chain(decision(1), None)) == encode(chain(decision(1), None))
    assert chain(decision(1, "größer"), None).hash != chain(decision(1, "groesser"), None).hash


def test_an_untouched_chain_holds() -> None:
    verdict = verify(stored(5))
    assert (verdict.holds, verdict.length, verdict.broken_seq) == (True, 5, None)
    assert verdict.head == decode(stored(5)[-1].body).hash
    assert verify([]).holds


BREAKS: list[tuple[Edit, int, str]] = [
    (lambda s: [*s[:2], altered(s[2], rehash=False, reason="another"), *s[3:]], 3, "altered"),
    (lambda s: [*s[:2], altered(s[2], rehash=True, reason="another"), *s[3:]], 4, "does not link"),
    (lambda s: [*s[:1], *s[2:]], 2, "missing"),
    (lambda s: [s[0], Stored(2, s[2].body), Stored(3, s[1].body), *s[3:]], 2, "calls itself"),
    (lambda s: [*s[:3], Stored(4, s[3].body + b"\n"), s[4]], 4, "altered"),
    (lambda s: [*s[:3], Stored(4, b""), s[4]], 4, "not an entry"),
    (lambda s: [*s[:3], Stored(4, b"[]"), s[4]], 4, "not an entry"),
    (lambda s: s[1:], 1, "missing"),
]


@pytest.mark.parametrize(("edit", "seq", "reason"), BREAKS)
def test_a_broken_chain_names_the_first_broken_number(edit: Edit, seq: int, reason: str) -> None:
    verdict = verify(edit(stored(5)))
    assert (verdict.holds, verdict.broken_seq) == (False, seq)
    assert reason in verdict.reason


def test_a_cut_off_end_is_found_against_a_head_noted_elsewhere_only() -> None:
    whole = stored(5)
    anchor = (5, decode(whole[4].body).hash)
    assert verify(whole, anchor=anchor).holds
    assert verify(whole[:3]).holds
    assert verify(whole[:3], anchor=anchor).broken_seq == 4
    assert verify(whole, anchor=(5, GENESIS)).broken_seq == 5


@pytest.mark.parametrize("change", [{"evidence": {"auc": float("nan")}}, {"key": ""}, {"action": "Promote it"}])
def test_a_decision_that_could_not_be_read_back_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Decision.model_validate({**decision(1).model_dump(), **change})
