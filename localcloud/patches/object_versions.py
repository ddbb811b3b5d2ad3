# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""The version of an object in the event that tells of it, as AWS writes it for a versioned bucket.

ministack names the version to queues, topics and functions, and leaves it out for EventBridge. Without it the same
bytes under the same key look like the same delivery, and the second is taken for a repeat.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge, s3

from localcloud.patches.registry import Patch

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("object_version", default=None)


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="object versions",
        lack="S3 events for EventBridge have no detail.object.version-id",
        needed=lambda: "version-id" not in inspect.getsource(s3._fire_s3_event),
        apply=_apply,
    )


def _apply() -> None:
    s3._fire_s3_event = _remembering(s3._fire_s3_event)
    eventbridge._dispatch_event = naming(eventbridge._dispatch_event)


def _remembering(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def fired(*args: Any, version_id: str | None = None, **more: Any) -> None:
        token = _version.set(version_id)
        try:
            original(*args, version_id=version_id, **more)
        finally:
            _version.reset(token)

    return fired


def naming(original: Callable[..., Any]) -> Callable[..., Any]:
    """Add the version to an event about an object that has one."""

    @functools.wraps(original)
    def dispatched(event: dict[str, Any], *args: Any, **more: Any) -> Any:
        version = _version.get()
        if version and event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version
            event = {**event, "Detail": json.dumps(detail)}
        return original(event, *args, **more)

    return dispatched
