"""What Prefect knows: which runs there are, which workers are online, which automations failed to act.

Read-only, over the server's REST API: importing Prefect costs two seconds, asking costs milliseconds. Nothing
is started here and nothing is decided on what it says; the truth about batches and models is in the bucket.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lifecycle.errors import ServiceError

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 10.0
_PAGE = 200  # the server's own limit for one page of runs
_TELLING = frozenset({"send-notification", "call-webhook"})
LOOK, LOOKED = "tick/", "the look before it"  # the key of a look that a release scheduled itself, see tasks/ticks.py
ENDED_BADLY = frozenset({"FAILED", "CRASHED", "CANCELLED"})


@dataclass(frozen=True)
class Run:
    """One flow run; `state` is Prefect's state type in capitals, `cause` the automation or the look that made it."""

    id: str
    flow: str
    name: str
    state: str
    message: str
    parameters: Mapping[str, object]
    created: datetime
    page: str
    cause: str | None

    @property
    def ended_badly(self) -> bool:
        """Say whether the run ended and did not complete."""
        return self.state in ENDED_BADLY


@dataclass(frozen=True)
class FailedAction:
    """An automation that fired and could not do what it was told."""

    at: datetime
    automation: str
    reason: str


@dataclass(frozen=True)
class Automation:
    """An automation; it `notifies` when one of its actions tells a person."""

    name: str
    enabled: bool
    notifies: bool


@dataclass(frozen=True)
class Block:
    """A block by its `<type>/<name>`; it `tells` when a message can be sent through it."""

    name: str
    tells: bool


@dataclass(frozen=True)
class WorkPool:
    """A work pool, its type and the names of the workers that answered lately."""

    name: str
    type: str
    online: tuple[str, ...]


@dataclass(frozen=True)
class Orchestrator:
    """Prefect at one address; `api` is up to and with `/api`."""

    api: str

    @property
    def ui(self) -> str:
        """Return the address of Prefect's pages."""
        return os.environ.get("PREFECT_UI_URL") or self.api.removesuffix("/api")

    def version(self) -> str:
        """Return the server's version."""
        return str(self._ask("GET", "/admin/version"))

    def runs(self, flow: str, *, since: datetime, product: str | None = None) -> tuple[Run, ...]:
        """Return the runs of a flow created since, newest first, of one product or of all."""
        wanted = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"expected_start_time": {"after_": since.astimezone(UTC).isoformat()}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": _PAGE,
        }
        found = (self._run(flow, item) for item in self._ask("POST", "/flow_runs/filter", wanted))
        return tuple(run for run in found if product is None or run.parameters.get("product") == product)

    def page(self, flow_run_id: str) -> str:
        """Return the page of a run."""
        return f"{self.ui}/runs/flow-run/{flow_run_id}"

    def failed_actions(self, *, since: datetime) -> tuple[FailedAction, ...]:
        """Return the automations that failed to act, newest first."""
        wanted = {
            "filter": {
                "event": {"name": ["prefect.automation.action.failed"]},
                "occurred": {"since": since.astimezone(UTC).isoformat()},
            },
            "limit": 50,
        }
        return tuple(
            FailedAction(
                at=datetime.fromisoformat(event["occurred"]),
                automation=str(event["resource"].get("prefect.resource.name", "an automation")),
                reason=str(event["payload"].get("reason", "no reason given")),
            )
            for event in self._ask("POST", "/events/filter", wanted)["events"]
        )

    def pools(self) -> tuple[WorkPool, ...]:
        """Return the work pools, by name."""
        found = self._ask("POST", "/work_pools/filter", {})
        pools = (WorkPool(pool["name"], pool["type"], self._online(pool["name"])) for pool in found)
        return tuple(sorted(pools, key=lambda pool: pool.name))

    def automations(self) -> tuple[Automation, ...]:
        """Return the automations, by name."""
        found = self._ask("POST", "/automations/filter", {"limit": _PAGE})
        made = (
            Automation(item["name"], item["enabled"], any(act["type"] in _TELLING for act in item["actions"]))
            for item in found
        )
        return tuple(sorted(made, key=lambda automation: automation.name))

    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks people saved, by name; nothing secret is asked for."""
        found = self._ask("POST", "/block_documents/filter", {"include_secrets": False, "limit": _PAGE})
        made = (
            Block(
                f"{item['block_type']['slug']}/{item['name']}",
                item["block_type"]["slug"] == "webhook" or "notify" in item["block_schema"]["capabilities"],
            )
            for item in found
        )
        return tuple(sorted(made, key=lambda block: block.name))

    def _online(self, pool: str) -> tuple[str, ...]:
        found = self._ask("POST", f"/work_pools/{pool}/workers/filter", {})
        return tuple(sorted(worker["name"] for worker in found if worker.get("status") == "ONLINE"))

    def _run(self, flow: str, item: Mapping[str, Any]) -> Run:
        state = item.get("state") or {}
        return Run(
            id=item["id"],
            flow=flow,
            name=item["name"],
            state=str(item.get("state_type") or "PENDING"),
            message=str(state.get("message") or ""),
            parameters=item.get("parameters") or {},
            created=datetime.fromisoformat(item["created"]),
            page=self.page(item["id"]),
            cause=(item.get("created_by") or {}).get("display_value") or _look(item),
        )

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
        import httpx

        try:
            answer = _client().request(method, f"{self.api}{path}", json=body, headers=_key(), auth=_user())
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ServiceError(
                f"Prefect at {self.api} does not answer as it should.",
                detail=f"{method} {path}: {_found(error)}.",
                resolution="Run `tropism doctor`; on a laptop, `tropism up` starts it.",
            ) from error
        return answer.json()


def connect(api: object | None) -> Orchestrator:
    """Return Prefect at an address. Raises ServiceError when none is configured."""
    if api is None:
        raise ServiceError(
            "Nothing says where Prefect is.",
            detail="PREFECT_API_URL is not set.",
            resolution="Run `tropism up`, or set PREFECT_API_URL to the server's address with `/api`.",
        )
    return Orchestrator(str(api).rstrip("/"))


@lru_cache(maxsize=1)
def _client() -> httpx.Client:
    """Return the one client of this process: making one costs more than a question."""
    import httpx

    return httpx.Client(timeout=TIMEOUT_SECONDS)


def _user() -> tuple[str, str] | None:
    name, separator, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    return (name, password) if separator else None


def _key() -> dict[str, str]:
    key = os.environ.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _look(item: Mapping[str, Any]) -> str | None:
    """Say that a release scheduled this run, its next look, or return None."""
    return LOOKED if str(item.get("idempotency_key") or "").startswith(LOOK) else None


def _found(error: httpx.HTTPError) -> str:
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return f"it answered {error.response.status_code}"
    return str(error) or type(error).__name__
