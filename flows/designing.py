"""What an experiment is to be: its plan from what somebody wants, and the function version that carries its arms.

Not a flow; moves no traffic. Giving it the requests is `flows/experiment.py`.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from flows.following import Work
from lifecycle import smoke, spec
from lifecycle.bundle import MANIFEST
from lifecycle.eligibility import PASSED, served
from lifecycle.errors import ReleaseError, UsageError
from lifecycle.experiment_plan import ArmPlan, ExperimentPlan, ExperimentRecord, Goal
from lifecycle.manifest import Release
from tasks import control, experiments, function_versions, ledger, moulds, registry
from tasks.packages import Carried

CHAMPION = "champion"


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to try: arms as (name, model version, share of the units), and which labels are better."""

    name: str
    arms: tuple[tuple[str, str, float], ...]
    goal: Goal
    column: str | None = None
    low: float = 0.0
    high: float = 1.0


def plan_of(work: Work, wanted: Wanted) -> ExperimentPlan:
    """Return the plan of an experiment against the champion, which gets the units that are left.

    Raises ReleaseError when nothing serves or an arm never passed the gate, UsageError when it is no experiment.
    """
    champion = work.step("read control record", control.read, work.bucket, work.product).record.champion
    if champion is None:
        raise ReleaseError(f"Nothing serves {work.product}.", detail="An experiment compares with the champion.")
    others = tuple(_arm(work, *arm) for arm in wanted.arms)
    left = 1 - math.fsum(arm.weight for arm in others)
    if left <= 0:
        raise UsageError("The arms leave nothing for the champion.", detail=f"Their shares sum to {1 - left:g}.")
    own = ArmPlan(name=CHAMPION, weight=left, model_version=champion.model_version, bundle=champion.bundle)
    try:
        return ExperimentPlan(
            name=wanted.name,
            arms=(own, *others),
            column=wanted.column,
            goal=wanted.goal,
            low=wanted.low,
            high=wanted.high,
        )
    except ValidationError as error:
        raise UsageError("That is no experiment.", detail=f"{error.errors()[0]['msg']}.") from error


def publish(work: Work, planned: ExperimentRecord) -> str:
    """Make the version that carries every arm, proven as each of them; return its number. Moves nothing."""
    features = spec.load(work.settings.products, work.product).predictions.features
    with tempfile.TemporaryDirectory(prefix="experiment-") as name:
        carried = {arm.name: _fetch(work, planned, arm, Path(name, arm.name)) for arm in planned.plan.arms}
        code = moulds.mould_code(work.settings)
        package = experiments.package(code, planned.plan, carried, features)
        made = work.step("publish version", function_versions.publish, work.bucket, work.function, package)
    contract = function_versions.bundle_of(work.bucket, work.function, made.number).contract
    arguments = (work.function, made.number, planned.plan, smoke.request(contract))
    work.step("ask every arm", experiments.prove, *arguments)
    return made.number


def _fetch(work: Work, planned: ExperimentRecord, arm: ArmPlan, folder: Path) -> Carried:
    """Fetch an arm's bundle: the champion's from the version that serves it, another one's from the registry."""
    if arm == planned.plan.champion:
        return work.step("fetch champion", function_versions.fetch, work.bucket, work.function, planned.own, folder)
    work.step("fetch bundle", registry.fetch_bundle, work.product, arm.model_version, folder)
    where = next(folder.rglob(MANIFEST)).parent
    return Carried(where, Release(arm.model_version, planned.planned_at.isoformat()))


def _arm(work: Work, name: str, model_version: str, weight: float) -> ArmPlan:
    """Return an arm of a registered model. One that neither passed the gate nor served may answer nobody."""
    model = work.step("read model version", registry.version_of, work.product, model_version)
    known = served(ledger.entries(work.bucket, work.product))
    if model.verdict != PASSED and model_version not in known:
        raise ReleaseError(
            f"Model {model_version} of {work.product} may not answer requests.",
            detail=f"Its verdict is {model.verdict or 'missing'!r}, expected {PASSED!r}, and it never served.",
            resolution=f"Name a model that passed the promotion gate: `tropism models {work.product}` lists them.",
        )
    try:
        return ArmPlan(name=name, weight=weight, model_version=model_version, bundle=model.bundle)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"The arm {name!r} cannot be.", detail=f"{first['loc'][0]}: {first['msg']}.") from error
