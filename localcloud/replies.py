"""How the process engine's door reads a request and writes an answer; which answer to what is in `door.py`."""

from __future__ import annotations

import json
import re
import struct
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

API_VERSION = "1.43"
_TRUE = ("1", "true", "True")


class Reply(BaseHTTPRequestHandler):
    """One request on a unix socket: its path, query and body, and the ways to answer it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False  # a unix socket has no such option
    query: dict[str, str]
    body: dict[str, Any]

    def read(self) -> str:
        """Read query and body, and return the path without the version a client may put before it."""
        split = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self.body = json.loads(self.rfile.read(length) or b"{}") if length else {}
        return re.sub(r"^/v1\.\d+", "", unquote(split.path))

    def log_message(self, *_: object) -> None:
        """Say nothing per request: the emulator asks several times a second."""

    def address_string(self) -> str:
        """Name the peer; a unix socket has no address."""
        return "unix"

    def answer(self, code: int, value: object = None) -> None:
        """Send one JSON answer, or none when `value` is None."""
        payload = b"" if value is None else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if payload and self.command != "HEAD":
            self.wfile.write(payload)

    def stream(self, content_type: str) -> None:
        """Send the headers of an answer that ends when the connection does."""
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True

    def flag(self, name: str) -> bool:
        """Read a boolean of the query."""
        return self.query.get(name) in _TRUE

    def ping(self) -> None:
        """Answer OK: the client asks before anything else."""
        self.send_response(200)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("OSType", "linux")
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"OK")

    def frame(self, data: bytes) -> None:
        """Send output in one of Docker's frames: stream 1, four bytes of length, the bytes."""
        if data:
            self.wfile.write(struct.pack(">BxxxL", 1, len(data)) + data)
            self.wfile.flush()
