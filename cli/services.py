"""Whether the configured services answer and work: the bucket, Prefect and its workers, MLflow, notifications.

Only configured addresses are asked, and nothing is changed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from cli.context import Here
from cli.findings import Finding, guarded, missing, notice, ok

POOLS = ("ecs", "lambda")
RECENT = timedelta(hours=24)  # a working day's failures are worth a line, older ones are history
_OFF = {"DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"}


def look(here: Here) -> list[Finding]:
    """Check every service; one that does not answer does not hide the others."""
    found = guarded("bucket", lambda: [_bucket(here)])
    found += guarded("Prefect", lambda: _prefect(here))
    found += [_mlflow(here), _telemetry()]
    return found


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
    same = server == client
    found = [
        ok("Prefect", f"{server} at {prefect.api}")
        if same
        else missing("Prefect", f"the server is {server}, this is {client}", f"Run both at {client}.")
    ]
    online = {pool.name: pool.online for pool in prefect.pools()}
    for name in POOLS:
        workers = online.get(name, ())
        found.append(
            ok(f"work pool {name}", f"{len(workers)} worker{'s' * (len(workers) != 1)} online")
            if workers
            else missing(
                f"work pool {name}",
                "no worker is online" if name in online else "there is no such pool",
                "Run `tropism up`." if here.local else f"Start one: `prefect worker start --pool {name}`.",
            )
        )
    return found + _automations(here)


def _automations(here: Here) -> list[Finding]:
    prefect = here.prefect()
    failed = prefect.failed_actions(since=datetime.now(UTC) - RECENT)
    if failed:
        last = failed[0]
        said = f"{len(failed)} failed to act within a day; last {last.automation}: {last.reason}"
        return [missing("automations", said, f"Look at {prefect.ui}/events, then deploy again with `tropism up`.")]
    names = prefect.automations()
    if not names:
        return [missing("automations", "there are none, so no event wakes anything", "Run `tropism up`.")]
    return [ok("automations", f"{len(names)} enabled, none failed to act within a day")]


def _mlflow(here: Here) -> Finding:
    uri = here.settings.mlflow_tracking_uri
    if uri is None:
        return missing("MLflow", "MLFLOW_TRACKING_URI is not set", "Run `tropism up`, or set it to your MLflow.")
    return ok("MLflow", f"tracking at {uri}")


def _telemetry() -> Finding:
    if any(os.environ.get(name, "").lower() in {"1", "true"} for name in _OFF):
        return ok("telemetry", "off")
    return notice("telemetry", "Prefect and MLflow may report usage", "Set DO_NOT_TRACK=1.")
