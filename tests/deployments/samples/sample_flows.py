"""The flows' signatures with empty bodies: what the manifest's entrypoints become in these tests."""

from prefect import flow


@flow
def ingest(product: str, key: str, object_version: str | None = None, retry_of: str | None = None) -> None: ...


@flow
def train(product: str, cause: str = "batch.validated", retry_of: str | None = None) -> None: ...


@flow
def release(product: str, model_version: str, retry_of: str | None = None) -> None: ...


@flow
def rollback(product: str, reason: str, to: str | None = None, actor: str = "unknown") -> None: ...


@flow
def score(product: str, batch_id: str | None = None, key: str | None = None, retry_of: str | None = None) -> None: ...


@flow
def monitor(product: str | None = None, cause: str = "schedule", retry_of: str | None = None) -> None: ...


@flow
def respond(product: str, cause: str = "metric.breached", retry_of: str | None = None) -> None: ...


@flow
def sweep(product: str | None = None, cause: str = "schedule") -> None: ...


def not_a_flow() -> None: ...
