"""The next look at a release: a scheduled run of the deployment `release`. Nothing waits in between.

There is one run per look, by its idempotency key. When it cannot be scheduled the sweep finds that it is overdue.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings
from prefect.states import Scheduled

from lifecycle.errors import ServiceError

DEPLOYMENT = "release/release"


@dataclass(frozen=True)
class Tick:
    """A look at a release: its number, and when it is due."""

    product: str
    model_version: str
    bundle: str
    number: int
    due: datetime

    @property
    def key(self) -> str:
        """Return what makes a second run for the same look the same run."""
        return f"tick/{self.product}/{self.model_version}/{self.bundle[:12]}/{self.number}"


def schedule(tick: Tick) -> str:
    """Schedule a look and return its flow run's id; scheduled before, that run is returned.

    Raises ServiceError when Prefect does not answer, or has no such deployment.
    """
    with _client() as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        made = client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"product": tick.product, "model_version": tick.model_version},
            state=Scheduled(scheduled_time=tick.due),
            idempotency_key=tick.key,
            name=f"{tick.product}-model-{tick.model_version}-look-{tick.number}",
        )
    return str(made.id)


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    """Open a client and turn its errors into ours. Without an address Prefect would start a server of its own."""
    if not get_current_settings().api.url:
        raise ServiceError("No look at the release could be scheduled.", detail="PREFECT_API_URL is not set.")
    try:
        with get_client(sync_client=True) as client:
            yield client
    except ObjectNotFound as error:
        raise ServiceError(
            f"Prefect has no deployment {DEPLOYMENT!r}, so no look at the release could be scheduled.",
            resolution="Deploy with `tropism apply` or `tropism up`.",
        ) from error
    except (httpx.HTTPError, PrefectHTTPStatusError, ValueError) as error:
        raise ServiceError(
            "Prefect does not answer as it should.",
            detail=f"{type(error).__name__}: {str(error)[:300]}",
            resolution="See what is down with `tropism doctor`; the sweep wakes what is overdue.",
        ) from error
