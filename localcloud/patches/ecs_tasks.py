# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""ECS tasks: the events, the exit code of a stopped task, and what became of tasks when the emulator died.

prefect-aws learns from "ECS Task State Change" events that a task died; ministack sends none. It also reports exit code
0 for a task that StopTask ended, believes in containers the engine lost, and restores tasks that its own death ended
without telling anyone.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import docker
import docker.errors
import ministack.app as gateway
from ministack.core.responses import request_scope
from ministack.services import ecs, eventbridge

from localcloud.patches.registry import Patch

log = logging.getLogger("tropism.ecs")

_GRACE_SECONDS = 30
"""ECS' default stopTimeout."""
_GONE_SECONDS = 2
"""How often a running task's containers are looked for; the watcher itself asks ten times a second."""
_TRANSITIONS = ("_mark_task_pending", "_mark_task_running", "_mark_task_stopped")


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="ECS task state changes",
        lack="no 'ECS Task State Change' events, and StopTask reports exit code 0",
        needed=_needed,
        apply=_apply,
    )


def _needed() -> bool:
    source = inspect.getsource(ecs)
    return "ECS Task State Change" not in source and '"UserInitiated", exit_code=0' in source


def _apply() -> None:
    ecs._mark_task_stopped = _stopping_first(ecs._mark_task_stopped)
    for name in _TRANSITIONS:
        setattr(ecs, name, _announcing(getattr(ecs, name)))
    ecs._maybe_mark_stopped = _seeing_gone(ecs._maybe_mark_stopped)
    lost: list[tuple[str, str, str]] = []
    ecs._restore_state = _noticing(ecs._restore_state, lost)
    gateway._load_persisted_state = _reporting(gateway._load_persisted_state, lost)


def _stopping_first(original: Callable[..., bool]) -> Callable[..., bool]:
    """StopTask marks the task and kills afterwards; stop first, so that the exit code is the real one."""

    @functools.wraps(original)
    def stopped(arn: str, task: dict[str, Any], reason: str, code: str, exit_code: int | None = None) -> bool:
        if code != "UserInitiated":
            return original(arn, task, reason, code, exit_code)
        # Taken away meanwhile: the watcher must not see the exit before this function has named its cause.
        ids, task["_docker_ids"] = list(task.get("_docker_ids") or []), []
        for container, container_id in zip(task["containers"], ids, strict=False):
            if (found := _container(container_id)) is not None:
                found.stop(timeout=_GRACE_SECONDS)
                container["exitCode"] = found.wait()["StatusCode"]
        task["_docker_ids"] = ids
        return original(arn, task, reason, code)

    return stopped


def _seeing_gone(original: Callable[..., None]) -> Callable[..., None]:
    """A container the engine no longer knows has ended; upstream takes "not found" for "cannot tell" for ever."""
    asked: dict[str, float] = {}

    @functools.wraps(original)
    def seen(task: dict[str, Any], docker_client: Any = None) -> None:
        original(task, docker_client)
        arn, now = task.get("taskArn", ""), time.monotonic()
        if task.get("lastStatus") != "RUNNING" or now - asked.setdefault(arn, now) < _GONE_SECONDS:
            return
        asked[arn] = now
        try:
            gone = any(_container(container_id) is None for container_id in list(task.get("_docker_ids") or []))
        except Exception as error:  # noqa: BLE001 - an engine that does not answer says nothing of its containers
            log.info("engine.silent task=%s error=%s", arn, error)
            return
        if gone:
            ecs._mark_task_stopped(arn, task, "The container is gone", "EssentialContainerExited")
            asked.pop(arn)

    return seen


def _container(container_id: str) -> Any | None:
    """Return a container, or None when the engine says that it does not exist."""
    try:
        return ecs._get_docker().containers.get(container_id)
    except docker.errors.NotFound:
        return None


def _announcing(original: Callable[..., bool]) -> Callable[..., bool]:
    @functools.wraps(original)
    def announced(arn: str, task: dict[str, Any], *args: Any, **kwargs: Any) -> bool:
        changed = original(arn, task, *args, **kwargs)
        if changed:
            _announce(task)
        return changed

    return announced


def _announce(task: dict[str, Any]) -> None:
    """Put the event AWS sends: the task as DescribeTasks shows it, without its tags."""
    detail = json.loads(json.dumps(ecs._sanitize(task), default=str))
    detail.pop("tags", None)
    entry = {
        "Source": "aws.ecs",
        "DetailType": "ECS Task State Change",
        "Detail": json.dumps(detail),
        "Resources": [task["taskArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _noticing(original: Callable[[Any], None], lost: list[tuple[str, str, str]]) -> Callable[[Any], None]:
    """Remember the tasks that were alive in the saved state: their containers ended with the emulator."""

    @functools.wraps(original)
    def noticed(data: Any) -> None:
        tasks = (data or {}).get("tasks")
        known = tasks.all_items() if tasks is not None and hasattr(tasks, "all_items") else ()
        lost.extend(key for key, task in known if task.get("lastStatus") != "STOPPED")
        original(data)

    return noticed


def _reporting(original: Callable[[], None], lost: list[tuple[str, str, str]]) -> Callable[[], None]:
    """Announce the end of those tasks once rules and queues are back."""

    @functools.wraps(original)
    def reported() -> None:
        original()
        for account_id, region, arn in lost:
            task = ecs._tasks.get_scoped(account_id, region, arn)
            task.update(desiredStatus="STOPPED", stopCode="EssentialContainerExited")
            task.update(stoppedReason="The emulator that ran the task was restarted")
            for container in task.get("containers", []):
                container["lastStatus"] = "STOPPED"
            with request_scope(account_id, region):
                _announce(task)
            log.warning("task.lost arn=%s", arn)
        lost.clear()

    return reported
