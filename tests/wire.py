"""A wire between the clients and AWS on which things go wrong: throttled, failed, cut off, or answered in vain.

It stands in front of the emulator and is the endpoint of whoever is to be troubled; nothing of the code is replaced.
"""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest


class Trouble(StrEnum):
    """What may befall a request."""

    NONE = "none"
    THROTTLED = "SlowDown"
    """S3 refuses it, 503: nothing is done;"""
    FAILED = "InternalError"
    """fails on its own, 500: nothing is done;"""
    CUT = "cut"
    """the connection ends before it arrives: nothing is done;"""
    UNANSWERED = "unanswered"
    """it is done, and the connection ends before the answer."""


_STATUS = {Trouble.THROTTLED: 503, Trouble.FAILED: 500}
_BODY = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{0}</Code><Message>Please try again.</Message></Error>'
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass
class Wire:
    """What befalls each request is asked of `weather`, with its number, counted from 0; what did is kept."""

    there: str
    weather: Callable[[int], Trouble]
    met: list[tuple[str, Trouble]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, request: str) -> Trouble:
        with self._lock:
            found = self.weather(len(self.met))
            self.met.append((request, found))
            return found

    def troubled(self) -> set[Trouble]:
        return {trouble for _, trouble in self.met} - {Trouble.NONE}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    wire: Wire


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()

    def do_HEAD(self) -> None:
        self._pass_on()

    def log_message(self, *args: object) -> None: ...

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        trouble = self.server.wire.next(f"{self.command} {self.path}")
        if trouble in _STATUS:
            self._reply(_STATUS[trouble], [("Content-Type", "application/xml")], _BODY.format(trouble).encode())
        elif trouble is Trouble.CUT:
            self.close_connection = True
        else:
            found, told = self._asked(body)
            if trouble is Trouble.UNANSWERED:
                self.close_connection = True
            else:
                self._reply(found.status, found.getheaders(), told)

    def _asked(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        there = urlsplit(self.server.wire.there)
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        connection.request(self.command, self.path, body or None, headers)
        found = connection.getresponse()
        told = found.read()
        connection.close()
        return found, told

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", lengths[0] if self.command == "HEAD" and lengths else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def rough(weather: Callable[[int], Trouble]) -> Iterator[Wire]:
    """Let every client of this process that is made from now on go over a wire with that weather, until left."""
    with _Server(("127.0.0.1", 0), _Handler) as server, pytest.MonkeyPatch.context() as patch:
        server.wire = Wire(os.environ["AWS_ENDPOINT_URL"], weather)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        for name in ("AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL"):  # MLflow keeps its clients by the second
            patch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        try:
            yield server.wire
        finally:
            server.shutdown()
            thread.join()
