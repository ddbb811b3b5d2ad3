"""The job variables of a `lambda` work pool, typed and bounded, and the configuration they become.

Region, endpoint and credentials are the worker's own environment and never a variable: a pool's template is
readable by everyone who can read the API. The server checks a deployment's variables against the schema made
from here, and the worker checks them once more, because templates can be edited by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from prefect.workers.base import BaseJobConfiguration, BaseVariables
from pydantic import Field, field_validator

# The bounds are AWS's own: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
FunctionName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=140,
        pattern=r"^(arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[a-zA-Z0-9-_]{1,64}$",
        title="Function name",
        description=(
            "Name or ARN, without a version, of an existing function whose image holds the flow's code "
            "and whose handler executes flow runs."
        ),
    ),
]
Qualifier = Annotated[
    str | None,
    Field(
        max_length=128,
        pattern=r"^(\$LATEST|[a-zA-Z0-9-_]+)$",
        title="Qualifier",
        description="Version or alias of the function. Without one, its latest code runs.",
    ),
]
Memory = Annotated[
    int | None,
    Field(
        ge=128,
        le=10_240,
        title="Memory (MB)",
        description=(
            "The memory the run needs. Lambda fixes memory per function, so this is a requirement and not a "
            "request: a function with less refuses the run before anything is invoked."
        ),
    ),
]
Timeout = Annotated[
    int | None,
    Field(
        ge=1,
        le=900,
        title="Timeout (seconds)",
        description=(
            "How long the run may take. The function stops the run when this time is over; a function "
            "whose own timeout is shorter refuses the run before anything is invoked."
        ),
    ),
]
Payload = Annotated[
    dict[str, Any],
    Field(
        title="Payload",
        description=(
            "A JSON object handed to the function beside the run, under `payload`. No place for secrets "
            "(payloads are kept in failure queues) nor for parameters (they belong to the run)."
        ),
    ),
]

# Settings of Prefect are read when the function starts, credentials come from its role: a payload can carry
# neither to any effect, and both would lie in failure queues in clear text.
FOREIGN_PREFIXES = ("PREFECT_", "AWS_")


@dataclass(frozen=True)
class Target:
    """A function, and the version or alias of it that is meant."""

    name: str
    qualifier: str | None = None

    def __str__(self) -> str:
        """Name it as AWS's own messages do."""
        return f"{self.name}:{self.qualifier or '$LATEST'}"


class LambdaVariables(BaseVariables):
    """What a pool, a deployment or a run may set."""

    function_name: FunctionName
    qualifier: Qualifier = None
    memory: Memory = None
    timeout: Timeout = None
    payload: Payload = Field(default_factory=dict)


class LambdaJobConfiguration(BaseJobConfiguration):
    """One flow run's resolved variables. Raises pydantic's ValidationError with a sentence per bad variable."""

    function_name: FunctionName
    qualifier: Qualifier = None
    memory: Memory = None
    timeout: Timeout = None
    payload: Payload = Field(default_factory=dict)

    @property
    def target(self) -> Target:
        """The function to invoke."""
        return Target(self.function_name, self.qualifier)

    @field_validator("command")
    @classmethod
    def _refuse_command(cls, command: str | None) -> str | None:
        if command:
            raise ValueError(
                f"A lambda pool runs the function's own handler and takes no command; found {command!r}. "
                "Remove the job variable `command`, or use a pool of another type."
            )
        return None

    @field_validator("env", mode="after")
    @classmethod
    def _refuse_foreign_env(cls, env: dict[str, str | None]) -> dict[str, str | None]:
        foreign = sorted(name for name in env if name.startswith(FOREIGN_PREFIXES))
        if foreign:
            raise ValueError(
                f"The job variable `env` names {', '.join(foreign)}. An invocation carries no settings of Prefect "
                "and no credentials: put them into the function's own environment, and remove them here."
            )
        return env

    @classmethod
    def _base_environment(cls) -> dict[str, str]:
        # Prefect would forward every setting that the worker has, its database address and API password included.
        return {}
