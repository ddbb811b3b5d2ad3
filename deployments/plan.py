"""The difference between the repository and the Prefect server, and how it is made to vanish.

`plan` reads and changes nothing. `apply` lints, makes the pools, lets `prefect deploy --all` do its work,
synchronises the other automations, deletes what is left over, and then reads everything back: what Prefect's
command says about its own success is not evidence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation

from deployments import automations, places, pools, state
from deployments.command import deploy_all
from deployments.lint import faults
from deployments.manifest import Manifest, load
from deployments.variables import filled
from lifecycle import spec
from lifecycle.errors import ServiceError, UsageError
from lifecycle.settings import Settings
from tasks.endpoint import ensure_endpoint

Kind = Literal["pool", "deployment", "trigger", "automation"]
_SHOWN = 160
MANIFEST = Path("prefect.yaml")
"""Of the checkout one stands in, as with Prefect's own command; the products may lie elsewhere."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the repository says; `field` is empty when it is missing or should not be there."""

    kind: Kind
    name: str
    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        """Say it in one line."""
        of = f" {self.field}" if self.field else ""
        return f"{self.kind} {self.name}{of}: found {self.found[:_SHOWN]}, expected {self.expected[:_SHOWN]}"


@dataclass(frozen=True)
class Plan:
    """Every difference; empty when there is nothing to do."""

    differences: tuple[Difference, ...]

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.differences)

    def concerns(self, *kinds: Kind) -> bool:
        """Say whether any difference is of these kinds."""
        return any(difference.kind in kinds for difference in self.differences)


def plan(
    settings: Settings,
    *,
    source: Path = MANIFEST,
    at: places.Places | None = None,
    environ: Mapping[str, str] | None = None,
) -> Plan:
    """Compare the repository with the server. Raises UsageError when `prefect.yaml`, the `source`, has faults."""
    manifest = _checked(source, environ)
    with client_of(settings) as client:
        return _compare(client, manifest, at or places.read(settings))


def apply(
    settings: Settings,
    *,
    source: Path = MANIFEST,
    at: places.Places | None = None,
    environ: Mapping[str, str] | None = None,
) -> Plan:
    """Make the server what the repository says and return what was different before.

    A second call changes nothing and returns an empty plan. Killed anywhere, the next call finishes. Raises
    UsageError when `prefect.yaml` has faults and ServiceError when the server is still different afterwards.
    """
    manifest, at = _checked(source, environ), at or places.read(settings)
    with client_of(settings) as client:
        before = _compare(client, manifest, at)
        if before:
            pools.ensure_pools(client, at.functions, at.tasks)
            if before.concerns("deployment", "trigger"):
                deploy_all(settings, source, filled(os.environ if environ is None else environ))
            _prune(client, manifest)
            server = state.read(client)
            automations.sync(client, automations.wanted(server.by_name(), enabled=manifest.triggers_enabled))
            after = _compare(client, manifest, at)
            if after:
                raise ServiceError(
                    "The Prefect server is not what it was made to be.",
                    detail="; ".join(str(difference) for difference in after.differences) + ".",
                    resolution="Apply again; if it stays so, another writer changes the same server.",
                )
    for product in spec.names(settings.products):
        ensure_endpoint(settings, product)
    return before


def _checked(source: Path, environ: Mapping[str, str] | None) -> Manifest:
    manifest = load(source, os.environ if environ is None else environ)
    found = faults(manifest)
    if found:
        raise UsageError("prefect.yaml cannot be deployed.", detail="; ".join(found) + ".")
    return manifest


def client_of(settings: Settings) -> SyncPrefectClient:
    """Return a client of the configured server. Raises UsageError when none is configured."""
    if settings.prefect_api_url is None:
        raise UsageError(
            "No Prefect server is configured.",
            detail="PREFECT_API_URL is not set.",
            resolution="Start one with `tropism up`, or set PREFECT_API_URL to its API.",
        )
    return SyncPrefectClient(
        str(settings.prefect_api_url), auth_string=os.environ.get("PREFECT_API_AUTH_STRING") or None
    )


def _compare(client: SyncPrefectClient, manifest: Manifest, at: places.Places) -> Plan:
    server = state.read(client)
    return Plan(
        (
            *_of_pools(client, at),
            *_of_deployments(manifest, server),
            *_of_triggers(manifest, server),
            *_of_automations(client, manifest, server),
        )
    )


def _of_pools(client: SyncPrefectClient, at: places.Places) -> Iterator[Difference]:
    wanted: dict[str, dict[str, Any]] = {
        pools.LAMBDA: pools.lambda_template(at.functions),
        pools.ECS: pools.ecs_template(at.tasks),
    }
    found = {pool.name: pool for pool in client.read_work_pools()}
    for name, template in wanted.items():
        if name not in found:
            yield Difference("pool", name, "", "nothing", "a pool")
        elif found[name].base_job_template != template:
            yield Difference("pool", name, "base job template", "another one", f"deployments/work_pools/{name}.json")


def _of_deployments(manifest: Manifest, server: state.Server) -> Iterator[Difference]:
    wanted = dict(state.expected(deployment) for deployment in manifest.deployments)
    for name, expected in wanted.items():
        if name not in server.deployments:
            yield Difference("deployment", name, "", "nothing", "a deployment")
            continue
        for field, found, value in server.deployments[name][1].changed(expected):
            yield Difference("deployment", name, field, found, value)
    for name in sorted(server.deployments.keys() - wanted.keys()):
        yield Difference("deployment", name, "", "a leftover", "nothing")


def _of_triggers(manifest: Manifest, server: state.Server) -> Iterator[Difference]:
    kept, missing = _sorted_triggers(manifest, server)
    for name in missing:
        yield Difference("trigger", name, "", "nothing, or another one", "the one in prefect.yaml")
    for leftover in server.triggers:
        if leftover.id not in {found.id for found in kept}:
            yield Difference("trigger", leftover.name, "", "a leftover", "nothing")


def _of_automations(client: SyncPrefectClient, manifest: Manifest, server: state.Server) -> Iterator[Difference]:
    names = server.by_name()
    if "sweep" not in names:
        yield Difference("automation", automations.WATCH, "", "nothing", "an automation")
        return
    for change in automations.differences(client, automations.wanted(names, enabled=manifest.triggers_enabled)):
        if change.change is not automations.Change.UNCHANGED:
            expected = "nothing" if change.wanted is None else "the one in deployments/automations.py"
            found = "nothing" if change.found is None else "another one"
            yield Difference("automation", change.name, "", found, expected)


def _sorted_triggers(manifest: Manifest, server: state.Server) -> tuple[list[Automation], list[str]]:
    """Return the server's triggers that are as wanted, one for each, and the names of those that are not there."""
    kept: list[Automation] = []
    missing: list[str] = []
    for deployment in manifest.deployments:
        name, _ = state.expected(deployment)
        known = server.deployments.get(name)
        for index, trigger in enumerate(deployment.triggers):
            core = automations.comparable(state.triggers(deployment, known[0])[index]) if known else None
            same = [found for found in server.triggers if automations.comparable(found) == core]
            kept.extend(same[:1])
            if not same:
                missing.append(trigger.name)
    return kept, missing


def _prune(client: SyncPrefectClient, manifest: Manifest) -> None:
    """Delete the deployments of ours that the manifest no longer has, and the triggers nobody owns any more."""
    wanted = {state.expected(deployment)[0] for deployment in manifest.deployments}
    for name, (known, _) in state.read(client).deployments.items():
        if name not in wanted:
            client.delete_resource_owned_automations(f"prefect.deployment.{known}")
            client.delete_deployment(known)
    server = state.read(client)
    kept = {found.id for found in _sorted_triggers(manifest, server)[0]}
    for trigger in server.triggers:
        if trigger.id not in kept:
            client.delete_automation(trigger.id)
