"""What the local cloud changes in ministack while it runs, and when it refuses to.

Each patch adds one thing AWS does and the pinned version does not. It names its lack and proves it at start: the day
upstream gains the feature, or the version moves, the start fails with the name of the patch to look at, instead of
patching twice. All are candidates for upstream. The files in this folder run in the isolated environment, where
nothing but the standard library and ministack is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

PINNED = "1.5.33"


class PatchError(RuntimeError):
    """The patches do not fit the installed ministack."""


@dataclass(frozen=True)
class Patch:
    """One change: `lack` says what upstream does not do, `needed` proves it, `apply` adds it."""

    name: str
    lack: str
    needed: Callable[[], bool]
    apply: Callable[[], None]


def apply_all(patches: Sequence[Patch], installed: str) -> None:
    """Apply every patch, or none: raises PatchError when the version or a single need is not as expected."""
    if installed != PINNED:
        raise PatchError(
            f"The patches were written for ministack {PINNED}, found {installed}. "
            "Check each file in localcloud/patches/ against it, then change PINNED in registry.py."
        )
    if unneeded := [patch for patch in patches if not patch.needed()]:
        names = ", ".join(f"{patch.name} ({patch.lack})" for patch in unneeded)
        raise PatchError(f"ministack {installed} no longer lacks: {names}. Remove the patch from localcloud/patches/.")
    for patch in patches:
        patch.apply()
