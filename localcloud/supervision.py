"""The supervisor: supervisord's configuration as text, and the calls made to it. It starts again what ends by itself.

https://supervisord.org. It listens on a unix socket only. Which services there are is not its business.
"""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lifecycle.errors import LocalCloudError
from localcloud.address import REPO, LocalCloud
from localcloud.services import Service

_RUNNING_STATES = ("RUNNING", "STARTING", "BACKOFF")
_ANSWER_SECONDS = 10
_GONE = (FileNotFoundError, ConnectionError, http.client.HTTPException)


@dataclass(frozen=True)
class Supervised:
    """What the supervisor says of a service.

    `pid` is 0 when it does not run; `since` is when it was last started (seconds since the epoch); `said` is the
    supervisor's own words.
    """

    name: str
    state: str
    pid: int
    since: float
    said: str

    @property
    def running(self) -> bool:
        """Tell whether it runs or is being started."""
        return self.state in _RUNNING_STATES


def configuration(cloud: LocalCloud, services: Sequence[Service]) -> str:
    """Write supervisord's configuration; the same services give the same text. Nothing is started by it alone."""
    log = {"stdout_logfile_maxbytes": "5MB", "stdout_logfile_backups": "2"}
    sections: dict[str, Mapping[str, str]] = {
        "unix_http_server": {"file": str(_socket(cloud)), "chmod": "0700"},
        "supervisord": {
            "logfile": str(cloud.home.logs / "supervisor.log"),
            "logfile_maxbytes": "5MB",
            "logfile_backups": "2",
            "pidfile": str(cloud.home.run / "supervisor.pid"),
            "childlogdir": str(cloud.home.logs),
            "identifier": f"tropism-{cloud.instance}",
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
    }
    for service in services:
        sections[f"program:{service.name}"] = {
            "command": " ".join(_quoted(word) for word in service.command),
            "directory": str(REPO),
            "environment": ",".join(f"{name}={_quoted(value)}" for name, value in sorted(service.environment.items())),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "20",
            "stopwaitsecs": str(service.stop_seconds),
            "stopasgroup": str(service.whole_group).lower(),
            "killasgroup": str(service.whole_group).lower(),
            "redirect_stderr": "true",
            "stdout_logfile": str(log_of(cloud, service.name)),
            **log,
        }
    lines = ["; Written by `tropism up`; a change here is lost at the next one."]
    for title, entries in sections.items():
        lines += ["", f"[{title}]", *(f"{name} = {value.replace('%', '%%')}" for name, value in entries.items())]
    return "\n".join(lines) + "\n"


def log_of(cloud: LocalCloud, service: str) -> Path:
    """Where a service's output goes."""
    return cloud.home.logs / f"{service}.log"


def start_supervisor(cloud: LocalCloud) -> None:
    """Start the supervisor in the background; the caller makes sure that none runs."""
    configuration_file = cloud.home.run / "supervisord.conf"
    subprocess.run(  # noqa: S603 - the configuration just written
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration_file)],
        check=True,
        env=cloud.process_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=REPO,
    )


def answers(cloud: LocalCloud) -> bool:
    """Tell whether the supervisor runs and listens."""
    try:
        with _calls(cloud) as supervisor:
            state = supervisor.supervisor.getState()
    except _GONE:
        return False
    return isinstance(state, dict) and state["statename"] == "RUNNING"


def listing(cloud: LocalCloud) -> dict[str, Supervised]:
    """Return what the supervisor says of each service."""
    with _calls(cloud) as supervisor:
        found = cast("list[dict[str, Any]]", supervisor.supervisor.getAllProcessInfo())
    return {
        info["name"]: Supervised(
            info["name"], info["statename"], info["pid"], info["start"], info["spawnerr"] or info["description"]
        )
        for info in found
    }


def start(cloud: LocalCloud, service: str) -> None:
    """Start a service; one that runs is left alone."""
    if not listing(cloud)[service].running:
        with _calls(cloud) as supervisor, contextlib.suppress(xmlrpc.client.Fault):
            # A start that fails is seen where its health is asked for, with the log.
            supervisor.supervisor.startProcess(service, False)  # noqa: FBT003 - do not wait


def stop(cloud: LocalCloud, service: str) -> None:
    """Stop a service and wait for its end; one that does not run is left alone."""
    if listing(cloud)[service].running:
        with _calls(cloud) as supervisor:
            supervisor.supervisor.stopProcess(service, True)  # noqa: FBT003 - wait


def shut_down(cloud: LocalCloud) -> None:
    """Stop every service and the supervisor itself, and wait until it is gone."""
    with _calls(cloud) as supervisor:
        supervisor.supervisor.stopAllProcesses(True)  # noqa: FBT003 - wait
        supervisor.supervisor.shutdown()
    deadline = time.monotonic() + _ANSWER_SECONDS
    while answers(cloud) and time.monotonic() < deadline:
        time.sleep(0.1)


@contextlib.contextmanager
def _calls(cloud: LocalCloud) -> Iterator[xmlrpc.client.ServerProxy]:
    from supervisor.xmlrpc import SupervisorTransport  # noqa: PLC0415 - only whoever asks it pays for it

    transport = SupervisorTransport("", "", f"unix://{_socket(cloud)}")
    with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as supervisor:
        yield supervisor


def _socket(cloud: LocalCloud) -> Path:
    return cloud.sockets / "supervisor.sock"


def _quoted(word: str) -> str:
    """Quote for supervisord, which knows no escape inside quotes."""
    if '"' in word:
        raise LocalCloudError(
            "The supervisor cannot be configured.",
            detail=f"A path or value holds a double quote: {word!r}.",
            resolution="Move the checkout, or name another folder with TROPISM_HOME.",
        )
    return f'"{word}"'
