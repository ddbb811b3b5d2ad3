"""One named step of a flow: a task of the run inside Prefect, a plain call outside it. And how steps are logged.

What must also work while Prefect is down, a rollback above all, is written once and carried out either way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

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
    return work(*args, **kwargs)


def as_task(name: str, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the work as a task of the flow run, tried again when a service failed."""
    named = task(
        name=name,
        retries=_RETRIES,
        retry_delay_seconds=_RETRY_SECONDS,
        retry_condition_fn=passing,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(work)
    result: R = named(*args, **kwargs)
    return result


def note(event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Log an event `noun.verbed` with its fields: to the flow run where there is one, else to the process's log."""
    line = " ".join((event, *(f"{name}={value}" for name, value in fields.items())))
    try:
        get_run_logger().log(level, line)
    except MissingContextError:
        logging.getLogger("tropism").log(level, line)
