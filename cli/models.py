"""`tropism models`: every version of a product's model, its verdict, and which one serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output

if TYPE_CHECKING:
    from lifecycle.control import ControlRecord
    from tasks.registry import ModelVersion


@dataclass(frozen=True)
class Model:
    """`models`: one version; `role` is what the control record says of it, `reasons` are the gate's sentences."""

    version: str
    verdict: str
    role: str | None
    bundle: str
    mlflow_run: str
    reasons: tuple[str, ...]


def models(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of versions.")] = False,
) -> None:
    """List the versions of a product's model, newest first.

    Example: tropism models flights
    """
    here = context.here(product)
    from tasks import control, registry

    record = control.read(here.bucket, product).record
    found = [model(version, record) for version in registry.versions(product)]
    if as_json:
        output.emit(found)
    elif not found:
        output.say(f"No model of {product} was trained yet. Bring data: `tropism drop {product} FILE --wait`.")
    else:
        rows = [
            (one.version, one.verdict, one.role or "", output.short(one.bundle), one.mlflow_run, " ".join(one.reasons))
            for one in found
        ]
        output.table(("version", "verdict", "role", "bundle", "MLflow run", "why"), rows, right=("version",))


def model(version: ModelVersion, record: ControlRecord) -> Model:
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
    )


def role_of(version: str, record: ControlRecord) -> str | None:
    """Return the role a version has in the control record."""
    roles = {"champion": record.champion, "challenger": record.challenger, "previous": record.previous}
    return next((role for role, held in roles.items() if held is not None and held.model_version == version), None)
