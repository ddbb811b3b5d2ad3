"""What the function is sent. Version 1 of a shape that its handler, failure queues and bridges read.

    {"prefect": {"version": 1, "flow_run_id": "<uuid>", "run_count": 0, "timeout": 300 | null,
                 "env": {"NAME": "value"}, "labels": {"name": "value"}},
     "payload": {...}}

An on-failure destination wraps it: there, the run is found at `requestPayload.prefect.flow_run_id`. Fields may
be added under the same version; a field never changes its meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from worker.errors import PayloadTooLargeError

# AWS takes 1 MB for asynchronous invocations and does not say which megabyte: the smaller one is safe.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PAYLOAD_LIMIT = 1_000_000  # bytes


@dataclass(frozen=True)
class RunRequest:
    """Ask a function to execute one attempt of one flow run.

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
        """Write the request; the same request gives the same text.

        Raises:
            PayloadTooLargeError: when the text has more bytes than Lambda takes.

        """
        head = {
            "version": self.VERSION,
            "flow_run_id": str(self.flow_run_id),
            "run_count": self.run_count,
            "timeout": self.timeout,
            "env": dict(self.env),
            "labels": dict(self.labels),
        }
        text = json.dumps({"prefect": head, "payload": dict(self.payload)}, separators=(",", ":"))
        size = len(text.encode())
        if size > PAYLOAD_LIMIT:
            raise PayloadTooLargeError(
                f"The invocation for flow run {self.flow_run_id} has {size:,} bytes; Lambda takes at most "
                f"{PAYLOAD_LIMIT:,} asynchronously. Put the data into S3 and name its key in a parameter."
            )
        return text

    @classmethod
    def from_json(cls, text: str) -> RunRequest:
        """Read what `to_json` wrote."""
        document = json.loads(text)
        head = document["prefect"]
        if head["version"] != cls.VERSION:
            raise ValueError(f"The request has version {head['version']!r}; this reads version {cls.VERSION}.")
        return cls(
            flow_run_id=UUID(head["flow_run_id"]),
            run_count=head["run_count"],
            timeout=head["timeout"],
            env=head["env"],
            labels=head["labels"],
            payload=document["payload"],
        )
