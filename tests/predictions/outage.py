"""Clients that ask an endpoint while its versions change and its delivery stream goes away and comes back.

Everything is compared from outside: what callers were answered, when the alias was moved, what the log holds.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from lifecycle.predictions import Prediction
from lifecycle.settings import Settings
from tasks import delivery_streams, endpoint, predictions, traffic
from tasks.clients import firehose

REFUSED_EVERY = 10
_RECOVERY_SECONDS = 180.0
_BROKEN = b'{"dataframe_split":{"columns":["nothing"],"data":[[1]]}}'


@dataclass(frozen=True)
class Answered:
    """One answer as its caller saw it; `began` and `ended`: between them the alias chose."""

    request_id: str
    function_version: str
    status: int
    began: datetime
    ended: datetime


@dataclass(frozen=True)
class Endpoint:
    """What is asked: `body` is a request that is answered; champion and challenger are function versions."""

    settings: Settings
    product: str
    champion: str
    challenger: str
    body: bytes

    @property
    def function(self) -> str:
        return self.settings.predict_function(self.product)

    def url(self) -> str:
        public = endpoint.public_url(self.function)
        assert public is not None
        return endpoint.reachable(self.settings, public)


@dataclass
class Callers:
    """Threads that ask until there are `wanted` answers; every tenth request breaks the contract."""

    url: str
    body: bytes
    wanted: int
    threads: int
    answers: list[Answered] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turns = itertools.count()
        self._running = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()

    def reach(self, share: float) -> None:
        """Wait until a share of the answers came."""
        while len(self.answers) < share * self.wanted and any(thread.is_alive() for thread in self._running):
            time.sleep(0.01)

    def join(self) -> None:
        for thread in self._running:
            thread.join()

    def _ask(self) -> None:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        while (turn := next(self._turns)) < self.wanted:
            sent = _BROKEN if turn % REFUSED_EVERY == REFUSED_EVERY - 1 else self.body
            began = datetime.now(UTC)
            try:
                connection.request("POST", f"{parts.path}invocations", sent, {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
                continue
            identity = (answer.headers["x-request-id"], answer.headers["x-function-version"])
            self.answers.append(Answered(*identity, answer.status, began, datetime.now(UTC)))
        connection.close()


@dataclass
class Alias:
    """The alias' states, each from just before it was set until just after the next one was."""

    at: Endpoint
    states: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)

    def split(self, weight: float) -> None:
        """Give the challenger a share of the requests."""
        state = endpoint.alias(self.at.function)
        assert state is not None
        wanted = traffic.split_of(self.at.champion, self.at.challenger, weight)
        begins = datetime.now(UTC)
        traffic.set_weights(self.at.function, wanted, seen=state)
        if self.states:
            self.ends.append(datetime.now(UTC))
        self.states.append((begins, frozenset({wanted.base, *wanted.extra})))

    def allowed(self, began: datetime, ended: datetime) -> frozenset[str]:
        """Return the versions that may have been drawn between two moments."""
        spans = itertools.zip_longest(self.states, self.ends, fillvalue=datetime.max.replace(tzinfo=UTC))
        found = (versions for (begins, versions), ends in spans if begins <= ended and began <= ends)  # type: ignore[misc]
        return frozenset(itertools.chain.from_iterable(found))


@dataclass(frozen=True)
class Outcome:
    """What callers saw, what the alias allowed, and what the log holds in the end; durations in seconds."""

    answers: list[Answered]
    failures: list[str]
    alias: Alias
    records: list[Prediction]
    tally: predictions.Tally
    asking: float
    outage: float
    recovery: float


def through(at: Endpoint, *, wanted: int, threads: int) -> Outcome:
    """Ask while the alias moves from champion to challenger and the stream is gone for a third of the time."""
    stream, alias, since = delivery_streams.stream_name(at.settings, at.product), Alias(at), datetime.now(UTC)
    alias.split(0)
    begun = time.monotonic()
    callers = Callers(at.url(), at.body, wanted, threads)
    callers.reach(0.2)
    alias.split(0.2)
    callers.reach(0.35)
    firehose().delete_delivery_stream(DeliveryStreamName=stream)
    gone = time.monotonic()
    callers.reach(0.5)
    alias.split(0.5)
    callers.reach(0.65)
    delivery_streams.ensure(at.settings, at.product)
    back = time.monotonic()
    callers.reach(0.8)
    alias.split(1)
    callers.join()
    ended = time.monotonic()
    expected = {one.request_id for one in callers.answers}
    log, records = _recovered(at, since, expected)
    recovery = time.monotonic() - ended
    return Outcome(callers.answers, callers.failures, alias, records, log.tally, ended - begun, back - gone, recovery)


def _recovered(at: Endpoint, since: datetime, expected: set[str]) -> tuple[predictions.Log, list[Prediction]]:
    """Read the log until it holds every answer, or for three minutes."""
    deadline = time.monotonic() + _RECOVERY_SECONDS
    while True:
        log = predictions.answered(at.settings.bucket, at.product, since, since + timedelta(hours=2))
        records = list(log)
        if expected <= {one.request_id for one in records} or time.monotonic() > deadline:
            return log, records
        time.sleep(1)


def judge(outcome: Outcome, *, wanted: int) -> None:
    """Assert that whatever was answered was recorded, once and as it was, by a version the alias allowed then."""
    assert outcome.failures == []
    answers = {one.request_id: one for one in outcome.answers}
    assert len(answers) == len(outcome.answers) == wanted
    live = [one for one in outcome.records if one.live and one.path == "/invocations"]
    assert len(live) == len({one.request_id for one in live}) == wanted
    assert outcome.tally.strangers == 0
    slack = timedelta(milliseconds=1)  # a record's time has milliseconds
    for record in live:
        answer = answers[record.request_id]
        assert (record.function_version, record.status) == (answer.function_version, answer.status)
        assert answer.began - slack <= record.at <= answer.ended + slack
        assert record.function_version in outcome.alias.allowed(answer.began, answer.ended)
    refused = sum(one.status == 400 for one in live)
    assert (refused, wanted - refused) == (wanted // REFUSED_EVERY, sum(one.status == 200 for one in live))
    assert {one.function_version for one in live} == {outcome.alias.at.champion, outcome.alias.at.challenger}


def body_of(rows: dict[str, object]) -> bytes:
    """Return a request with one row."""
    return json.dumps({"dataframe_split": {"columns": list(rows), "data": [list(rows.values())]}}).encode()
