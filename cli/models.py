"""`tropism models`: every version of a product's model, its verdict, which one serves, and what is still published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output

if TYPE_CHECKING:
    from cli.context import Here
    from lifecycle.control import ControlRecord
    from tasks.function_versions import FunctionVersion
    from tasks.registry import ModelVersion


@dataclass(frozen=True)
class Model:
    """`models`: one version; `role` is what the control record says of it, `reasons` are the gate's sentences.

    `function_versions`: the published versions of the function that carry it.
    """

    version: str
    verdict: str
    role: str | None
    bundle: str
    mlflow_run: str
    reasons: tuple[str, ...]
    function_versions: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """`models --published`: one version of the function; the sweep deletes it when `prune` says so, for `reason`."""

    function_version: str
    description: str
    prune: bool
    reason: str


def models(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    published: Annotated[
        bool,
        typer.Option("--published", help="List the function's versions instead, and which ones the sweep deletes."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of versions.")] = False,
) -> None:
    """List the versions of a product's model, newest first.

    Example: tropism models flights
    """
    here = context.here(product)
    if published:
        _list_published(here, product, as_json=as_json)
        return
    from tasks import control, function_versions, registry

    record = control.read(here.bucket, product).record
    there = tuple(function_versions.published(here.settings.predict_function(product)))
    found = [model(version, record, there) for version in registry.versions(product)]
    if as_json:
        output.emit(found)
    elif not found:
        output.say(f"No model of {product} was trained yet. Bring data: `tropism drop {product} FILE --wait`.")
    else:
        rows = [_row(one) for one in found]
        titles = ("version", "verdict", "role", "published as", "bundle", "MLflow run", "why")
        output.table(titles, rows, right=("version",))


def model(version: ModelVersion, record: ControlRecord, published: Sequence[FunctionVersion]) -> Model:
    """Return a registered version as scripts see it."""
    from lifecycle.challenge import Challenge

    decision = Challenge.model_validate_json(version.decision)
    return Model(
        version=version.version,
        verdict=version.verdict,
        role=role_of(version.version, record),
        bundle=version.bundle,
        mlflow_run=version.mlflow_run,
        reasons=decision.sentences,
        function_versions=tuple(one.number for one in published if one.carries(version.bundle)),
    )


def role_of(version: str, record: ControlRecord) -> str | None:
    """Return the role a version has in the control record."""
    roles = {"champion": record.champion, "challenger": record.challenger, "previous": record.previous}
    return next((role for role, held in roles.items() if held is not None and held.model_version == version), None)


def _row(one: Model) -> tuple[str, ...]:
    numbers, bundle = ", ".join(one.function_versions), output.short(one.bundle)
    return (one.version, one.verdict, one.role or "", numbers, bundle, one.mlflow_run, " ".join(one.reasons))


def _list_published(here: Here, product: str, *, as_json: bool) -> None:
    """Print every published function version, and whether the sweep would delete it."""
    from tasks import function_versions, pruning

    plan = here.product(product).release
    descriptions = {
        one.number: one.description for one in function_versions.published(here.settings.predict_function(product))
    }
    judged = pruning.judged(here.settings, product, plan, datetime.now(UTC))
    found = [Published(one.number, descriptions.get(one.number, ""), one.prune, one.reason) for one in judged]
    if as_json:
        output.emit(found)
    elif not found:
        output.say(f"Nothing of {product} was published yet.")
    else:
        rows = [(one.function_version, one.description, "goes" if one.prune else "stays", one.reason) for one in found]
        output.table(("function version", "carries", "sweep", "why"), rows, right=("function version",))
