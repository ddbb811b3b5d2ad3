"""The process engine: the containers of one local cloud.

It stands where a Docker daemon would, so that the emulator's own container code runs unchanged; with a real daemon's
socket in DOCKER_HOST the same configuration runs real containers. It keeps nothing on disk but scratch folders:
containers do not survive it, and what an engine that died left running is killed at the next start.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from localcloud.container import Container, Spec
from localcloud.images import Image

_SHORT_ID = 12
"""The id that people and logs use; a shorter one could be any machine's host name."""


class NameTakenError(Exception):
    """Two containers cannot share a name."""


class Engine:
    """The containers of one engine; every method may be called from any thread."""

    def __init__(self, images: tuple[Image, ...], folder: Path, markers: Mapping[str, str]) -> None:
        """Start with no containers and an empty `folder`; `markers` go into every container's environment."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.images = images
        self._folder = folder
        self._markers = dict(markers)
        self._containers: dict[str, Container] = {}
        self._lock = threading.Lock()

    def create(self, spec: Spec) -> Container:
        """Make a container, running nothing yet; raises NameTakenError."""
        with self._lock:
            if any(other.spec.name == spec.name for other in self._containers.values() if spec.name):
                raise NameTakenError(f'Conflict. The container name "/{spec.name}" is already in use')
            container = Container(spec, self._folder, self._markers)
            self._containers[container.id] = container
            return container

    def find(self, reference: str) -> Container | None:
        """Return the container with this name, id, or first 12 digits or more of an id."""
        for container in self.containers():
            if container.spec.name == reference:
                return container
            if len(reference) >= _SHORT_ID and container.id.startswith(reference):
                return container
        return None

    def containers(self) -> tuple[Container, ...]:
        """Return all containers, oldest first."""
        with self._lock:
            return tuple(self._containers.values())

    def remove(self, container: Container) -> None:
        """Kill and forget a container; a second call changes nothing."""
        container.remove()
        with self._lock:
            self._containers.pop(container.id, None)

    def close(self) -> None:
        """Kill and forget all containers."""
        for container in self.containers():
            self.remove(container)
