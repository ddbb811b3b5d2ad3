"""Follow deliveries from landing to their end: the record of the delivery, the model it led to, the release.

The bucket and the registry are believed; Prefect is asked for links and to learn that a run ended badly. Nothing
is started here: what is waited for was woken by an event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.landing import Landed
from cli.verdicts import Verdict, Verdicts
from lifecycle.errors import ServiceError
from lifecycle.keys import place_of

if TYPE_CHECKING:
    from cli.context import Here
    from cli.orchestrator import Run
    from lifecycle.delivery import Delivery

POLL_SECONDS = 1.0
# The sweep runs a lost run again within 90 seconds; a run that failed by itself is not run again.
PATIENCE_SECONDS = {"CRASHED": 150.0, "CANCELLED": 150.0, "FAILED": 20.0}


@dataclass(frozen=True)
class Sight:
    """What is known of one delivery right now; `waiting` is empty once it has come to its end."""

    landed: Landed
    delivery: Delivery | None
    verdict: Verdict | None
    waiting: str
    run: Run | None

    @property
    def ended(self) -> bool:
        """Say whether nothing more is to come."""
        return not self.waiting


@dataclass
class Follower:
    """Looks after several deliveries of one product at once."""

    here: Here
    product: str
    since: datetime
    verdicts: Verdicts = field(init=False)
    _broken: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with nothing known."""
        self.verdicts = Verdicts(self.here.bucket, self.product)

    def follow(self, landed: Sequence[Landed], *, timeout: float, show: Callable[[Sight], None]) -> tuple[Sight, ...]:
        """Wait until each delivery has ended. Raises ServiceError with the last known state when one does not."""
        deadline = time.monotonic() + timeout
        sights: dict[str, Sight] = {}
        while True:
            for one in landed:
                last = sights.get(one.delivery_id)
                if last is None or not last.ended:
                    sights[one.delivery_id] = self.look(one)
                    show(sights[one.delivery_id])
            if all(sight.ended for sight in sights.values()):
                return tuple(sights[one.delivery_id] for one in landed)
            if time.monotonic() > deadline:
                raise _late(next(sight for sight in sights.values() if not sight.ended), timeout)
            time.sleep(POLL_SECONDS)

    def look(self, landed: Landed) -> Sight:
        """Return what is known of a delivery now. Raises ServiceError when its run ended badly and stays so."""
        from cli import deliveries

        found = deliveries.read(self.here.bucket, self.product, landed.delivery_id)
        if found is not None and not found.knows(landed.object_version):
            found = None  # it is about what had come before
        if found is None or not found.ended:
            run = self._run("ingest", landed, owner=found.owner if found else None)
            woken = "has woken ingest" if run else "waits for its event to wake ingest"
            waiting = woken if found is None else "is being checked" if found.state == "claimed" else "waits for parts"
            return self._unless_broken(Sight(landed, found, None, waiting, run))
        if found.state != "validated" or found.waits_for_labels:
            return Sight(landed, found, None, "", None)
        verdict = self.verdicts.of(found.batch_id or landed.batch_id)
        if verdict is None:
            sight = Sight(landed, found, None, "is validated, a model is trained on it", self._run("train", landed))
            return self._unless_broken(sight)
        if verdict.settled:
            return Sight(landed, found, verdict, "", None)
        waiting = f"led to model {verdict.version}, which is being released"
        return self._unless_broken(Sight(landed, found, verdict, waiting, self._run("release", landed)))

    def _run(self, flow: str, landed: Landed, *, owner: str | None = None) -> Run | None:
        """Return the newest run that works on this, or None when Prefect knows none or does not answer."""
        try:
            runs = self.here.prefect().runs(flow, since=self.since, product=self.product)
        except ServiceError:
            return None
        if flow == "ingest":
            places = ((run, place_of(str(run.parameters.get("key")))) for run in runs)
            runs = tuple(run for run, place in places if run.id == owner or place == landed.key)
        return runs[0] if runs else None

    def _unless_broken(self, sight: Sight) -> Sight:
        run = sight.run
        if run is None or not run.ended_badly:
            self._broken.pop(sight.landed.delivery_id, None)
            return sight
        seen, at = self._broken.get(sight.landed.delivery_id, ("", 0.0))
        if seen != run.id:
            at = time.monotonic()
            self._broken[sight.landed.delivery_id] = (run.id, at)
        if time.monotonic() - at > PATIENCE_SECONDS.get(run.state, 0.0):
            raise ServiceError(
                f"{sight.landed.path.name} {sight.waiting}, and the {run.flow} run {run.name!r} ended {run.state}.",
                detail=run.message.rstrip(".") + "." if run.message else "",
                resolution=f"See {run.page}, then `tropism status {self.product}`.",
            )
        return sight


def start(here: Here, product: str) -> Follower:
    """Return a follower of what lands from now on."""
    return Follower(here, product, datetime.now(UTC))


def _late(sight: Sight, timeout: float) -> ServiceError:
    where = f"Its run is {sight.run.page} ({sight.run.state})." if sight.run else "Prefect knows of no run for it."
    return ServiceError(
        f"{sight.landed.path.name} {sight.waiting}, still after {timeout:.0f} s.",
        detail=where,
        resolution="It goes on without you; look with `tropism status`, or wait longer with `--timeout SECONDS`.",
    )
