"""`tropism experiment start|status|stop`: several models on live requests, every unit keeping to one of them."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import context, output
from cli.shapes import Why
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from flows.experiment import Look
    from flows.following import Followed, Work
    from lifecycle.experiment import ArmOutcomes

Goal = Literal["higher", "lower"]
HELP = "Try models on live requests, every unit keeping to one of them."


@dataclass(frozen=True)
class ArmStatus:
    """One arm: its model, its share of the units, how many it got, how many have a label, and the mean label."""

    name: str
    model_version: str
    share: float
    units: int
    labels: int
    mean: float | None


@dataclass(frozen=True)
class Compared:
    """How strongly the labels say that one arm is better than another: a log e-value, against the one needed."""

    better: str
    than: str
    log_e: float
    needed: float


@dataclass(frozen=True)
class ExperimentStatus:
    """`experiment status`: where it stands and what can be said of it.

    `ended`: something else than `stop` took its requests, such as a rollback.
    """

    product: str
    name: str
    state: Literal["running", "stopped", "ended", "not_started"]
    since: str
    goal: Goal
    verdict: Literal["running", "winner", "broken_split", "cannot_judge"]
    winner: str | None
    reasons: tuple[Why, ...]
    arms: tuple[ArmStatus, ...]
    comparisons: tuple[Compared, ...]


@dataclass(frozen=True)
class Moved:
    """`experiment start` and `experiment stop`: which function version has the requests, and which one answers.

    `pending` names what the sweep still brings along.
    """

    product: str
    name: str
    function_version: str | None
    endpoint: str | None
    pending: tuple[str, ...]


def start(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The experiment's name; it is used once.")],
    *,
    arm: Annotated[list[str], typer.Option(help="An arm as NAME=MODEL:SHARE of the units, such as blue=4:0.3.")],
    goal: Annotated[str, typer.Option(help="Which labels are better: higher or lower.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the ledger with your name.")],
    unit: Annotated[
        str | None, typer.Option(help="The request's column that names the unit; else params.unit.")
    ] = None,
    low: Annotated[float, typer.Option(help="No label lies below.")] = 0.0,
    high: Annotated[float, typer.Option(help="No label lies above.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as an object.")] = False,
) -> None:
    """Give all requests to one function version that carries the champion and the arms named.

    The champion's arm gets the units that are left, and requests that name no unit. Every arm is asked for
    predictions before anything moves; then the endpoint itself is asked who answers. No release begins meanwhile.

    Example: tropism experiment start flights blue-or-not --arm blue=4:0.5 --goal lower --unit carrier --reason "fewer"
    """
    here = context.here(product)
    if not reason.strip():
        raise UsageError("An experiment needs a reason.", resolution='Say why: `--reason "…"`.')
    from flows import designing, experiment

    work = _work(here, product)
    wanted = designing.Wanted(name, tuple(map(_arm, arm)), _goal(goal), unit, low, high)
    _moved(here, product, name, experiment.start(work, designing.plan_of(work, wanted), reason), as_json=as_json)


def status(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print where it stands as an object.")] = False,
) -> None:
    """Say where the last experiment stands: who was exposed, which labels came, and which arm is better.

    One may look as often as one likes. Exit code 1 when it cannot be judged or its split is broken.

    Example: tropism experiment status flights
    """
    here = context.here(product)
    from flows import experiment

    found = shape(experiment.look(_work(here, product)))
    if as_json:
        output.emit(found)
    else:
        tell(found)
    if found.verdict in {"broken_split", "cannot_judge"}:
        raise typer.Exit(1)


def stop(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the ledger with your name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as an object.")] = False,
) -> None:
    """Give all requests back to the champion's own function version, which is proven first.

    Example: tropism experiment stop flights --reason "blue is better"
    """
    here = context.here(product)
    if not reason.strip():
        raise UsageError("The end of an experiment needs a reason.", resolution='Say why: `--reason "…"`.')
    from flows import experiment

    work = _work(here, product)
    name = experiment.last(work).plan.name
    _moved(here, product, name, experiment.stop(work, reason), as_json=as_json)


COMMANDS = (("start", start), ("status", status), ("stop", stop))


def shape(look: Look) -> ExperimentStatus:
    """Return a look as scripts see it."""
    plan, verdict = look.record.plan, look.verdict
    return ExperimentStatus(
        product=look.record.product,
        name=plan.name,
        state=look.state,
        since=output.stamp(look.record.planned_at),
        goal=plan.goal,
        verdict=verdict.state,
        winner=verdict.winner,
        reasons=tuple(Why(str(one.code), one.column, one.found, one.expected, one.rows) for one in verdict.reasons),
        arms=tuple(map(_arm_status, look.arms)),
        comparisons=tuple(Compared(one.better, one.than, one.log_e, one.needed) for one in verdict.comparisons),
    )


def tell(found: ExperimentStatus) -> None:
    """Print where an experiment stands."""
    output.say(f"Experiment {found.name} of {found.product}: {found.state} since {found.since}, {found.verdict}.")
    rows = [
        (arm.name, arm.model_version, f"{arm.share:.0%}", f"{arm.units:,}", f"{arm.labels:,}", _mean(arm.mean))
        for arm in found.arms
    ]
    output.table(("arm", "model", "share", "units", "labels", "mean label"), rows)
    for reason in found.reasons:
        output.say(f"{reason.code}: found {reason.found}, expected {reason.expected}.")


def _arm_status(arm: ArmOutcomes) -> ArmStatus:
    mean = float(arm.labels.mean()) if len(arm.labels) else None
    return ArmStatus(arm.plan.name, arm.plan.model_version, arm.plan.weight, arm.exposed, len(arm.labels), mean)


def _mean(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.4g}"


def _moved(here: context.Here, product: str, name: str, followed: Followed, *, as_json: bool) -> None:
    """Ask the endpoint who answers and print what was done. Exit code 1 when it is somebody else."""
    from tasks import endpoint

    champion = followed.held.record.champion
    wanted = champion.function_version if champion else None
    answers = endpoint.serving(here.settings, product)
    found = Moved(product, name, wanted, answers.function_version if answers else None, followed.pending)
    if as_json:
        output.emit(found)
    else:
        output.say(f"Function version {found.function_version} has the requests; {found.endpoint} answers.")
        if found.pending:
            output.say(f"The sweep brings along: {', '.join(found.pending)}.")
    if found.endpoint != found.function_version:
        raise typer.Exit(1)


def _work(here: context.Here, product: str) -> Work:
    from datetime import UTC, datetime

    from flows.following import IN_A_HURRY, Work
    from lifecycle.control import Actor
    from tasks.step import directly

    return Work(directly, here.settings, product, Actor(getpass.getuser(), datetime.now(UTC)), waits=IN_A_HURRY)


def _arm(text: str) -> tuple[str, str, float]:
    """Read NAME=MODEL:SHARE. Raises UsageError."""
    name, equals, rest = text.partition("=")
    version, colon, share = rest.partition(":")
    try:
        weight = float(share)
    except ValueError:
        weight = 0.0
    if not (equals and colon and name and version) or not 0 < weight < 1:
        raise UsageError(f"{text!r} is no arm.", detail="Expected NAME=MODEL:SHARE, such as blue=4:0.3.")
    return name, version, weight


def _goal(text: str) -> Goal:
    if text == "higher":
        return "higher"
    if text == "lower":
        return "lower"
    raise UsageError(f"{text!r} is no goal.", detail="Expected higher or lower.")
