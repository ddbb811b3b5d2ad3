"""Which failures are worth trying again: those of a service, never those of the data or the product."""

from __future__ import annotations

from typing import Any

from lifecycle.errors import ConflictError, ServiceError, TropismError


def passing(_task: object, _task_run: object, state: Any) -> bool:  # noqa: ANN401  # Prefect's own signature
    """Say whether a failed task may be tried again; Prefect asks before each retry, with the error as data."""
    error = state.data
    if isinstance(error, TropismError):
        return isinstance(error, ServiceError) and not isinstance(error, ConflictError)
    return True
