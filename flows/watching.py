"""One look at a release: what both models answered since, and where the alias points. Not a flow.

It decides nothing. What could not be counted is a doubt, which holds, and never an answer.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flows.following import Work
from lifecycle.alias import AliasState
from lifecycle.batch import Reason
from lifecycle.control import Contender, ControlRecord, Rollout
from lifecycle.errors import TropismError
from lifecycle.findings import Finding
from lifecycle.freezing import stopped
from lifecycle.release_plan import ReleasePlan
from lifecycle.stepping import Judged, with_replayed
from lifecycle.thin_traffic import enough, look_back, too_thin
from tasks import alarms, endpoint, evidence, replay
from tasks.step import note
from tasks.traffic import Split, split_of


@dataclass(frozen=True)
class Look:
    """What was found: counts, doubts from outside them, and, when the alias is not as recorded, how it is."""

    judged: Judged
    doubts: tuple[Reason, ...]
    displaced: Reason | None


@dataclass(frozen=True)
class Under:
    """The parts of a record that holds a release, known to be there. `frozen`: why nothing goes on, if so."""

    rollout: Rollout
    challenger: Contender
    champion: Contender
    weight: float
    frozen: Reason | None

    @property
    def split(self) -> Split:
        """How the alias has to be."""
        return split_of(str(self.champion.function_version), str(self.challenger.function_version), self.weight)


def under(record: ControlRecord) -> Under | None:
    """Return the release that a record holds, or None."""
    if record.rollout is None or record.challenger is None or record.champion is None:
        return None
    return Under(record.rollout, record.challenger, record.champion, record.weight, stopped(record))


def watch(work: Work, found: Under) -> None:
    """Make sure that the challenger's version has its alarms: one may have been deleted, or never made."""
    version, plan = str(found.challenger.function_version), found.rollout.plan
    work.step("watch version", alarms.ensure, work.settings, work.product, version, plan)


def look(work: Work, found: Under) -> Look:
    """Count what was answered since the last look, and see where the alias points."""
    doubts = (*((found.frozen,) if found.frozen else ()), *_unwatched(work, found))
    judged = Judged(found.rollout.evidence, found.rollout.counted_until)
    try:
        counted = work.step(
            "count evidence",
            evidence.count,
            work.settings,
            work.product,
            work.function,
            found.rollout,
            found.champion,
            found.challenger,
            work.clock(),
        )
        judged = Judged(counted.evidence, counted.counted_until)
    except TropismError as error:
        note("evidence.unknown", level=logging.WARNING, product=work.product, error=str(error))
        expected = "the counts of both arms"
        doubts = (*doubts, Reason(Finding.METRIC_MISSING, None, f"nothing could be counted: {error.summary}", expected))
    return Look(judged, doubts, displaced(work, found))


def displaced(work: Work, found: Under) -> Reason | None:
    """Say how the alias differs from the record, or None. Somebody else moved it then, the guard or a person."""
    state = work.step("read alias", endpoint.alias, work.function)
    if state is not None and found.split.is_in(state):
        return None
    expected = f"{found.weight:.0%} to version {found.challenger.function_version}"
    return Reason(Finding.TRAFFIC_MOVED, None, shown(state), expected)


def shown(state: AliasState | None) -> str:
    """Say in words where an alias points."""
    return "no alias" if state is None else str(state)


def replayed(work: Work, found: Under, judged: Judged) -> Judged:
    """Replay logged requests through the challenger, since nobody asks anything; they are never counted as live."""
    try:
        version = str(found.challenger.function_version)
        sent = work.step("replay requests", replay.replay, work.settings, work.product, version, work.clock())
    except TropismError as error:
        note("replay.failed", level=logging.WARNING, product=work.product, error=str(error))
        return judged
    note("requests.replayed", product=work.product, version=version, requests=sent.requests, failed=sent.failed)
    evidence_now = with_replayed(judged.evidence, found.rollout.progress.step, sent.requests, sent.failed)
    return Judged(evidence_now, judged.counted_until, judged.reasons)


def thin_traffic(work: Work, plan: ReleasePlan) -> Reason | None:
    """Say that too few requests came lately to judge a release by; None when enough did, or it is not known."""
    within, wanted = look_back(plan), enough(plan)
    try:
        recent: int | None = work.step(
            "count recent requests",
            evidence.recent_requests,
            work.settings,
            work.product,
            work.function,
            work.clock(),
            within=within,
            enough=wanted,
        )
    except TropismError as error:
        note("traffic.unknown", level=logging.WARNING, product=work.product, error=str(error))
        return None
    return too_thin(plan, recent)


def _unwatched(work: Work, found: Under) -> tuple[Reason, ...]:
    """Watch the challenger's version; say when that cannot be done. What was answered is judged all the same."""
    try:
        watch(work, found)
    except TropismError as error:
        note("version.unwatched", level=logging.WARNING, product=work.product, error=str(error))
        return (Reason(Finding.UNWATCHED, None, error.summary, "alarms that the guard hears"),)
    return ()
