"""Sweep: find what was missed or lost, and repair it.

Events only wake; what they failed to wake is found here by what lies in the bucket, the ledger, the control record
and Prefect. Lost runs come first, then each product: a change of champion left half done, records that disagree,
deliveries and models nobody worked on, function versions nobody needs. One part that fails keeps no other from its
work. Decisions are `lifecycle/lost.py`, `lifecycle/repair.py` and `lifecycle/pruning.py`; everything here may be
repeated, by two sweeps at once as well.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows import mending, waking
from flows.mending import Place
from lifecycle import spec
from lifecycle.errors import ServiceError, TropismError
from lifecycle.lost import Run
from lifecycle.markup import plain
from tasks import pruning, runs
from tasks.clients import settings
from tasks.step import as_task, note

# A sweep is woken again at the next event and by its schedule; it must never be the thing that hangs.
_BUDGET_SECONDS = 150.0


@dataclass(frozen=True)
class Swept:
    """What a sweep did, one sentence each; `failed` names the parts that could not be looked at."""

    cause: str
    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def to_markdown(self) -> str:
        """Return a page for people."""
        lines = ["# Sweep", "", f"Woken by: {plain(self.cause)}", ""]
        lines += [f"- {plain(told)}" for told in self.done]
        lines += [f"- **not looked at:** {plain(told)}" for told in self.failed]
        return "\n".join(lines)


@dataclass
class _Diary:
    """Collects what was done, and what failed."""

    cause: str
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def look(self, what: str, work: Callable[[], Iterable[str]]) -> None:
        """Do one part of the work; a service that fails is noted and keeps no other part from its turn."""
        try:
            self.done.extend(work())
        except TropismError as error:
            note("sweep.part_failed", level=logging.WARNING, what=what, error=str(error))
            self.failed.append(f"{what}: {error}")

    def closed(self) -> Swept:
        """Return what there is to tell."""
        return Swept(self.cause, tuple(self.done), tuple(self.failed))


@flow(name="sweep")
def sweep(product: str | None = None, cause: str = "schedule") -> Swept:
    """Repair what was missed or lost, for one product or all. Fails at its end when a part could not be looked at."""
    where = settings()
    # The server's clock dates the states: by one of its own that jumped, a sweep would take the living for dead.
    place = Place(as_task, where, f"sweep/{flow_run.get_id() or 'unknown'}", cause, runs.now())
    swept = carry_out(place, [product] if product else spec.names(where.products))
    if swept.done:
        create_markdown_artifact(swept.to_markdown(), key="sweep", description=f"{len(swept.done)} repairs")
    if swept.failed:
        raise ServiceError(
            f"The sweep could not look at everything: {len(swept.failed)} parts failed.",
            detail=" ".join(swept.failed),
            resolution="See what is down with `tropism doctor`; the next sweep tries again.",
        )
    return swept


def carry_out(place: Place, products: Iterable[str]) -> Swept:
    """Sweep, and say what was done. A second sweep right after finds nothing to do."""
    diary, until = _Diary(place.cause), time.monotonic() + _BUDGET_SECONDS
    diary.look("runs", lambda: mending.mend_runs(place))
    active: tuple[Run, ...] | None = None
    try:
        active = runs.unfinished()
    except ServiceError as error:
        diary.failed.append(f"unfinished runs: {error}")
    for product in products:
        if time.monotonic() > until:
            diary.failed.append(f"{product}: no time was left")
            continue
        _sweep_product(place, diary, product, active)
    swept = diary.closed()
    note("sweep.ended", cause=swept.cause, done=len(swept.done), failed=len(swept.failed))
    return swept


def _sweep_product(place: Place, diary: _Diary, product: str, active: tuple[Run, ...] | None) -> None:
    """Sweep one product. Without knowing who works, only what is true whoever works is repaired."""
    working = active or ()
    diary.look(f"{product}: what serves", lambda: mending.mend_champion(place, product, working))
    if active is None:
        return
    diary.look(f"{product}: deliveries", lambda: waking.wake_ingest(place, product, working))
    diary.look(f"{product}: training", lambda: waking.wake_train(place, product, working))
    diary.look(f"{product}: release", lambda: waking.wake_release(place, product, working))
    diary.look(f"{product}: old versions", lambda: _forget(place, product))


def _forget(place: Place, product: str) -> Iterator[str]:
    """Delete old function versions; without a `product.yaml` nothing says how many stay, and all do."""
    if product not in spec.names(place.settings.products):
        return
    plan = spec.load(place.settings.products, product).release
    for one in pruning.prune(place.settings, product, plan, place.now):
        note("version.deleted", product=product, function_version=one.number, reason=one.reason)
        yield f"{product}: function version {one.number} is deleted, {one.reason}."
