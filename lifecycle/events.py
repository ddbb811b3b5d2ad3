"""The events of the lifecycle: what each carries, and which AWS message becomes which of them.

An event only wakes somebody; whoever is woken reads the control record and the ledger to learn what to do.
Standard library only, because the bridge function starts with nothing else. The common part is
`lifecycle/envelope.py`, the events about models are `lifecycle/model_events.py`; how AWS spells its messages is
`lifecycle/messages.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from lifecycle.envelope import (
    NAMESPACE,
    Event,
    EventName,
    JsonValue,
    batch_resource,
    delivery_id,
)
from lifecycle.keys import is_marker, labelled_product, product_of
from lifecycle.messages import Ended, Guarded, Ignored, ObjectCreated, Refused, Rose, read
from lifecycle.model_events import (
    ModelChallenged,
    ModelRefused,
    ProductUnfrozen,
    ReleaseAdvanced,
    ReleaseHeld,
    ReleasePromoted,
    ReleaseRolledBack,
)
from lifecycle.monitor_events import LabelsLanded, MetricBreached, TrafficRose

__all__ = [
    "NAMESPACE",
    "AlarmFired",
    "BatchLanded",
    "BatchQuarantined",
    "BatchValidated",
    "Event",
    "EventName",
    "Fired",
    "Ignored",
    "LabelsLanded",
    "Landed",
    "LifecycleDiverged",
    "Lost",
    "MetricBreached",
    "ModelChallenged",
    "ModelRefused",
    "ProductUnfrozen",
    "Refused",
    "ReleaseAdvanced",
    "ReleaseHeld",
    "ReleasePromoted",
    "ReleaseRolledBack",
    "RetrainRequested",
    "RunLost",
    "TrafficRose",
    "delivery_id",
    "from_aws",
]


@dataclass(frozen=True, kw_only=True)
class BatchLanded(Event):
    """An object was written to a product's landing zone. Wakes `ingest`."""

    name = EventName.BATCH_LANDED
    identified_by = ("delivery_id",)
    bucket: str
    key: str
    object_version: str | None
    etag: str
    size: int

    @property
    def delivery_id(self) -> str:
        """Return the id of this delivery: the event's own id the first time."""
        return delivery_id(self.bucket, self.key, self.object_version or self.etag)

    @property
    def id(self) -> UUID:
        """Return the delivery's id, or one derived from it when somebody wakes `ingest` again."""
        first = UUID(self.delivery_id)
        return uuid5(NAMESPACE, f"{first}#{self.attempt}") if self.attempt else first

    @property
    def payload(self) -> dict[str, JsonValue]:
        """Return the fields and the delivery's id."""
        return {**super().payload, "delivery_id": self.delivery_id}


@dataclass(frozen=True, kw_only=True)
class _AboutBatch(Event):
    """Something became of a batch."""

    identified_by = ("batch_id", "delivery_id")
    batch_id: str
    delivery_id: str
    key: str
    rows_received: int
    rows_validated: int
    rows_quarantined: int

    @property
    def resource(self) -> str:
        """Return the batch."""
        return batch_resource(self.product or "none", self.batch_id)


@dataclass(frozen=True, kw_only=True)
class BatchValidated(_AboutBatch):
    """A batch was published to the validated zone. Wakes `train`."""

    name = EventName.BATCH_VALIDATED


@dataclass(frozen=True, kw_only=True)
class BatchQuarantined(_AboutBatch):
    """A batch, or some of its rows, went to quarantine; `reasons` are the codes of the rules."""

    name = EventName.BATCH_QUARANTINED
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RetrainRequested(Event):
    """Somebody or something asks for a training. Wakes `train`."""

    name = EventName.RETRAIN_REQUESTED
    identified_by = ("request_id",)
    cause: str
    request_id: str


@dataclass(frozen=True, kw_only=True)
class RunLost(Event):
    """A flow run's process ended without Prefect being told. Wakes `sweep`.

    `process` is AWS' id of it: the Lambda request or the ECS task.
    """

    name = EventName.RUN_LOST
    identified_by = ("flow_run_id", "process")
    flow_run_id: str
    cause: str
    process: str

    @property
    def resource(self) -> str:
        """Return the flow run."""
        return f"prefect.flow-run.{self.flow_run_id}"


@dataclass(frozen=True, kw_only=True)
class AlarmFired(Event):
    """An alarm of a function version fired; `code` says what the guard did about it, `firing` is its record's id."""

    name = EventName.ALARM_FIRED
    identified_by = ("firing",)
    firing: str
    alarm: str
    function_version: str
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LifecycleDiverged(Event):
    """Two records of the same fact disagree; `revision` is the control record's."""

    name = EventName.LIFECYCLE_DIVERGED
    identified_by = ("what", "revision", "found", "expected")
    what: str
    found: str
    expected: str
    revision: int


@dataclass(frozen=True)
class Landed:
    """The message says that a delivery, or a file of labels, has landed."""

    event: BatchLanded | LabelsLanded


@dataclass(frozen=True)
class Lost:
    """The message says that a flow run's process is gone."""

    event: RunLost


@dataclass(frozen=True)
class Fired:
    """The message says that an alarm fired: of a version, with what the guard did, or of a function's traffic."""

    event: AlarmFired | TrafficRose


def from_aws(message: str) -> Landed | Lost | Fired | Ignored | Refused:
    """Say what one queued message means. Never raises, whatever the text is.

    Ignored is known and of no interest, so it may be deleted; Refused is not understood, so it must be kept.
    Keys are taken verbatim: EventBridge does not URL-encode them.
    """
    found = read(message)
    if isinstance(found, Ended):
        return Lost(RunLost(product=None, flow_run_id=found.flow_run_id, cause=found.cause, process=found.process))
    if isinstance(found, Guarded | Rose):
        return Fired(_alarm(found))
    if not isinstance(found, ObjectCreated):
        return found
    delivered, labelled = product_of(found.key), labelled_product(found.key)
    if delivered is None and labelled is None:
        return Ignored(f"{found.key!r} is outside landing/<product>/ and labels/<product>/.")
    if is_marker(found.key):
        return Ignored(f"{found.key!r} is a marker or an unfinished file.")
    kind = BatchLanded if delivered else LabelsLanded
    return Landed(
        kind(
            product=delivered or labelled,
            bucket=found.bucket,
            key=found.key,
            object_version=found.object_version,
            etag=found.etag,
            size=found.size,
        )
    )


def _alarm(found: Guarded | Rose) -> AlarmFired | TrafficRose:
    if isinstance(found, Rose):
        return TrafficRose(product=found.product, firing=found.identity, alarm=found.alarm, reason=found.reason)
    return AlarmFired(
        product=found.product,
        firing=found.identity,
        alarm=found.alarm,
        function_version=found.function_version,
        code=found.code,
        reason=found.reason,
    )
