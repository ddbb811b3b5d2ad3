"""The ledger in S3: one object per entry, numbered without a gap, written once and never again.

Numbers are taken by conditional writes, so two writers never fork the chain. Finding a decision again costs one
read: behind every entry but the last there is a hint, because a writer makes sure of the one before its own.
What an entry holds and when a chain holds is `lifecycle/ledger.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lifecycle.errors import ConflictError, ServiceError
from lifecycle.ledger import ChainVerdict, Decision, Entry, Stored, chain, decode, encode, entry_key, hint_key, verify
from tasks import objects

_TRIES = 100  # one writer wins each round, so this allows that many writers at once
_READERS = 8
_LIMIT = 1_000_000


def append(bucket: str, product: str, decision: Decision) -> Entry:
    """Append a decision and return its entry; a decision whose key is in the ledger already is not appended again."""
    for _ in range(_TRIES):
        last = _last(bucket, product)
        known = find(bucket, product, decision.key) or _if_same(last, decision.key)
        if known is not None:
            return known
        if last is not None:
            objects.create(bucket, hint_key(product, last.key), str(last.seq).encode())
        entry = chain(decision, last)
        if objects.create(bucket, entry_key(product, entry.seq), encode(entry)) is not None:
            objects.create(bucket, hint_key(product, entry.key), str(entry.seq).encode())
            return entry
    raise ConflictError(f"The ledger of {product} is written by too many at once.", detail=f"Tried {_TRIES} times.")


def find(bucket: str, product: str, key: str) -> Entry | None:
    """Return the entry of a decision, or None. The newest entry may not have its hint yet."""
    hint = objects.read(bucket, hint_key(product, key))
    return _if_same(_entry(bucket, product, int(hint.body)), key) if hint is not None else None


def entries(bucket: str, product: str) -> tuple[Entry, ...]:
    """Read the whole ledger, oldest first. Raises ServiceError at the first thing stored that is no entry."""
    return tuple(_decode(product, item) for item in _stored(bucket, product))


def check(bucket: str, product: str, *, anchor: tuple[int, str] | None = None) -> ChainVerdict:
    """Read the whole ledger and judge whether it holds."""
    return verify(_stored(bucket, product), anchor=anchor)


def _last(bucket: str, product: str) -> Entry | None:
    numbers = _numbers(bucket, product)
    return _entry(bucket, product, numbers[-1]) if numbers else None


def _numbers(bucket: str, product: str) -> list[int]:
    names = (key.rpartition("/")[2] for key in objects.keys(bucket, f"ledger/{product}/", limit=_LIMIT))
    return [int(name.removesuffix(".json")) for name in names if name.removesuffix(".json").isdecimal()]


def _stored(bucket: str, product: str) -> Sequence[Stored]:
    def fetch(seq: int) -> Stored:
        found = objects.read(bucket, entry_key(product, seq))
        return Stored(seq, found.body if found else b"")

    with ThreadPoolExecutor(_READERS, thread_name_prefix="ledger") as pool:
        return list(pool.map(fetch, _numbers(bucket, product)))


def _entry(bucket: str, product: str, seq: int) -> Entry:
    found = objects.read(bucket, entry_key(product, seq))
    return _decode(product, Stored(seq, found.body if found else b""))


def _decode(product: str, item: Stored) -> Entry:
    try:
        return decode(item.body)
    except ValueError as error:
        raise ServiceError(
            f"Entry {item.seq} of the ledger of {product} cannot be read.",
            resolution=f"Run `tropism verify {product}` to see where the chain breaks.",
        ) from error


def _if_same(entry: Entry | None, key: str) -> Entry | None:
    return entry if entry is not None and entry.key == key else None
