"""One "container" of the process engine: a process tree with a log, an exit code and a scratch folder.

States: created -> running -> exited. There is no pause, no restart and no isolation of files, network or memory.
A process belongs to the container when it carries its marker in its environment, so it is found even after it
left the session and lost its parents; the ones that clear their environment are found by their parents only.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from localcloud.images import Image
from localcloud.processes import CONTAINER, end, members

_NOT_FOUND = 127
_LOOKS, _LOOK_SECONDS = 100, 0.05
"""What a shell answers for a command it cannot find; `docker run` does the same."""


@dataclass(frozen=True)
class Spec:
    """What the client asked for."""

    name: str
    reference: str
    image: Image
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    """Container port ("8080/tcp") to the host port that was asked for; 0 is any."""


class StartError(Exception):
    """The command of a container cannot be executed."""


class Container:
    """A process tree; every method may be called from any thread."""

    def __init__(self, spec: Spec, folder: Path, markers: Mapping[str, str]) -> None:
        """Reserve an id, a scratch folder and ports; nothing runs yet. `markers` go into every environment."""
        self.id = secrets.token_hex(32)
        self.spec = spec
        self.created = time.time()
        self.started = 0.0
        self.ended = 0.0
        self.exit_code: int | None = None
        self.folder = folder / self.id[:12]
        (self.folder / "tmp").mkdir(parents=True)
        self.log = self.folder / "log"
        self.log.touch()
        self.ports = _reserve({f"{port}/tcp": 0 for port in spec.image.ports} | dict(spec.ports))
        self._markers = {**markers, CONTAINER: self.id}
        self._process: subprocess.Popen[bytes] | None = None
        self._offsets: list[tuple[float, int]] = []
        self._changed = threading.Condition()

    @property
    def status(self) -> str:
        """Docker's word for the state."""
        if self.exit_code is not None:
            return "exited"
        return "created" if self._process is None else "running"

    @property
    def running(self) -> bool:
        """Tell whether the first process is alive."""
        return self.status == "running"

    @property
    def pid(self) -> int:
        """The first process, or 0 when none runs."""
        return self._process.pid if self._process is not None and self.running else 0

    def start(self) -> None:
        """Go from created to running; a second call changes nothing. Raises StartError and exits with 127."""
        with self._changed:
            if self.status != "created":
                return
            self.started = time.time()
            try:
                self._process = self._spawn()
            except OSError as error:
                self.exit_code, self.ended = _NOT_FOUND, self.started
                self._changed.notify_all()
                raise StartError(f"exec: {error}: executable file not found in $PATH") from error
        pump = threading.Thread(target=self._pump, args=(self._process,), daemon=True)
        pump.start()
        threading.Thread(target=self._reap, args=(self._process, pump), daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the exit; tells whether it came within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.exit_code is not None, timeout)

    def wait_for_output(self, beyond: int, timeout: float) -> None:
        """Wait until the log is longer than `beyond` bytes, the container exited, or `timeout` seconds passed."""
        with self._changed:
            self._changed.wait_for(lambda: self.exit_code is not None or self.log.stat().st_size > beyond, timeout)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the first process; when it exits, whatever it left behind is killed."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def stop(self, grace: float) -> None:
        """Ask the first process to end, and kill everything when it has not within `grace` seconds."""
        if not self.running:
            return
        self.kill(signal.SIGTERM)
        if not self.wait(grace):
            self._kill_members()
            self.wait()

    def remove(self) -> None:
        """Kill whatever runs and delete the scratch folder; a second call changes nothing."""
        if self.running:
            self._kill_members()
            self.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def offset_at(self, moment: float) -> int:
        """Return where in the log the output written at or after `moment` (seconds since the epoch) begins."""
        with self._changed:
            place = bisect_left(self._offsets, (moment, 0))
            return self._offsets[place][1] if place < len(self._offsets) else self.log.stat().st_size

    def _spawn(self) -> subprocess.Popen[bytes]:
        env = self._environment()
        argv = self._command()
        program = shutil.which(argv[0], path=env.get("PATH", "")) if argv else None
        if program is None:
            raise FileNotFoundError(argv[0] if argv else "no command")
        return subprocess.Popen(  # noqa: S603 - running what it is told is what an engine does
            [program, *argv[1:]],
            cwd=self.spec.working_dir or self.spec.image.cwd or self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        own = dict(entry.split("=", 1) for entry in self.spec.env if "=" in entry)
        env = {**self.spec.image.env, **own}
        # Docker's name for the machine itself, which here is where the container runs.
        env = {name: value.replace("host.docker.internal", "127.0.0.1") for name, value in env.items()}
        home = {"HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp"), "HOSTNAME": self.id[:12]}
        return {**env, **home, **self._markers}

    def _command(self) -> list[str]:
        words = [*(self.spec.entrypoint or self.spec.image.entrypoint), *(self.spec.cmd or self.spec.image.cmd)]
        return [re.sub(r"\{port:(\d+)\}", lambda found: str(self.ports[f"{found[1]}/tcp"]), word) for word in words]

    def _pump(self, process: subprocess.Popen[bytes]) -> None:
        """Copy the output to the log for as long as anyone holds the other end of the pipe."""
        if process.stdout is None:
            return
        with process.stdout as source, self.log.open("ab", buffering=0) as log:
            while chunk := os.read(source.fileno(), 65536):
                with self._changed:
                    self._offsets.append((time.time(), log.tell()))
                    log.write(chunk)
                    self._changed.notify_all()

    def _reap(self, process: subprocess.Popen[bytes], pump: threading.Thread) -> None:
        """Collect the exit code; what outlives the first process dies with its container."""
        code = process.wait()
        self._kill_members()
        pump.join(2)
        with self._changed:
            self.ended = time.time()
            self.exit_code = code if code >= 0 else 128 - code
            self._changed.notify_all()

    def _kill_members(self) -> None:
        """Kill until a look around finds nobody: a process may fork between the look and the kill."""
        for _ in range(_LOOKS):
            found = members(CONTAINER, self.id)
            if not found:
                return
            for process in found:
                end(process)
            # The first process is a child of ours: whoever waits for it here takes its exit code from `_reap`.
            first = self._process.pid if self._process is not None else 0
            psutil.wait_procs([process for process in found if process.pid != first], timeout=0.5)
            time.sleep(_LOOK_SECONDS)


def _reserve(wanted: Mapping[str, int]) -> dict[str, int]:
    """Choose a host port for each container port; all probes stay open until all are chosen, so none repeats."""
    probes: list[socket.socket] = []
    chosen: dict[str, int] = {}
    try:
        for port, host_port in wanted.items():
            probe = socket.socket()
            probes.append(probe)
            probe.bind(("127.0.0.1", host_port))
            chosen[port] = int(probe.getsockname()[1])
    finally:
        for probe in probes:
            probe.close()
    return chosen
