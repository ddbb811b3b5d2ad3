"""What a release is able to notice, at the traffic that was measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lifecycle.control import Rollout
from lifecycle.release_plan import Expected, detectable_ratio


@dataclass(frozen=True)
class Outlook:
    """The traffic during the release, and the smallest ratio of errors that its plan takes back nine times in ten.

    `bad_share` is the champion's share of errors, as if one more request of two had failed: few requests without an
    error are no promise that there are none. `ratio` is None when no ratio can be noticed.
    """

    requests_per_hour: float
    bad_share: float
    ratio: float | None


def outlook(rollout: Rollout, now: datetime) -> Outlook | None:
    """Return what can be noticed, or None while it is not known how much is asked and how much of it fails."""
    asked, failed, theirs = 0, 0, 0
    for step in rollout.evidence.steps:
        ours, champion = step.challenger.requests, step.champion
        if ours is None or champion.requests is None or champion.errors is None:
            return None
        asked += ours + champion.requests
        failed, theirs = failed + champion.errors, theirs + champion.requests
    watched = sum(((window.until or now) - window.since for window in rollout.windows), timedelta())
    if not asked or not theirs or watched <= timedelta():
        return None
    rate, share = asked / (watched / timedelta(hours=1)), (failed + 1) / (theirs + 2)
    return Outlook(rate, share, detectable_ratio(rollout.plan, Expected(rate, share)))
