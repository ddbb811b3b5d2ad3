"""Whether the configured services answer and work: the bucket, Prefect and its workers, MLflow, notifications.

Only configured addresses are asked, and nothing is changed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from cli.context import Here
from cli.findings import Finding, guarded, missing, notice, ok

if TYPE_CHECKING:
    from cli.orchestrator import Orchestrator

POOLS = ("ecs", "lambda")
RECENT = timedelta(hours=24)  # a working day's failures are worth a line, older ones are history
_OFF = ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY")


def look(here: Here) -> list[Finding]:
    """Check every service; one that does not answer does not hide the others, unless nothing runs at all."""
    if here.local and (stopped := _stopped()) is not None:
        return [stopped]
    found = guarded("local cloud", _local) if here.local else []
    found += guarded("bucket", lambda: [_bucket(here)])
    found += guarded("Prefect", lambda: _prefect(here))
    found += guarded("MLflow", lambda: [_mlflow(here)])
    return [*found, _telemetry()]


def _stopped() -> Finding | None:
    from localcloud import address, supervision

    cloud = address.load()
    if supervision.answers(cloud):
        return None
    return missing("local cloud", f"the one in {cloud.home.path} is stopped", "Run `tropism up`.")


def _local() -> list[Finding]:
    """Ask each of the local cloud's services whether it works."""
    from localcloud import address, health, supervision

    cloud = address.load()
    broken = sorted(name for name, works in health.statuses(cloud).items() if not works)
    if broken:
        logs = ", ".join(str(supervision.log_of(cloud, name)) for name in broken)
        return [missing("local cloud", f"{', '.join(broken)} do not work; see {logs}", "Run `tropism up`.")]
    return [ok("local cloud", f"every service in {cloud.home.path} works")]


def _bucket(here: Here) -> Finding:
    from tasks.clients import s3

    where = f"s3://{here.bucket}"
    status = s3().get_bucket_versioning(Bucket=here.bucket).get("Status", "off")
    if status == "Enabled":
        return ok("bucket", f"{where} answers, versioned")
    return missing("bucket", f"{where} has versioning {status}", "Deploy the stack again: it turns versioning on.")


def _prefect(here: Here) -> list[Finding]:
    prefect = here.prefect()
    server, client = prefect.version(), version("prefect")
    found = [ok("Prefect", f"{server} at {prefect.api}")]
    if server != client:
        found = [missing("Prefect", f"the server is {server}, this is {client}", f"Run both at {client}.")]
    workers = {pool.name: pool.online for pool in prefect.pools()}
    found += [_pool(name, workers.get(name), local=here.local) for name in POOLS]
    return [*found, _automations(prefect), *_notifications(here, prefect)]


def _pool(name: str, workers: tuple[str, ...] | None, *, local: bool) -> Finding:
    if workers:
        return ok(f"work pool {name}", f"online: {', '.join(workers)}")
    found = "there is no such pool" if workers is None else "no worker is online, so its runs wait"
    start = "Run `tropism up`." if local else f"Start one: `prefect worker start --pool {name} --type {name}`."
    return missing(f"work pool {name}", found, start)


def _automations(prefect: Orchestrator) -> Finding:
    failed = prefect.failed_actions(since=datetime.now(UTC) - RECENT)
    if failed:
        last = failed[0]
        said = f"{len(failed)} failed to act within a day; last {last.automation}: {last.reason}"
        return missing("automations", said, f"See {prefect.ui}/events; then mend what the reason names.")
    names = [automation.name for automation in prefect.automations() if automation.enabled]
    if not names:
        return missing("automations", "none is enabled, so no event wakes anything", "Run `tropism up`.")
    return ok("automations", f"{len(names)} enabled, none failed to act within a day")


def _notifications(here: Here, prefect: Orchestrator) -> list[Finding]:
    """Say which products tell whom of a breach, and whether what they name can tell anybody."""
    blocks = {block.name: block.tells for block in prefect.blocks()}
    named = {name: _told(here, name) for name in here.products()}
    faulty = [
        f"{block} of {product} {'sends no messages' if block in blocks else 'is not among the blocks of Prefect'}"
        for product, wanted in named.items()
        for block in wanted
        if not blocks.get(block)
    ]
    if faulty:
        return [
            missing(
                "notifications",
                "; ".join(faulty),
                f"Save it at {prefect.ui}/blocks/catalog, or mend monitor.respond.notify in product.yaml.",
            )
        ]
    telling = [f"{product} tells {', '.join(wanted)}" for product, wanted in named.items() if wanted]
    if any(automation.notifies for automation in prefect.automations()):
        telling.append("an automation sends them")
    silent = [product for product, wanted in named.items() if not wanted]
    if telling and not silent:
        return [ok("notifications", "; ".join(telling))]
    none = "none configured, so none is sent" if not telling else f"none configured for {', '.join(silent)}"
    how = "Name a block under monitor.respond.notify in product.yaml; docs/operate.md says how."
    return [notice("notifications", "; ".join([*telling, none]), how)]


def _told(here: Here, product: str) -> tuple[str, ...]:
    """Return the blocks a product names; a file that cannot be read is a finding of its own."""
    from lifecycle.errors import TropismError

    try:
        return here.product(product).monitor.respond.notify
    except TropismError:
        return ()


def _mlflow(here: Here) -> Finding:
    from tasks import registry

    uri = here.settings.mlflow_tracking_uri
    if uri is None:
        return missing("MLflow", "MLFLOW_TRACKING_URI is not set", "Run `tropism up`, or set it to your MLflow.")
    names = [name for name in here.products() if registry.model_aliases(name)]
    return ok("MLflow", f"{uri} answers, {len(names)} products have a champion there")


def _telemetry() -> Finding:
    on = [name for name in _OFF if os.environ.get(name, "").lower() not in {"1", "true"}]
    if not on:
        return ok("telemetry", "off")
    return notice("telemetry", "Prefect and MLflow may report usage", f"Set {' and '.join(f'{n}=true' for n in on)}.")
