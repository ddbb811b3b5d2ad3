"""How a predict function may be made to answer quickly from its first request, and what excludes what. Pure.

Two ways: SnapStart restores a published version from a snapshot of its initialised memory; provisioned concurrency
keeps so many environments of a version running and paid for. The stack's template asserts the same before it makes
anything; here it is asked again of what is really there, because an emulator or a person may have made it.
"""

from __future__ import annotations

from dataclasses import dataclass

# Managed runtimes only: neither an operating system's own (provided.al2023) nor a container image.
# https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes
SNAP_RUNTIMES = ("python3.12", "python3.13", "python3.14")
_SNAP_STORAGE_MB = 512


@dataclass(frozen=True)
class Startup:
    """What the mould says. `provisioned`: environments kept ready for each version that takes traffic."""

    snap_start: bool = False
    provisioned: int = 0
    runtime: str = ""
    storage_mb: int = _SNAP_STORAGE_MB


def contradictions(startup: Startup) -> tuple[str, ...]:
    """Return one sentence for each thing AWS does not allow, none when all is well."""
    found = []
    if startup.provisioned < 0:
        found.append(f"Provisioned concurrency is {startup.provisioned}, expected 0 or more.")
    if not startup.snap_start:
        return tuple(found)
    if startup.provisioned > 0:
        found.append("SnapStart and provisioned concurrency exclude each other.")
    if startup.runtime not in SNAP_RUNTIMES:
        found.append(f"SnapStart knows {', '.join(SNAP_RUNTIMES)}; the runtime is {startup.runtime or 'none'}.")
    if startup.storage_mb > _SNAP_STORAGE_MB:
        found.append(f"SnapStart takes at most {_SNAP_STORAGE_MB} MB of ephemeral storage, found {startup.storage_mb}.")
    return tuple(found)
