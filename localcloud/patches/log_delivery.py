# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""Subscriptions that end in a delivery stream: ministack stores them and delivers to functions only.

With the patch a matching line is spooled to disk before the invocation that wrote it is answered, and a thread takes
what was spooled to the stream's bucket once a second, by the stream's own prefix, processors and compression. It tries
again until the stream is there and the bucket takes it, for a day, as AWS does; then the lines are dropped with an
error in the log. Killed at any moment, nothing is lost that an invocation has answered, and a repeated delivery writes
the same object again. What AWS does otherwise: an object lies in the hour of its arrival, here in that of its writing;
and the interval of the stream's buffer is a second here. Streams with a transforming function are not delivered.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ministack.app as gateway
from ministack.core import persistence
from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, request_scope
from ministack.services import cloudwatch_logs, s3

from localcloud.patches.registry import Patch
from localcloud.patches.spool import Spool, Target
from localcloud.patches.stream_objects import NotNowError, body, place, sink

log = logging.getLogger("tropism.log_delivery")

EVERY_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 4.0
KEPT_SECONDS = 24 * 3600
_PUT_SECONDS = 60.0
_HTTP_OK = 200


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    stored = "destinations are stored but not delivered"
    return Patch(
        name="log delivery",
        lack="a subscription filter delivers to functions only",
        needed=lambda: stored in (inspect.getdoc(cloudwatch_logs._fanout_to_subscription_filters) or ""),
        apply=_apply,
    )


def _apply() -> None:
    courier = Courier(Spool(Path(f"{persistence.STATE_DIR}-log")))
    cloudwatch_logs._fanout_to_subscription_filters = spooling(
        cloudwatch_logs._fanout_to_subscription_filters, courier.spool
    )
    gateway.app = courier.starting(gateway.app)


def spooling(original: Callable[..., None], spool: Spool) -> Callable[..., None]:
    """Spool what matches a subscription of a delivery stream, in the shape in which AWS hands it over."""

    @functools.wraps(original)
    def fanned(group_name: str, stream_name: str, events: list[dict[str, Any]]) -> None:
        group = cloudwatch_logs._log_groups.get(group_name) or {}
        for subscription in list((group.get("subscriptionFilters") or {}).values()):
            if (target := _target(subscription)) is None:
                continue
            try:
                if message := _message(subscription, group_name, stream_name, events):
                    spool.append(target, json.dumps(message).encode())
            except OSError:
                log.exception("lines.lost group=%s stream=%s", group_name, target.stream)
        original(group_name, stream_name, events)

    return fanned


def _target(subscription: dict[str, Any]) -> Target | None:
    arn = subscription.get("destinationArn", "")
    if ":deliverystream/" not in arn:
        return None
    parts = parse_arn(arn)
    return Target(parts.account_id, parts.region, parts.resource.partition("/")[2])


def _message(subscription: dict[str, Any], group: str, stream: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return AWS's DATA_MESSAGE for the events that match, or nothing."""
    pattern = subscription.get("filterPattern", "")
    matched = [e for e in events if cloudwatch_logs._subscription_pattern_matches(pattern, e.get("message", ""))]
    if not matched:
        return {}
    known = [{"id": uuid.uuid4().hex, "timestamp": e.get("timestamp"), "message": e["message"]} for e in matched]
    return {
        "messageType": "DATA_MESSAGE",
        "owner": get_account_id(),
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [subscription["filterName"]],
        "logEvents": known,
    }


@dataclass
class Courier:
    """Takes what was spooled to where it belongs, on a thread of its own; one segment is in memory at a time."""

    spool: Spool
    loop: asyncio.AbstractEventLoop | None = None
    _waits: dict[Target, float] = field(default_factory=dict)
    _not_before: dict[Target, float] = field(default_factory=dict)

    def starting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the gateway so that deliveries start with it. Its loop alone may touch the buckets."""

        @functools.wraps(original)
        async def started(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan" and self.loop is None:
                self.loop = asyncio.get_running_loop()
                threading.Thread(target=self.run, daemon=True, name="tropism-courier").start()
            await original(scope, receive, send)

        return started

    def run(self) -> None:
        """Deliver once a second while lines come, and now and then while some are left; otherwise sleep."""
        while True:
            self.spool.wait(LONGEST_WAIT_SECONDS if self.spool.targets() else None)
            time.sleep(EVERY_SECONDS)
            try:
                self.flush()
            except Exception:
                log.exception("delivery.failed")

    def flush(self) -> None:
        """Deliver everything that can be delivered now."""
        for target in self.spool.targets():
            if time.monotonic() < self._not_before.get(target, 0.0):
                continue
            try:
                with request_scope(target.account_id, target.region):
                    self._deliver(target)
            except NotNowError as reason:
                self._postpone(target, reason)
            else:
                self._waits.pop(target, None)
                self._not_before.pop(target, None)

    def _deliver(self, target: Target) -> None:
        stream, configuration = sink(target)  # before a segment is ended: without a stream the last one goes on growing
        for segment in self.spool.segments(target):
            bucket, key = place(stream, configuration, segment)
            self._put(bucket, key, body(configuration, segment.lines()))
            self.spool.remove(segment)

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        if self.loop is None:
            raise NotNowError("the gateway has not started")
        headers = {"content-length": str(len(content)), "content-type": "application/octet-stream"}
        headers["host"] = "s3.localhost"
        put = s3.handle_request("PUT", f"/{bucket}/{key}", headers, content, {}, internal=True)
        try:
            status, _, said = asyncio.run_coroutine_threadsafe(put, self.loop).result(_PUT_SECONDS)
        except TimeoutError as error:
            raise NotNowError(f"s3://{bucket} did not answer") from error
        if status != _HTTP_OK:
            raise NotNowError(f"s3://{bucket} answered {status}: {bytes(said)[:200]!r}")

    def _postpone(self, target: Target, reason: NotNowError) -> None:
        """Wait twice as long each time; forget what is a day old."""
        wait = min(self._waits.get(target, EVERY_SECONDS / 2) * 2, LONGEST_WAIT_SECONDS)
        self._waits[target], self._not_before[target] = wait, time.monotonic() + wait
        log.info("delivery.postponed stream=%s reason=%s", target.stream, reason)
        for segment in self.spool.expired(target, time.time() - KEPT_SECONDS):
            log.error("lines.dropped stream=%s count=%d reason=%s", target.stream, len(segment.lines()), reason)
            self.spool.remove(segment)
