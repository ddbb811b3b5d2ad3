"""A real browser without a window: it opens a page and says what happened, over Chromium's own protocol.

    found = executable()               a Chromium there is, or None
    with opened(found, folder) as browser:
        seen = browser.visit(path, width=390)

Only a fresh profile is used, and the browser is told to talk to nobody.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from websockets.sync.client import ClientConnection, connect

CHOSEN = "TROPISM_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_SECONDS = 60


def executable() -> str | None:
    """Return the browser somebody chose, or the first one there is; None without any."""
    chosen = os.environ.get(CHOSEN)
    return chosen or next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass(frozen=True)
class Seen:
    """What a visit showed. `requests`: addresses asked for, the page's own first; `complaints`: of the console.

    `measured` is what the page's own script engine said; times are in milliseconds.
    """

    requests: tuple[str, ...]
    complaints: tuple[str, ...]
    measured: Mapping[str, Any]
    picture: bytes = field(repr=False)


MEASURE = """(() => {
  const box = one => { const found = one.getBoundingClientRect(); return [found.width, found.height]; };
  const timing = performance.getEntriesByType('navigation')[0];
  return JSON.stringify({
    load_ms: timing.loadEventEnd - timing.startTime,
    width: window.innerWidth, scroll_width: document.documentElement.scrollWidth,
    charts: [...document.querySelectorAll('svg.chart')].map(box),
    drawn: [...document.querySelectorAll('svg.chart')].map(one => one.querySelectorAll('path, use').length),
    titles: [...document.querySelectorAll('figure h3')].map(one => one.textContent),
    scripts: document.scripts.length,
    headings: [...document.querySelectorAll('h2')].map(one => one.textContent),
    ids: [...document.querySelectorAll('[id]')].map(one => one.id),
    labelled: [...document.querySelectorAll('svg.chart')].map(
      one => one.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id)?.textContent)),
    ink: getComputedStyle(document.body).color, paper: getComputedStyle(document.body).backgroundColor,
    text: document.body.innerText,
  });
})()"""


class Browser:
    """One page of a running browser."""

    def __init__(self, address: str) -> None:
        self._socket: ClientConnection = connect(address, max_size=None, open_timeout=_SECONDS)
        self._number = 0
        self._events: list[Any] = []
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def close(self) -> None:
        self._socket.close()

    def visit(self, page: Path, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Seen:
        """Open a file and wait until it is loaded; look at the whole of it."""
        self._view(width, 900, scheme)
        self._events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        self._wait("Page.loadEventFired")
        result = self._call("Runtime.evaluate", expression=MEASURE, returnByValue=True)["result"]
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        self._view(width, int(size["height"]), scheme)
        picture = self._call("Page.captureScreenshot", format="png")["data"]
        return Seen(
            tuple(one["request"]["url"] for one in self._of("Network.requestWillBeSent")),
            tuple(self._complaints()),
            json.loads(result["value"]),
            base64.b64decode(picture),
        )

    def _view(self, width: int, height: int, scheme: str) -> None:
        phone = width < 600
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def _complaints(self) -> Iterator[str]:
        for one in self._of("Log.entryAdded"):
            yield str(one["entry"]["text"])
        for one in self._of("Runtime.consoleAPICalled"):
            yield f"{one['type']}: {one['args']}"
        for one in self._of("Runtime.exceptionThrown"):
            yield str(one["exceptionDetails"]["text"])

    def _of(self, method: str) -> list[Any]:
        return [one["params"] for one in self._events if one["method"] == method]

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while (answer := self._next()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _wait(self, method: str) -> None:
        while not self._of(method):
            self._next()

    def _next(self) -> Any:
        found = json.loads(self._socket.recv(timeout=_SECONDS))
        if "method" in found:
            self._events.append(found)
        return found


@contextmanager
def opened(program: str, folder: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile in `folder` and end it afterwards."""
    profile = folder / "profile"
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        port = _port(process, profile, folder / "browser.log")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=_SECONDS) as answer:
            pages = [one for one in json.load(answer) if one["type"] == "page"]
        browser = Browser(pages[0]["webSocketDebuggerUrl"])
        try:
            yield browser
        finally:
            browser.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], profile: Path, log: Path) -> int:
    """Return the port the browser listens on, which it writes into its profile."""
    deadline, told = time.monotonic() + _SECONDS, profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if told.exists() and (lines := told.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise RuntimeError(f"The browser did not start:\n{log.read_text(errors='replace')[-2000:]}")
