"""`tropism up` and `tropism down`: the cloud on this machine, and where it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output, status
from lifecycle.errors import LocalCloudError, UsageError

if TYPE_CHECKING:
    from localcloud.address import LocalCloud


@dataclass(frozen=True)
class Stopped:
    """`down`: the folder of the local cloud, whether there was one, and whether it was forgotten."""

    home: str
    stopped: bool
    wiped: bool


def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget everything first: data, models, runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as an object.")] = False,
) -> None:
    """Start the local cloud, Prefect, the workers and the deployments; print where they are.

    A second call changes nothing. Ports are found free and remembered; TROPISM_EMULATOR_PORT and
    TROPISM_PREFECT_PORT choose them.

    Example: tropism up
    """
    changed = start(fresh=fresh, quiet=as_json)
    here = context.here()
    if as_json:
        output.emit(status.services(here))
        return
    output.say("The local cloud runs." if changed else "Nothing changed: everything runs already.")
    addresses(here)


def down(
    wipe: Annotated[bool, typer.Option("--wipe", help="Forget everything as well: data, models, runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as an object.")] = False,
) -> None:
    """Stop everything `tropism up` started; data and models stay for the next `up`.

    Example: tropism down
    """
    from localcloud.address import Home, find
    from localcloud.down import down as stop

    home = Home.chosen()
    existed = find(home) is not None
    with output.progress("Stopping the local cloud", quiet=as_json):
        stop(wipe=wipe, home=home)
    if as_json:
        output.emit(Stopped(str(home.path), existed, wipe))
    elif not existed:
        output.say(f"Nothing ran: there is no local cloud in {home.path}.")
    else:
        kept = "everything is forgotten" if wipe else "data and models stay; `tropism up` goes on with them"
        output.say(f"The local cloud is stopped, {kept}.")


def start(*, fresh: bool = False, quiet: bool = False) -> bool:
    """Bring the local cloud up and return whether anything had to change. Raises UsageError on an account."""
    from localcloud.up import up as bring_up

    if context.BUCKET in os.environ:
        raise UsageError(
            f"{context.BUCKET} is set, so commands work on an account.", resolution="Unset it for a local cloud."
        )
    before = None if fresh else _fingerprint()
    with output.progress("Looking at the local cloud", quiet=quiet) as line:
        cloud = bring_up(fresh=fresh, progress=line.update)
    return before is None or before != _fingerprint_of(cloud)


def addresses(here: context.Here) -> None:
    """Print the addresses to look around at: Prefect, MLflow, AWS, and each product's endpoint."""
    found = status.services(here)
    lines = [
        ("Prefect", found.prefect.ui or "not set"),
        ("MLflow", status.mlflow_page(found.mlflow)),
        ("AWS", f"{found.aws.endpoint}  (aws --endpoint-url …, bucket {here.bucket})"),
    ]
    for name in here.products():
        url = status.address_of(here, name)
        lines.append((f"{name}", url or f"no endpoint before the first model: tropism drop {name} FILE --wait"))
    output.facts(lines, indent=2)


def _fingerprint() -> object:
    """Return what a start would change: the processes and what was deployed; None when nothing runs."""
    from localcloud.address import find

    try:
        cloud = find()
    except LocalCloudError:
        return None
    return _fingerprint_of(cloud) if cloud is not None else None


def _fingerprint_of(cloud: LocalCloud) -> object:
    from localcloud import supervision

    if not supervision.answers(cloud):
        return None
    deployed = cloud.home.path / "bootstrap.json"
    processes = {name: supervised.pid for name, supervised in supervision.listing(cloud).items()}
    return processes, deployed.read_bytes() if deployed.exists() else b""
