"""`prefect.yaml`, read strictly. `python -m deployments.manifest` is its linter.

Prefect itself ignores a misspelt key and an unset variable, skips what it cannot read and reports success.
Here each of them is a fault with one sentence. What needs the flows' code is in `deployments/lint.py`.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from prefect.client.schemas.schedules import CronSchedule
from prefect.utilities.templating import PlaceholderType, find_placeholders
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from deployments.variables import filled, variables
from lifecycle.errors import UsageError

_CLOSED = ConfigDict(frozen=True, extra="forbid")
TAG = "tropism"
"""The tag of every deployment of ours."""
MANAGED = "Deployed from prefect.yaml"
"""How the description of each trigger begins; an automation that says so and is not in the file is a leftover."""


def _cron(text: str) -> str:
    """Return the expression. Raises ValueError when Prefect would not take it."""
    try:
        return CronSchedule(cron=text).cron
    except ValueError as error:
        raise ValueError(f"{text!r} is not a cron expression") from error


class Trigger(BaseModel):
    """An event that starts the deployment. The knobs that would drop events have one allowed value."""

    model_config = _CLOSED

    type: Literal["event"]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]+$")]
    description: Annotated[str, Field(pattern=f"^{MANAGED}")]
    enabled: bool
    expect: Annotated[tuple[str, ...], Field(min_length=1)]
    match: dict[str, str | list[str]]
    match_related: dict[str, str | list[str]] = {}
    posture: Literal["Reactive"]
    threshold: Literal[1]
    within: Literal[0]
    parameters: dict[str, Any]


class Schedule(BaseModel):
    """A time that starts the deployment; the slug is its identity."""

    model_config = _CLOSED

    cron: Annotated[str, AfterValidator(_cron)]
    timezone: Literal["UTC"]
    slug: str
    active: bool
    parameters: dict[str, Any] = {}


class WorkPool(BaseModel):
    """Where the runs go."""

    model_config = _CLOSED

    name: Literal["lambda", "ecs"]
    work_queue_name: Literal["default", "sweeps"] = "default"
    job_variables: dict[str, Any] = {}


class ConcurrencyLimit(BaseModel):
    """How many runs at once, and what becomes of one more."""

    model_config = _CLOSED

    limit: Annotated[int, Field(ge=1)]
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]
    grace_period_seconds: Annotated[int | None, Field(ge=60)] = None


class Deployment(BaseModel):
    """One deployment; the entrypoint is a module path, because a file path shadows packages."""

    model_config = _CLOSED

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    description: str
    entrypoint: Annotated[str, Field(pattern=r"^[a-z_]\w*(\.[a-z_]\w*)+$")]
    version: Annotated[str, Field(min_length=1)]
    tags: Annotated[tuple[str, ...], Field(min_length=1)]
    work_pool: WorkPool
    parameters: dict[str, Any] = {}
    concurrency_limit: ConcurrencyLimit | None = None
    schedules: tuple[Schedule, ...] = ()
    triggers: tuple[Trigger, ...] = ()


class Manifest(BaseModel):
    """The whole file. `definitions` holds anchors only and means nothing on its own."""

    model_config = _CLOSED

    name: Literal["tropism"]
    pull: Annotated[list[Any], Field(max_length=0)]
    definitions: Any = None
    deployments: Annotated[tuple[Deployment, ...], Field(min_length=1)]

    @property
    def triggers_enabled(self) -> bool:
        """Say whether triggers are on: the automations beside them go with them."""
        return all(trigger.enabled for deployment in self.deployments for trigger in deployment.triggers)


def load(path: Path, environ: Mapping[str, str]) -> Manifest:
    """Read the manifest with its variables filled in. Raises UsageError with one sentence per fault."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise _refusal(path, [f"it cannot be read: {error}"]) from error
    unknown = sorted(_named(raw) - {variable.name for variable in variables()})
    if unknown:
        raise _refusal(
            path, [f"the variable {name} is not in deployments/variables.py, so it may be unset" for name in unknown]
        )
    try:
        manifest = Manifest.model_validate(_substitute(raw, filled(environ)))
    except ValidationError as error:
        raise _refusal(path, [_sentence(dict(fault)) for fault in error.errors()]) from error
    crossed = [*_repeated(manifest), *_unmarked(manifest)]
    if crossed:
        raise _refusal(path, crossed)
    return manifest


def main() -> int:
    """Lint the manifest of the current folder; return the exit code."""
    from deployments.lint import faults  # noqa: PLC0415  # the flows' code is imported there

    try:
        found = faults(load(Path("prefect.yaml"), os.environ))
    except UsageError as error:
        found = (str(error),)
    sys.stderr.write("".join(f"prefect.yaml: {fault}\n" for fault in found))
    return 1 if found else 0


def _named(value: Any) -> set[str]:  # noqa: ANN401  # YAML is any value
    """Find the environment variables that a value of the file names."""
    return {found.name.lstrip("$") for found in find_placeholders(value) if found.type is PlaceholderType.ENV_VAR}


def _substitute(value: Any, environ: Mapping[str, str]) -> Any:  # noqa: ANN401  # YAML is any value
    """Replace the variables as `prefect deploy` does."""
    if isinstance(value, dict):
        return {key: _substitute(item, environ) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, environ) for item in value]
    if isinstance(value, str):
        for found in find_placeholders(value):
            if found.type is PlaceholderType.ENV_VAR:
                value = value.replace(found.full_match, environ[found.name.lstrip("$")])
    return value


def _repeated(manifest: Manifest) -> Iterator[str]:
    """Say which names are used twice."""
    names = {
        "deployment": [item.name for item in manifest.deployments],
        "trigger": [trigger.name for item in manifest.deployments for trigger in item.triggers],
    }
    for kind, listed in names.items():
        for name, times in Counter(listed).items():
            if times > 1:
                yield f"the {kind} {name!r} is there {times} times, expected once"


def _unmarked(manifest: Manifest) -> Iterator[str]:
    """Say which deployments would not be known as ours."""
    for deployment in manifest.deployments:
        if TAG not in deployment.tags:
            yield f"{deployment.name} carries no tag {TAG!r}, so it would never be compared or deleted"


def _sentence(fault: Mapping[str, Any]) -> str:
    """Turn one of pydantic's faults into a sentence that names the place."""
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{place} is not a key that is known here; Prefect would ignore it"
    found = f", found {fault['input']!r}" if isinstance(fault["input"], str | int | float) else ""
    return f"{place}: {fault['msg']}{found}"


def _refusal(path: Path, sentences: list[str]) -> UsageError:
    return UsageError(f"{path.name} cannot be deployed.", detail="; ".join(sentences) + ".")


if __name__ == "__main__":
    raise SystemExit(main())
