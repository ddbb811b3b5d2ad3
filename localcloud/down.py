"""Stops the local cloud: `python -m localcloud.down`. It leaves no process and no listener, and keeps the data."""

from __future__ import annotations

import fcntl
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from lifecycle.errors import LocalCloudError, TropismError
from localcloud import supervision
from localcloud.address import Home, find
from localcloud.processes import INSTANCE, members

_GRACE_SECONDS = 3.0
_OURS = ("aws", "aws-log", "client", "logs", "mlflow.db*", "prefect", "run", "s3", "workers", "bootstrap.*", "local.*")
"""What a wipe deletes, and nothing else: whoever names a folder of theirs as TROPISM_HOME keeps what is in it."""


def down(*, wipe: bool = False, home: Home | None = None) -> None:
    """Stop everything; with `wipe`, forget everything too. A second call finds nothing to do."""
    home = home or Home.chosen()
    with locked(home):
        stop_everything(home, wipe=wipe)


def stop_everything(home: Home, *, wipe: bool) -> None:
    """Stop supervisor, services and what they left behind; the caller holds the lock."""
    try:
        cloud = find(home)
    except LocalCloudError:
        if not wipe:
            raise
        cloud = None
        for instance in _mentioned(home):
            end_survivors(instance)
    if cloud is not None:
        if supervision.answers(cloud):
            supervision.shut_down(cloud)
        end_survivors(cloud.instance)
        shutil.rmtree(home.run, ignore_errors=True)
        shutil.rmtree(cloud.sockets, ignore_errors=True)
    if wipe:
        _forget(home)


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Let one process at a time start or stop this cloud; others wait."""
    home.path.mkdir(parents=True, exist_ok=True)
    with (home.path / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _mentioned(home: Home) -> set[str]:
    """Return the marks that files of this home mention: what is left to go by when the record cannot be read."""
    files = (home.record, home.run / "supervisord.conf")
    text = "".join(file.read_text(errors="replace") for file in files if file.exists())
    return set(re.findall(r'(?:"instance": |TROPISM_INSTANCE=)"([0-9a-f]{8})"', text))


def end_survivors(instance: str) -> None:
    """End every process that carries this cloud's mark and no other. Raises LocalCloudError when one will not end."""
    found = members(INSTANCE, instance)
    for process in found:
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(found, timeout=_GRACE_SECONDS)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    if left := members(INSTANCE, instance):
        raise LocalCloudError(
            f"{len(left)} processes of the local cloud do not end.",
            detail=", ".join(f"{process.pid} ({process.name()})" for process in left) + ".",
        )


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def _forget(home: Home) -> None:
    for entry in [found for pattern in _OURS for found in home.path.glob(pattern)]:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def main(arguments: list[str]) -> int:
    """Stop, and say on standard error what is in the way."""
    try:
        down(wipe="--wipe" in arguments)
    except TropismError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
