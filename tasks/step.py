"""One named step of a flow: a task of the run inside Prefect, a plain call outside it. And how steps are logged.

What must also work while Prefect is down, a rollback above all, is written once and carried out either way; Prefect,
whose import takes seconds, is imported by whoever needs it.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from tasks.mishaps import told
from tasks.retry import passing

P = ParamSpec("P")
R = TypeVar("R")

_RETRIES, _RETRY_SECONDS = 2, 2  # a service's hiccup; what lasts longer is the sweep's business


class Step(Protocol):
    """Carries out a named step and returns what the work returns."""

    def __call__(self, name: str, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `work`, under a name that people see."""


def directly(_name: str, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the work, without Prefect and without retries of its own."""
    return _explained(work)(*args, **kwargs)


def as_task(name: str, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the work as a task of the flow run, tried again when a service failed."""
    from prefect import task  # noqa: PLC0415
    from prefect.cache_policies import NO_CACHE  # noqa: PLC0415

    named = task(
        name=name,
        retries=_RETRIES,
        retry_delay_seconds=_RETRY_SECONDS,
        retry_condition_fn=passing,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(_explained(work))
    result: R = named(*args, **kwargs)
    return result


def _explained(work: Callable[P, R]) -> Callable[P, R]:
    """Return the work with its mishaps told in our words."""

    @functools.wraps(work)
    def explained(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except Exception as error:
            if found := told(error):
                raise found from error
            raise

    return explained


def note(event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Log an event `noun.verbed` with its fields: to the flow run where there is one, else to the process's log."""
    line = " ".join((event, *(f"{name}={value}" for name, value in fields.items())))
    _log().log(level, line)


def _log() -> logging.Logger | logging.LoggerAdapter[logging.Logger]:
    """Return the flow run's log, or the process's. Where nobody has imported Prefect there is no run."""
    if "prefect" in sys.modules:
        from prefect.exceptions import MissingContextError  # noqa: PLC0415
        from prefect.logging import get_run_logger  # noqa: PLC0415

        try:
            return get_run_logger()
        except MissingContextError:
            pass
    return logging.getLogger("tropism")
