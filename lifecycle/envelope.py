"""What every event has: a name, a derived id that makes a repeat the same event, and its form on the wire.

Standard library only, because the bridge function starts with nothing else. The events themselves are in
`lifecycle/events.py`; sending them is left to `tasks/events.py` and the bridge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID, uuid5

NAMESPACE = UUID("c8923918-06c4-578f-99ef-aa4d3f01be94")
"""The root of every derived id. Changing it makes every past event a new one."""

JsonValue = str | int | float | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


class EventName(StrEnum):
    """Every event this system sends."""

    BATCH_LANDED = "batch.landed"
    BATCH_VALIDATED = "batch.validated"
    BATCH_QUARANTINED = "batch.quarantined"
    MODEL_CHALLENGED = "model.challenged"
    MODEL_REFUSED = "model.refused"
    RELEASE_ADVANCED = "release.advanced"
    RELEASE_HELD = "release.held"
    RELEASE_PROMOTED = "release.promoted"
    RELEASE_ROLLED_BACK = "release.rolled_back"
    METRIC_BREACHED = "metric.breached"
    LABELS_LANDED = "labels.landed"
    RETRAIN_REQUESTED = "retrain.requested"
    PRODUCT_UNFROZEN = "product.unfrozen"
    ALARM_FIRED = "alarm.fired"
    TRAFFIC_ROSE = "traffic.rose"
    RUN_LOST = "run.lost"
    LIFECYCLE_DIVERGED = "lifecycle.diverged"


def delivery_id(bucket: str, key: str, token: str) -> str:
    """Return the id of one delivery of one object; `token` is its object version, or its etag without one."""
    return str(uuid5(NAMESPACE, f"{bucket}/{key}/{token}"))


def product_resource(product: str) -> str:
    """Return the resource id of a product."""
    return f"tropism.product.{product}"


def batch_resource(product: str, batch_id: str) -> str:
    """Return the resource id of a batch."""
    return f"tropism.batch.{product}.{batch_id}"


def model_resource(product: str, version: str) -> str:
    """Return the resource id of a model version."""
    return f"tropism.model.{product}.{version}"


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every event carries.

    `attempt` is part of the id when it is above zero: Prefect drops a repeat it has seen within half an
    hour, so whoever wakes somebody on purpose for the second time counts up. `retry_of` names the flow run
    that died with the work, so that its successor may take over what it had claimed.
    """

    name: ClassVar[EventName]
    identified_by: ClassVar[tuple[str, ...]]
    """The fields that make this happening different from every other one of its name and product."""

    product: str | None
    attempt: int = 0
    retry_of: str | None = None

    @property
    def resource(self) -> str:
        """Return the id of what the event is about."""
        return product_resource(self.product or "none")

    @property
    def id(self) -> UUID:
        """Return the derived id: the same happening has the same id, whoever says it and how often."""
        identity = "/".join(str(getattr(self, field)) for field in self.identified_by)
        again = f"#{self.attempt}" if self.attempt else ""
        return uuid5(NAMESPACE, f"{self.name}/{self.product}/{identity}{again}")

    @property
    def payload(self) -> dict[str, JsonValue]:
        """Return the fields as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def to_prefect(self, occurred: datetime, *, flow_run_id: str | None = None) -> dict[str, JsonValue]:
        """Return the JSON object that Prefect's `POST /events` takes in a list.

        `occurred` needs a time zone. `flow_run_id` links the event to the page of the run that sent it.
        """
        related: list[JsonValue] = []
        if self.product is not None:
            related.append({"prefect.resource.id": product_resource(self.product), "prefect.resource.role": "product"})
        if flow_run_id is not None:
            related.append(
                {"prefect.resource.id": f"prefect.flow-run.{flow_run_id}", "prefect.resource.role": "flow-run"}
            )
        return {
            "id": str(self.id),
            "event": str(self.name),
            "occurred": occurred.isoformat(),
            "resource": {"prefect.resource.id": self.resource, "prefect.resource.name": self.resource},
            "related": related,
            "payload": self.payload,
        }
