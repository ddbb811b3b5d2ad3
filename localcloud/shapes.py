"""The JSON shapes of the Docker Engine API that the process engine reads and writes, and nothing about sockets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud.container import Container, Spec
from localcloud.images import Image, find_image


class ImageNotFoundError(Exception):
    """A reference that names no image of the table."""


def parsed(name: str, body: Mapping[str, Any], images: tuple[Image, ...]) -> Spec:
    """Read the body of a create request; raises ImageNotFoundError."""
    reference = str(body.get("Image", ""))
    image = find_image(images, reference)
    if image is None:
        raise ImageNotFoundError(f"No such image: {reference}")
    entrypoint = body.get("Entrypoint") or ()
    bindings = (body.get("HostConfig") or {}).get("PortBindings") or {}
    return Spec(
        name=name,
        reference=reference,
        image=image,
        env=tuple(body.get("Env") or ()),
        entrypoint=(entrypoint,) if isinstance(entrypoint, str) else tuple(entrypoint),
        cmd=tuple(body.get("Cmd") or ()),
        working_dir=body.get("WorkingDir") or None,
        labels=dict(body.get("Labels") or {}),
        ports={port: int((hosts or [{}])[0].get("HostPort") or 0) for port, hosts in bindings.items()},
    )


def inspected(container: Container) -> dict[str, Any]:
    """Describe one container as `GET /containers/{id}/json` does."""
    spec = container.spec
    return {
        "Id": container.id,
        "Name": "/" + spec.name,
        "Image": "sha256:" + spec.image.name,
        "Created": _moment(container.created),
        "Path": "",
        "Args": [],
        "State": {
            "Status": container.status,
            "Running": container.running,
            "Pid": container.pid,
            "ExitCode": container.exit_code or 0,
            "OOMKilled": False,
            "Error": "",
            "StartedAt": _moment(container.started),
            "FinishedAt": _moment(container.ended),
        },
        "Config": {
            "Image": spec.reference,
            "Env": list(spec.env),
            "Cmd": list(spec.cmd),
            "Labels": dict(spec.labels),
            "Tty": False,
        },
        "HostConfig": {},
        "Mounts": [],
        "NetworkSettings": {"IPAddress": "127.0.0.1", "Networks": {}, "Ports": _ports(container)},
    }


def summarised(container: Container) -> dict[str, Any]:
    """Describe one container as `GET /containers/json` does."""
    spec = container.spec
    return {
        "Id": container.id,
        "Names": ["/" + spec.name],
        "Image": spec.reference,
        "ImageID": "sha256:" + spec.image.name,
        "Command": " ".join(spec.cmd),
        "Created": int(container.created),
        "State": container.status,
        "Status": container.status,
        "Labels": dict(spec.labels),
        "Ports": [],
        "Mounts": [],
        "NetworkSettings": {"Networks": {}},
    }


def _ports(container: Container) -> dict[str, list[dict[str, str]]]:
    return {port: [{"HostIp": "127.0.0.1", "HostPort": str(host)}] for port, host in container.ports.items()}


def _moment(seconds: float) -> str:
    """Write a time as Docker does; its zero means never."""
    if not seconds:
        return "0001-01-01T00:00:00Z"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
