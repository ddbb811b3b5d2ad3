"""The HTTP door of the process engine: the part of the Docker Engine API that ECS and Lambda emulators call.

It answers `/_ping /version /info /networks`, images (`create`, `json`, `distribution`) and containers (`create start
json wait logs stop kill DELETE list`) on a unix socket; everything else is 501. It builds nothing, pulls nothing, and
has no networks, volumes or exec. https://docs.docker.com/reference/api/engine/version/v1.43/
"""

from __future__ import annotations

import json
import os
import re
import signal
import socketserver
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from localcloud.container import Container, StartError
from localcloud.engine import Engine, NameTakenError
from localcloud.images import find_image, load_images
from localcloud.processes import ENGINE, INSTANCE, end, members
from localcloud.replies import API_VERSION, Reply
from localcloud.shapes import ImageNotFoundError, inspected, parsed, summarised


class Door(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread per connection; the engine is shared."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, engine: Engine) -> None:
        """Listen on the unix socket at `path`."""
        self.engine = engine
        super().__init__(path, Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what went wrong in a request, unless the client simply went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(Reply):
    """Routes one request; each route's docstring says what it answers."""

    server: Door

    def do_GET(self) -> None:  # noqa: N802 - the name `http.server` looks for
        """Answer a request, whatever its method: `http.server` wants one name per method."""
        path = self.read()
        for method, pattern, route in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and self.command in (method, "HEAD" if method == "GET" else method):
                route(self, *found.groups())
                return
        self.answer(501, {"message": f"the process engine does not implement {self.command} {path}"})

    do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the same

    def found(self, reference: str) -> Container | None:
        """Find a container by name or id, or answer 404."""
        container = self.server.engine.find(reference)
        if container is None:
            self.answer(404, {"message": f"No such container: {reference}"})
        return container

    def version(self) -> None:
        """Answer the API version clients negotiate down to."""
        versions = {"ApiVersion": API_VERSION, "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}
        self.answer(200, {"Version": "tropism-processes", **versions})

    def info(self) -> None:
        """Answer how many containers there are."""
        count = len(self.server.engine.containers())
        self.answer(200, {"Name": "tropism-processes", "OSType": "linux", "Containers": count})

    def networks(self) -> None:
        """Answer that there are none."""
        self.answer(200, [])

    def pull(self) -> None:
        """Answer success for an image of the table, 404 for any other, as a registry would."""
        reference = self.query.get("fromImage", "")
        if find_image(self.server.engine.images, reference) is None:
            self.answer(404, {"message": f"manifest for {reference} not found: manifest unknown"})
            return
        self.answer(200, {"status": f"Image is up to date for {reference}"})

    def image(self, reference: str) -> None:
        """Answer what is known about an image of the table, 404 for any other."""
        image = find_image(self.server.engine.images, reference)
        if image is None:
            self.answer(404, {"message": f"No such image: {reference}"})
            return
        digest = f"sha256:{image.name.encode().hex().ljust(64, '0')[:64]}"
        known = {"Id": digest, "RepoTags": [reference], "Os": "linux", "Config": {}}
        self.answer(200, {**known, "Descriptor": {"digest": digest}})

    def create(self) -> None:
        """Create a container: 201, 404 for an unknown image, 409 for a name in use."""
        try:
            spec = parsed(self.query.get("name", ""), self.body, self.server.engine.images)
            container = self.server.engine.create(spec)
        except ImageNotFoundError as error:
            self.answer(404, {"message": str(error)})
        except NameTakenError as error:
            self.answer(409, {"message": str(error)})
        else:
            self.answer(201, {"Id": container.id, "Warnings": []})

    def listing(self) -> None:
        """List running containers, with `all` the others too; `filters` may name labels."""
        wanted = json.loads(self.query.get("filters", "{}")).get("label", [])
        labels = [wanted] if isinstance(wanted, str) else list(wanted)
        known = self.server.engine.containers()
        chosen = [one for one in known if (self.flag("all") or one.running) and _has(one, labels)]
        self.answer(200, [summarised(container) for container in chosen])

    def inspect(self, reference: str) -> None:
        """Answer everything about one container."""
        if container := self.found(reference):
            self.answer(200, inspected(container))

    def start(self, reference: str) -> None:
        """Start: 204, 304 when it was started before, 400 when the command cannot be executed."""
        if container := self.found(reference):
            if container.status != "created":
                self.answer(304)
                return
            try:
                container.start()
            except StartError as error:
                self.answer(400, {"message": str(error)})
            else:
                self.answer(204)

    def wait(self, reference: str) -> None:
        """Send the headers at once and the exit code at the exit: `docker run` hangs on the headers otherwise."""
        if container := self.found(reference):
            self.stream("application/json")
            container.wait()
            self.wfile.write(json.dumps({"StatusCode": container.exit_code}).encode())

    def logs(self, reference: str) -> None:
        """Send the log in Docker's frames, and with `follow` go on until the exit."""
        container = self.found(reference)
        if container is None:
            return
        since = float(self.query.get("since") or 0)
        tail = self.query.get("tail", "all")
        self.stream("application/vnd.docker.raw-stream")
        with container.log.open("rb") as log:
            log.seek(container.offset_at(since) if since else 0)
            data = log.read()
            if tail not in ("all", ""):
                data = b"".join(data.splitlines(keepends=True)[-int(tail) :]) if int(tail) else b""
            self.frame(data)
            while self.flag("follow") and (container.running or log.tell() < container.log.stat().st_size):
                container.wait_for_output(log.tell(), timeout=5)
                self.frame(log.read())

    def stop(self, reference: str) -> None:
        """Send SIGTERM, and SIGKILL to the whole container after `t` seconds."""
        if container := self.found(reference):
            container.stop(float(self.query.get("t", 10)))
            self.answer(204)

    def kill(self, reference: str) -> None:
        """Send a signal: 204, 409 when nothing runs, 400 for a signal that does not exist."""
        container = self.found(reference)
        if container is None:
            return
        name = "SIG" + self.query.get("signal", "KILL").removeprefix("SIG")
        if name not in signal.Signals.__members__:
            self.answer(400, {"message": f"Invalid signal: {name}"})
        elif not container.running:
            self.answer(409, {"message": f"Container {reference} is not running"})
        else:
            container.kill(signal.Signals[name])
            self.answer(204)

    def remove(self, reference: str) -> None:
        """Delete: 204, 409 when it runs and `force` is not set."""
        container = self.found(reference)
        if container is None:
            return
        if container.running and not self.flag("force"):
            self.answer(409, {"message": "container is running: stop the container before removing or force remove"})
            return
        self.server.engine.remove(container)
        self.answer(204)


def _has(container: Container, wanted: Sequence[str]) -> bool:
    """Tell whether a container carries every label, given as `name` or `name=value`."""
    labels = container.spec.labels
    pairs = [entry.partition("=") for entry in wanted]
    return all(name in labels and (not sign or labels[name] == value) for name, sign, value in pairs)


_ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("GET", "/_ping", Handler.ping),
    ("GET", "/version", Handler.version),
    ("GET", "/info", Handler.info),
    ("GET", "/networks", Handler.networks),
    ("POST", "/images/create", Handler.pull),
    ("GET", "/(?:images|distribution)/(.+)/json", Handler.image),
    ("POST", "/containers/create", Handler.create),
    ("GET", "/containers/json", Handler.listing),
    ("GET", "/containers/([^/]+)/json", Handler.inspect),
    ("GET", "/containers/([^/]+)/logs", Handler.logs),
    ("POST", "/containers/([^/]+)/start", Handler.start),
    ("POST", "/containers/([^/]+)/wait", Handler.wait),
    ("POST", "/containers/([^/]+)/stop", Handler.stop),
    ("POST", "/containers/([^/]+)/kill", Handler.kill),
    ("DELETE", "/containers/([^/]+)", Handler.remove),
)


def main(socket: Path, table: Path, folder: Path) -> None:
    """Serve until a SIGTERM; what an engine that died on this socket left running is killed first."""
    markers = {ENGINE: str(socket)} | {name: os.environ[name] for name in (INSTANCE,) if name in os.environ}
    for orphan in members(ENGINE, str(socket)):
        end(orphan)
    engine = Engine(load_images(table), folder, markers)
    socket.unlink(missing_ok=True)
    with Door(str(socket), engine) as door:
        socket.chmod(0o600)
        # shutdown() waits for serve_forever(), which this thread runs.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=door.shutdown).start())
        door.serve_forever(poll_interval=0.1)
    engine.close()
    socket.unlink(missing_ok=True)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
