"""The turn to train, in S3 under compare-and-set: taken, renewed between steps, left.

Two trainings of one product never run at once, also without Prefect's concurrency limit. The rules are
`lifecycle/claim.py`.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from lifecycle import claim
from lifecycle.claim import Busy, Taken, Turn
from lifecycle.errors import ConflictError, ServiceError
from tasks import objects

_TRIES = 50  # each round somebody else's write won; wishes come one per skipped run


def turn_key(product: str) -> str:
    """Return the object key of the turn."""
    return f"control/{product}/training.json"


def take_turn(bucket: str, product: str, owner: str, retry_of: str | None = None) -> Taken | Busy:
    """Take the turn to train, or leave a wish with whoever has it. A second call by the owner takes it again."""
    for _ in range(_TRIES):
        found, etag = _read(bucket, product)
        outcome = claim.take(found, product, owner, _now(bucket, product), retry_of=retry_of)
        if outcome.turn == found or _write(bucket, outcome.turn, etag):
            return outcome
    raise _contended(product)


def leave_wish(bucket: str, product: str, owner: str) -> None:
    """Note that a training is wanted, and take no turn. A second call changes nothing that matters."""
    for _ in range(_TRIES):
        found, etag = _read(bucket, product)
        wished = claim.wish(found, product, owner, _now(bucket, product))
        if wished == found or _write(bucket, wished, etag):
            return
    raise _contended(product)


def waits_since(bucket: str, product: str, moment: datetime) -> bool:
    """Say whether a wish to train was left before a moment and nobody trained since. Reads only."""
    return claim.waits_since(_read(bucket, product)[0], moment)


def renew_turn(bucket: str, product: str, owner: str) -> None:
    """Say that we are still training. Raises ConflictError when somebody took over meanwhile."""
    for _ in range(_TRIES):
        found, etag = _read(bucket, product)
        mine = claim.renew(found, owner, _now(bucket, product))
        if mine is None:
            who = f"{found.owner} has it since {found.since.isoformat()}" if found else "nobody has it"
            raise ConflictError(
                f"Flow run {owner} lost the turn to train {product} and stops.",
                detail=f"{who}.",
                resolution="Nothing is lost: whoever took over trains the same data.",
            )
        if _write(bucket, mine, etag):
            return
    raise _contended(product)


def leave_turn(bucket: str, product: str, owner: str, *, finished: bool = True) -> bool:
    """Give the turn back; return True when we must train again because somebody wished so meanwhile.

    A second call, and one after somebody took over, does nothing and returns False.
    """
    for _ in range(_TRIES):
        found, etag = _read(bucket, product)
        left = claim.leave(found, owner, _now(bucket, product), finished=finished)
        if left is None:
            return False
        if _write(bucket, left, etag):
            return left.state == "training"
    raise _contended(product)


def trainer(bucket: str, product: str) -> str | None:
    """Return the flow run that has the turn to train, or None when nobody has it. Reads only."""
    found, _ = _read(bucket, product)
    return found.owner if found is not None and found.state == "training" else None


def _read(bucket: str, product: str) -> tuple[Turn | None, str | None]:
    stored = objects.read(bucket, turn_key(product))
    if stored is None:
        return None, None
    try:
        return Turn.model_validate_json(stored.body), stored.etag
    except ValidationError as error:
        where = f"s3://{bucket}/{turn_key(product)}"
        raise ServiceError(
            f"{where} does not say whose turn it is.",
            detail=str(error.errors()[0]["msg"]),
            resolution="Delete it when no training runs: the next one writes it anew.",
        ) from error


def _write(bucket: str, turn: Turn, etag: str | None) -> bool:
    key, body = turn_key(turn.product), turn.model_dump_json().encode()
    written = objects.create(bucket, key, body) if etag is None else objects.replace(bucket, key, body, etag)
    return written is not None


def _contended(product: str) -> ConflictError:
    return ConflictError(f"The turn to train {product} changes hands too fast.", detail=f"Tried {_TRIES} times.")


def _now(bucket: str, product: str) -> datetime:
    return objects.now(bucket, turn_key(product))
