"""What the function is asked: version 1 of the invocation that a `lambda` work pool sends.

    {"prefect": {"version": 1, "flow_run_id": "<uuid>", "run_count": 0, "timeout": 300 | null,
                 "env": {"NAME": "value"}, "labels": {"name": "value"}},
     "payload": {...}}

The sender has its own writer of the same shape, because neither package may import the other; a test holds
the two together. When an invocation is lost, Lambda's on-failure destination receives the request inside its
own record, where the run is found at `requestPayload.prefect.flow_run_id`:

    {"version": "1.0", "timestamp": "...", "requestContext": {"requestId", "functionArn",
     "condition": "RetriesExhausted" | "EventAgeExceeded", "approximateInvokeCount"},
     "requestPayload": <the request above>,
     "responseContext": {"statusCode", "executedVersion", "functionError"}, "responsePayload": {"errorMessage", ...}}

With `EventAgeExceeded` the function was never asked and the two response fields are missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Head(BaseModel):
    model_config = ConfigDict(extra="ignore")  # fields may be added under the same version

    version: int
    flow_run_id: UUID
    run_count: int = Field(ge=0)
    timeout: int | None = Field(default=None, ge=1, le=900)
    env: dict[str, str] = {}
    labels: dict[str, str] = {}


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prefect: _Head
    payload: dict[str, Any] = {}


@dataclass(frozen=True)
class RunRequest:
    """One attempt of one flow run.

    `run_count` is how often the run had been Running when it was submitted; `timeout` is in seconds.
    """

    flow_run_id: UUID
    run_count: int
    timeout: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)

    VERSION: ClassVar[int] = 1

    def to_json(self) -> str:
        """Write the request; the same request gives the same text."""
        head = {
            "version": self.VERSION,
            "flow_run_id": str(self.flow_run_id),
            "run_count": self.run_count,
            "timeout": self.timeout,
            "env": dict(self.env),
            "labels": dict(self.labels),
        }
        return json.dumps({"prefect": head, "payload": dict(self.payload)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> RunRequest:
        """Read a request from text. Raises ValueError with a sentence when it is none."""
        return cls.from_event(json.loads(text))

    @classmethod
    def from_event(cls, event: Any) -> RunRequest:  # noqa: ANN401 - whatever somebody invoked the function with
        """Read a request from an invocation's event. Raises ValueError with a sentence when it is none."""
        try:
            document = _Document.model_validate(event)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the event"
            raise ValueError(
                f"The event is not a request to run a flow: {place}: {first['msg']}. Found {type(event).__name__}, "
                'expected {"prefect": {"version": 1, "flow_run_id": ..., "run_count": ...}}. Runs are submitted by '
                "a worker: `prefect worker start --type lambda --pool lambda`."
            ) from None
        head = document.prefect
        if head.version != cls.VERSION:
            raise ValueError(
                f"The request for flow run {head.flow_run_id} has version {head.version}; this function reads "
                f"version {cls.VERSION}. Deploy the worker and the function from the same release."
            )
        return cls(
            flow_run_id=head.flow_run_id,
            run_count=head.run_count,
            timeout=head.timeout,
            env=head.env,
            labels=head.labels,
            payload=document.payload,
        )
