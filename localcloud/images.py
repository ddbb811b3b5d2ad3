"""The image table of the process engine: what an image name means when there are no images.

An image here is a folder to stand in, an environment, and a command. Nothing is pulled and nothing is isolated:
the processes see the machine's own files. A reference that names no entry is "not found", as in a registry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Image:
    """One entry: the last part of a reference, and what a container made from it starts with.

    Args:
        name: The repository without registry and tag, such as `tropism/flows`.
        cwd: The folder the process starts in; None is the container's own scratch folder.
        env: The whole environment before the container's own variables; nothing is inherited.
        entrypoint: Command words; `{port:9001}` is replaced by the host port of container port 9001.
        cmd: Default arguments, replaced by the container's own.
        ports: Container ports that get a host port although the client asked for none.
    """

    name: str
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


def load_images(path: Path) -> tuple[Image, ...]:
    """Read the table; raises ValueError naming the entry that is not an image."""
    images = []
    for number, entry in enumerate(json.loads(path.read_text())):
        try:
            words = {name: tuple(entry[name]) for name in ("entrypoint", "cmd", "ports") if name in entry}
            images.append(Image(**{**entry, **words}))
        except (TypeError, KeyError) as error:
            raise ValueError(f"{path}: entry {number} is not an image: {error}") from error
    return tuple(images)


def save_images(path: Path, images: tuple[Image, ...]) -> None:
    """Write the table; the same images give the same bytes."""
    path.write_text(json.dumps([asdict(image) for image in images], indent=1, sort_keys=True) + "\n")


def find_image(images: tuple[Image, ...], reference: str) -> Image | None:
    """Return the image a reference such as `registry:5000/tropism/flows:1@sha256:…` names, or None."""
    repository = re.sub(r"(:[^/:]+)?(@.*)?$", "", reference)
    for image in images:
        if repository == image.name or repository.endswith("/" + image.name):
            return image
    return None
