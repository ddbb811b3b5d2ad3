"""Lines on disk on their way elsewhere: written before anybody goes on, taken away when they have arrived.

One folder per target, one file per segment. A line is in the kernel's hands when `append` returns: it survives the
death of this process at any moment, though not a power cut. A segment is removed by whoever delivered it, so a death
in between delivers it again under the same name. Standard library only; it knows no AWS.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEGMENT_BYTES = 4 << 20
"""So much is in memory while a segment is delivered; one line more at most."""
_SEPARATOR = "+"


@dataclass(frozen=True)
class Target:
    """Where lines go: a delivery stream."""

    account_id: str
    region: str
    stream: str

    @property
    def folder(self) -> str:
        """Return the name of its folder; no part of it may hold the separator."""
        return _SEPARATOR.join((self.account_id, self.region, self.stream))


@dataclass(frozen=True)
class Segment:
    """A file that grows no more. `opened`: seconds since 1970."""

    target: Target
    path: Path

    @property
    def opened(self) -> float:
        """Return when its first line was written."""
        return int(self.path.stem.partition("-")[0]) / 1e9

    def lines(self) -> list[bytes]:
        """Return its lines; one cut off at the end was never answered for."""
        return self.path.read_bytes().split(b"\n")[:-1]


@dataclass
class _Open:
    path: Path
    descriptor: int
    size: int = 0

    def append(self, data: bytes) -> None:
        """Write all or nothing."""
        try:
            written = os.write(self.descriptor, data)
        except OSError:
            os.ftruncate(self.descriptor, self.size)
            raise
        if written != len(data):
            os.ftruncate(self.descriptor, self.size)
            raise OSError(f"{self.path} took {written} of {len(data)} bytes")
        self.size += written


class Spool:
    """The segments under one folder; what an earlier process left is there too. Safe to use from any thread."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Keep files under `folder`, which is made with the first line."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._open: dict[Target, _Open] = {}
        self._lock = threading.Lock()
        self._filled = threading.Event()

    def append(self, target: Target, line: bytes) -> None:
        """Keep a line, which holds no line break. Raises OSError, and keeps none of it, when the disk refuses."""
        with self._lock:
            found = self._open.get(target) or self._begin(target)
            found.append(line + b"\n")
            if found.size >= self._segment_bytes:
                self._end(target)
        self._filled.set()

    def wait(self, seconds: float | None) -> None:
        """Wait until something was appended since the last wait, or for so long."""
        self._filled.wait(seconds)
        self._filled.clear()

    def targets(self) -> list[Target]:
        """Return the targets that have lines."""
        folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        return [Target(*folder.name.split(_SEPARATOR)) for folder in folders if any(folder.iterdir())]

    def segments(self, target: Target) -> Iterator[Segment]:
        """End the segment that is being written, and yield all there are, oldest first."""
        with self._lock:
            self._end(target)
            paths = sorted((self._folder / target.folder).iterdir())
        return (Segment(target, path) for path in paths)

    def expired(self, target: Target, before: float) -> list[Segment]:
        """Return the segments nothing was added to since `before`, in seconds since 1970."""
        with self._lock:
            old = [path for path in sorted((self._folder / target.folder).iterdir()) if path.stat().st_mtime < before]
            if (growing := self._open.get(target)) and growing.path in old:
                self._end(target)
        return [Segment(target, path) for path in old]

    def remove(self, segment: Segment) -> None:
        """Forget a segment; a second call changes nothing."""
        segment.path.unlink(missing_ok=True)

    def _begin(self, target: Target) -> _Open:
        path = self._folder / target.folder / f"{time.time_ns():020d}-{os.getpid()}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._open[target] = _Open(path, descriptor)
        return self._open[target]

    def _end(self, target: Target) -> None:
        if found := self._open.pop(target, None):
            os.close(found.descriptor)
