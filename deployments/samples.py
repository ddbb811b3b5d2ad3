"""One plain and one awkward example of every event: what templates are tried on before they reach a server."""

from __future__ import annotations

from lifecycle.events import (
    AlarmFired,
    BatchLanded,
    BatchQuarantined,
    BatchValidated,
    Event,
    LabelsLanded,
    LifecycleDiverged,
    MetricBreached,
    ModelChallenged,
    ModelRefused,
    ProductUnfrozen,
    ReleaseAdvanced,
    ReleaseHeld,
    ReleasePromoted,
    ReleaseRolledBack,
    RetrainRequested,
    RunLost,
    TrafficRose,
)

_RUN = "0f4d7c52-2f0e-4e8f-9b4e-1f6a3a1d9c11"
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_NASTY = 'landing/flights/a b+c%20d\'s {{ "x" }} <é ü>/2013-02.csv'


def events() -> tuple[Event, ...]:
    """Return the examples, at least one per event name."""
    return (
        BatchLanded(
            product="flights", bucket="lake", key="landing/flights/a.csv", object_version="v1", etag="e1", size=10
        ),
        BatchLanded(
            product="flights",
            bucket="lake",
            key=_NASTY,
            object_version=None,
            etag="e2",
            size=0,
            attempt=1,
            retry_of=_RUN,
        ),
        *_batches(),
        *_models(),
        *_watched(),
        ProductUnfrozen(product="flights", times=1, actor="ada", reason="the books are closed"),
        RetrainRequested(product="flights", cause='somebody\'s "wish"', request_id="r-1"),
        RunLost(product=None, flow_run_id=_RUN, cause="Lambda RetriesExhausted: Runtime.ExitError", process="t-1"),
        AlarmFired(
            product="flights",
            firing=_RUN,
            alarm="tropism-predict-flights-v7-errors",
            function_version="7",
            code="taken_back",
            reason="Version 7 took 25% of the requests.",
        ),
        LifecycleDiverged(product="flights", what="endpoint", found="1", expected="2", revision=4),
    )


def _batches() -> tuple[Event, ...]:
    """Return what may become of a batch."""
    return (
        BatchValidated(
            product="flights",
            batch_id=_DIGEST,
            delivery_id=_RUN,
            key=_NASTY,
            rows_received=10,
            rows_validated=9,
            rows_quarantined=1,
        ),
        BatchQuarantined(
            product="flights",
            batch_id=_DIGEST,
            delivery_id=_RUN,
            key="landing/flights/a.csv",
            rows_received=10,
            rows_validated=0,
            rows_quarantined=10,
            reasons=("expect_column_to_exist",),
        ),
    )


def _watched() -> tuple[Event, ...]:
    """Return what the monitor may say."""
    return (
        MetricBreached(
            product="flights",
            look="2026-03-01T12:00:00+00:00",
            cause="data_fault",
            metric="missing",
            column='carrier "x"',
            statistic=0.31,
            threshold=0.04,
            n=1_200,
            since="2026-03-01T11:00:00+00:00",
            breached=("missing carrier",),
            named=("carrier",),
        ),
        TrafficRose(
            product="flights", firing=_RUN, alarm="tropism-predict-flights-traffic", reason="Threshold Crossed."
        ),
        LabelsLanded(
            product="flights", bucket="lake", key="labels/flights/a b.csv", object_version="v1", etag="e1", size=10
        ),
    )


def _models() -> tuple[Event, ...]:
    """Return what may become of a model version."""
    return (
        ModelChallenged(product="flights", version="2", bundle=_DIGEST),
        ModelRefused(product="flights", mlflow_run="m-1", version=None, outcome="no_change", reasons=()),
        ReleaseAdvanced(
            product="flights", version="2", bundle=_DIGEST, weight=0.25, reasons=("STEP_PASSED: found 40.",), step=1
        ),
        ReleaseHeld(
            product="flights",
            version="2",
            bundle=_DIGEST,
            weight=0.25,
            reasons=("NO_TRAFFIC requests: found no live request.",),
            look=7,
            codes=("NO_TRAFFIC",),
        ),
        ReleasePromoted(
            product="flights",
            version="2",
            bundle=_DIGEST,
            previous=None,
            reason="first model",
            actor="release",
            ledger_seq=3,
        ),
        ReleaseRolledBack(
            product="flights", version="1", bundle=_DIGEST, previous="2", reason="slow", actor="a person", ledger_seq=4
        ),
    )
