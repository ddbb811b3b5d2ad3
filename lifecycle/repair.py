"""What was missed: the sweep's decisions about a product. Pure.

Events only wake. Whoever should have been woken and was not is found here by what lies in the bucket, the ledger
and the control record, and woken again, ever more rarely. Lost runs are `lifecycle/lost.py`, records that disagree
`lifecycle/divergence.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from lifecycle.batch import shown
from lifecycle.control import ControlRecord, promotion_key, version_of
from lifecycle.freezing import FreezeWord, thaw_of
from lifecycle.keys import is_marker, place_of
from lifecycle.ledger import Decision
from lifecycle.stepping import gives_way, taken_back_key, waits_for_approval

# An event becomes a run within a second, a cold run begins within ten: what waits longer was missed.
GRACE = timedelta(seconds=20)
# A change of champion takes seconds; a run that still works on it is looked for besides.
UNSETTLED = timedelta(seconds=30)
# What a training saw is as old as its beginning; none takes a day, and a manifest read too often does no harm.
LONGEST_TRAINING = timedelta(days=1)
_ATTEMPTS_A_LOOK = 1000  # `attempts` doubles its wait each time, so no look ever has that many
_ATTEMPTS_A_FREEZE = 1_000_000  # no release is looked at a thousand times as often as once


@dataclass(frozen=True)
class Landed:
    """An object that lies in the landing zone; `owner` is the flow run that claimed it, if any.

    The files of one delivery are told of as one: the newest of them that nobody has looked at. When all were, it waits
    for others, and `waits_until` says how long.
    """

    key: str
    object_version: str | None
    etag: str
    size: int
    landed_at: datetime
    owner: str | None = None
    waits_until: datetime | None = None

    def turn(self, now: datetime, thaw: FreezeWord | None) -> int | None:
        """Return which attempt to wake somebody is due. One that waits has attempts of its own when it is over."""
        if self.waits_until is None:
            return due(self.landed_at, now, thaw)
        over = due(self.waits_until, now, None)
        return None if over is None else _ATTEMPTS_A_LOOK + over


@dataclass(frozen=True)
class WakeIngest:
    """Tell again that an object landed. `attempt` counts how often it should have been told by now."""

    landed: Landed
    attempt: int


@dataclass(frozen=True)
class WakeTrain:
    """Ask for a training. `request` names the wish, `attempt` counts how often it should have been uttered."""

    cause: Literal["untrained_batches", "stale_comparison", "thawed"]
    request: str
    attempt: int


@dataclass(frozen=True)
class WakeRelease:
    """Tell again that a model passed the gate. `look`: its release is under way and overdue."""

    model_version: str
    bundle: str
    attempt: int
    look: bool = False


def attempts(waited: timedelta) -> int:
    """Count how often somebody should have been woken by now: after 20 s, 40 s, 80 s, ever twice as late.

    Never zero: an attempt of its own number is an event of its own id, which the server does not take for a
    repeat; the same number is the same event, so two sweeps wake once.
    """
    return max(1, int(max(waited, GRACE) / GRACE).bit_length())


def due(came: datetime, now: datetime, thaw: FreezeWord | None) -> int | None:
    """Return which attempt to wake somebody is due, or None while the event itself may still be on its way.

    What came before the end of a freeze is due at once, whatever was tried before: whoever was woken then did nothing.
    """
    if thaw is not None and came < thaw.at:
        return _ATTEMPTS_A_FREEZE * thaw.times + attempts(now - thaw.at)
    return attempts(now - came) if now - came >= GRACE else None


def missed_deliveries(
    landed: Iterable[Landed],
    active: frozenset[str],
    now: datetime,
    *,
    limit: int,
    thaw: FreezeWord | None = None,
) -> tuple[WakeIngest, ...]:
    """Return the deliveries that nobody works on. `active`: keys that an unfinished run was started for."""
    waiting, places = sorted(landed, key=lambda item: (item.landed_at, item.key)), {place_of(key) for key in active}
    missed = ((item, item.turn(now, thaw)) for item in waiting if place_of(item.key) not in places)
    wanted = (WakeIngest(item, turn) for item, turn in missed if turn is not None and not is_marker(item.key))
    return tuple(islice(wanted, limit))


def unnamed(batches: Iterable[str], entries: Sequence[Decision]) -> tuple[str, ...]:
    """Return the batches that the last challenge does not name, by shortened ids: nobody has to read a manifest."""
    last = _last_challenge(entries)
    named = set(str(last.evidence.get("batches", "")).split(",")) if last else set()
    return tuple(batch for batch in batches if shown(batch) not in named)


def uncovered(published: Mapping[str, datetime], entries: Sequence[Decision]) -> bool:
    """Say whether the last challenge may not have seen all batches as they are: unnamed ones, or published anew."""
    last = _last_challenge(entries)
    anew = last is not None and any(at > last.at - LONGEST_TRAINING for at in published.values())
    return anew or bool(unnamed(published, entries))


def _last_challenge(entries: Sequence[Decision]) -> Decision | None:
    return next((entry for entry in reversed(entries) if entry.action == "challenge"), None)


def missed_training(
    snapshot: str,
    newest: datetime | None,
    entries: Sequence[Decision],
    now: datetime,
    thaw: FreezeWord | None = None,
) -> WakeTrain | None:
    """Ask for a training when no challenge in the ledger was made from the batches there are now.

    Args:
        snapshot: Digest of the validated batches.
        newest: When the newest of them landed; None when there are none.
        entries: The ledger.
        now: The time.
        thaw: What ended the last freeze, if one did.

    """
    turn = due(newest, now, thaw) if newest is not None else None
    if turn is None:
        return None
    if any(entry.action == "challenge" and entry.evidence.get("snapshot") == snapshot for entry in entries):
        return None
    return WakeTrain("untrained_batches", f"snapshot/{snapshot}", turn)


def thawed_training(thaw: FreezeWord, now: datetime) -> WakeTrain:
    """Ask for the training that was asked for during a freeze."""
    return WakeTrain("thawed", f"thaw/{thaw.times}", attempts(now - thaw.at))


def missed_release(record: ControlRecord, entries: Sequence[Decision], now: datetime) -> WakeRelease | WakeTrain | None:
    """Return what to do about the newest model that passed the gate and whose release never began, or stands still.

    One that was compared with a model that no longer serves has to be compared again. While another model is under
    release it waits, unless nothing is learned of that one; while an experiment runs, it waits as well.
    """
    passed = [entry for entry in entries if entry.action == "challenge" and entry.evidence.get("verdict") == "promote"]
    newest = passed[-1] if passed else None
    if record.release is not None or (record.champion is not None and record.champion.experiment):
        return None
    if record.frozen or (record.rollout is not None and not _gives_way_to(record, newest)):
        return _missed_look(record, now)
    return _missed_beginning(record, newest, entries, now) if newest is not None else None


def _missed_beginning(
    record: ControlRecord, newest: Decision, entries: Sequence[Decision], now: datetime
) -> WakeRelease | WakeTrain | None:
    serving, times = version_of(record.champion), due(newest.at, now, thaw_of(record))
    if newest.to is None or times is None or _has_ended(newest, entries):
        return None
    if serving is not None and int(newest.to) <= int(serving):
        return None
    if newest.from_ == serving:
        return WakeRelease(newest.to, str(newest.evidence.get("bundle")), times)
    later = entries[entries.index(newest) + 1 :]
    if any(entry.action == "challenge" and entry.from_ == serving for entry in later):
        return None
    return WakeTrain("stale_comparison", f"{newest.to}/{serving or 'none'}", times)


def _missed_look(record: ControlRecord, now: datetime) -> WakeRelease | None:
    """Wake a release whose next look is overdue. One that waits for a person, or for the thaw to begin, is not."""
    rollout, challenger = record.rollout, record.challenger
    if rollout is None or challenger is None or waits_for_approval(rollout):
        return None
    turn = due(rollout.next_tick, now, thaw_of(record))
    if turn is None or (record.frozen and not rollout.windows):
        return None
    # Each look has attempts of its own: the same number again would be taken for a repeat of an earlier look's.
    attempt = _ATTEMPTS_A_LOOK * (rollout.ticks + 1) + turn
    return WakeRelease(challenger.model_version, challenger.bundle, attempt, look=True)


def _gives_way_to(record: ControlRecord, newest: Decision | None) -> bool:
    if newest is None or newest.to is None or record.challenger is None or record.rollout is None:
        return False
    newer = int(newest.to) > int(record.challenger.model_version)
    return newer and newest.from_ == version_of(record.champion) and gives_way(record.rollout)


def _has_ended(newest: Decision, entries: Sequence[Decision]) -> bool:
    """Say whether the ledger has a release of the model end, one way or the other."""
    version = str(newest.to)
    ends = {promotion_key(version), taken_back_key(version, str(newest.evidence.get("bundle")))}
    return any(entry.key in ends for entry in entries)


def unfinished_change(record: ControlRecord, now: datetime) -> Literal["moving", "rolling_back"] | None:
    """Say which kind of change of champion was left half done, or None."""
    if record.release is None or record.updated_at is None or now - record.updated_at < UNSETTLED:
        return None
    return record.release.state
