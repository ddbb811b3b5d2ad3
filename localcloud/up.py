"""Starts the local cloud and brings it to this checkout: `python -m localcloud.up`.

Idempotent: what runs is left alone, what died is started, what changed is brought up to date. It survives having been
killed anywhere, and so do the services, the supervisor included.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from lifecycle.errors import TropismError
from localcloud import health, supervision
from localcloud.address import Home, LocalCloud, find, save, settle
from localcloud.bootstrap import Progress, bring_stack, deploy_flows, make_tables
from localcloud.down import locked, stop_everything
from localcloud.images import save_images
from localcloud.install import install, runtime_emulator
from localcloud.services import image_table, images, services, worker_names

_START_SECONDS = {"engine": 20, "emulator": 60, "prefect": 180}
"""A fresh Prefect server takes 15 s to make its tables, and twice that on a busy machine."""
_WORKER_SECONDS = 90


def up(*, fresh: bool = False, home: Home | None = None, progress: Progress = lambda _: None) -> LocalCloud:
    """Start what does not run, bring it to this checkout, and return where it is; a second call changes nothing.

    With `fresh`, everything is stopped and forgotten first. Ports: see `localcloud.address.settle`. Raises
    LocalCloudError with one clear sentence when something is in the way.
    """
    home = home or Home.chosen()
    with locked(home):
        if fresh:
            progress("Forgetting the previous local cloud")
            stop_everything(home, wipe=True)
        progress("Checking the emulator's environment")
        install()
        emulator_binary = runtime_emulator()
        cloud = settle(home, os.environ)
        _supervise(cloud, emulator_binary, progress)
        for name in _START_SECONDS:
            supervision.start(cloud, name)
        _run(cloud, ("engine", "emulator"), progress)
        # The Prefect server takes its time; the stack and MLflow's tables do not need it.
        bring_stack(cloud, progress)
        make_tables(cloud, progress)
        _run(cloud, ("prefect",), progress)
        deploy_flows(cloud, progress)
        _run(cloud, worker_names().values(), progress)
    return cloud


def _run(cloud: LocalCloud, names: Iterable[str], progress: Progress) -> None:
    """Start what does not run, all at once, and wait until each works."""
    chosen = tuple(names)
    for name in chosen:
        supervision.start(cloud, name)
    for name in chosen:
        progress(f"Waiting for the {health.NAMES[name]}")
        health.wait(cloud, name, _START_SECONDS.get(name, _WORKER_SECONDS))


def _supervise(cloud: LocalCloud, emulator_binary: Path, progress: Progress) -> None:
    """Have a supervisor run with the configuration of this checkout; one with another configuration is replaced."""
    file = cloud.home.run / "supervisord.conf"
    text = supervision.configuration(cloud, services(cloud))
    if find(cloud.home) == cloud and file.exists() and file.read_text() == text and supervision.answers(cloud):
        return
    progress("Starting the supervisor")
    stop_everything(cloud.home, wipe=False)
    for name in _START_SECONDS:
        health.require_port(cloud, name)
    save(cloud)
    for folder in (cloud.home.run / "emulator", cloud.home.logs, cloud.home.state, cloud.home.objects, cloud.sockets):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for service in services(cloud):
        if "HOME" in service.environment:
            Path(service.environment["HOME"]).mkdir(parents=True, exist_ok=True)
    save_images(image_table(cloud), images(cloud, emulator_binary))
    file.write_text(text)
    supervision.start_supervisor(cloud)


def main(arguments: list[str]) -> int:
    """Start, telling what happens on standard error, and write the record to standard output."""
    try:
        cloud = up(fresh="--fresh" in arguments, progress=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    except TropismError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(cloud.model_dump_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
