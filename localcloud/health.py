"""Whether the services of the local cloud work, by asking each; and whether their ports are theirs to take.

A process that runs is no proof: the engine, the emulator and the Prefect server are asked over their own protocol,
a worker by what the server knows of it.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from datetime import datetime

import psutil

from lifecycle.errors import LocalCloudError
from localcloud.address import LocalCloud
from localcloud.services import engine_socket, worker_names
from localcloud.supervision import Supervised, listing, log_of

_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.15
_BACKOFF_SECONDS = 4.0
"""Two failed starts take about so long: the supervisor waits a second after the first, two after the second."""
_MOST_LIVES = 4
"""A service that fails a second after its start counts as started; its fifth process will fare no better."""
_DYING_SECONDS = 3.0
_TAIL_LINES = 15
_UNREACHABLE = (OSError, http.client.HTTPException, ValueError)
NAMES: Mapping[str, str] = {
    "engine": "process engine",
    "emulator": "AWS emulator",
    "prefect": "Prefect server",
    "worker-lambda": "lambda worker",
    "worker-ecs": "ecs worker",
}


def healthy(cloud: LocalCloud, supervised: Supervised) -> bool:
    """Ask one service whether it works."""
    try:
        return _ASK[supervised.name](cloud, supervised)
    except _UNREACHABLE:
        return False


def statuses(cloud: LocalCloud) -> dict[str, bool]:
    """Ask every service whether it works; raises the transport's error when the supervisor does not answer."""
    return {name: supervised.running and healthy(cloud, supervised) for name, supervised in listing(cloud).items()}


def wait(cloud: LocalCloud, service: str, seconds: float) -> None:
    """Wait until a service works. Raises LocalCloudError with the end of its log and the log's path."""
    deadline = time.monotonic() + seconds
    failing_since: float | None = None
    lives: set[int] = set()
    while True:
        supervised = listing(cloud)[service]
        if supervised.state == "RUNNING" and healthy(cloud, supervised):
            return
        lives.add(supervised.pid)
        if len(lives - {0}) > _MOST_LIVES:
            raise _failure(cloud, supervised, "could not be started")
        now = time.monotonic()
        failing_since = (failing_since or now) if supervised.state == "BACKOFF" else failing_since
        # EXITED passes: the supervisor starts such a service again a moment later.
        given_up = supervised.state in ("FATAL", "STOPPED", "UNKNOWN")
        if given_up or (failing_since is not None and now - failing_since > _BACKOFF_SECONDS):
            raise _failure(cloud, supervised, "could not be started")
        if now > deadline:
            raise _failure(cloud, supervised, f"did not work within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)


def has_pools(cloud: LocalCloud) -> bool:
    """Tell whether the Prefect server knows both work pools."""
    try:
        for pool in worker_names():
            _request(cloud.prefect_port, "GET", f"/api/work_pools/{pool}")
    except _UNREACHABLE:
        return False
    return True


def require_port(cloud: LocalCloud, service: str) -> None:
    """Make sure that a service's port is free. Raises LocalCloudError naming who holds it and what to do.

    A killed process holds its port until the kernel has taken it down, so a taken one is looked at for a while.
    """
    ports = {"emulator": cloud.emulator_port, "prefect": cloud.prefect_port}
    port = ports.get(service)
    deadline = time.monotonic() + _DYING_SECONDS
    while port is not None and not _is_free(port) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if port is None or _is_free(port):
        return
    raise LocalCloudError(
        f"Port {port}, which the {NAMES[service]} needs, is taken.",
        detail=f"{_holder(port)} listens on it.",
        resolution=f"Stop that process, or choose another port: TROPISM_{service.upper()}_PORT=… tropism up",
    )


def _failure(cloud: LocalCloud, supervised: Supervised, what: str) -> LocalCloudError:
    log = log_of(cloud, supervised.name)
    tail = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if log.exists() else []
    said = "\n".join(tail) or "(nothing)"
    return LocalCloudError(
        f"The {NAMES[supervised.name]} {what}.",
        detail=f"The supervisor says {supervised.state}: {supervised.said}. The end of its log:\n{said}\n",
        resolution=f"The whole log is {log}. After mending, run: tropism up",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections that are still being closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"Process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return "A process of another user"


def _engine(cloud: LocalCloud, _: Supervised) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(str(engine_socket(cloud)))
        connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 " in connection.recv(64)


def _emulator(cloud: LocalCloud, _: Supervised) -> bool:
    return isinstance(_request(cloud.emulator_port, "GET", "/_ministack/health"), dict)


def _prefect(cloud: LocalCloud, _: Supervised) -> bool:
    return _request(cloud.prefect_port, "GET", "/api/health") is True


def _worker(cloud: LocalCloud, supervised: Supervised) -> bool:
    """Ask the server: the worker must have said hello since it was last started."""
    pool = next(pool for pool, name in worker_names().items() if name == supervised.name)
    known = _request(cloud.prefect_port, "POST", f"/api/work_pools/{pool}/workers/filter", {})
    if not isinstance(known, list):
        return False
    return any(
        worker["name"] == f"local-{pool}"
        and datetime.fromisoformat(worker["last_heartbeat_time"]).timestamp() >= supervised.since
        for worker in known
    )


def _request(port: int, method: str, path: str, body: object = None) -> object:
    """Send one request to this machine and return the JSON answered; raises ValueError for any status but 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"{method} {path} answered {answer.status}")
    return json.loads(text)


_ASK: Mapping[str, Callable[[LocalCloud, Supervised], bool]] = {
    "engine": _engine,
    "emulator": _emulator,
    "prefect": _prefect,
    "worker-lambda": _worker,
    "worker-ecs": _worker,
}
