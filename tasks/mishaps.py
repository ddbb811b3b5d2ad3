"""What befalls any step and says too little about itself: AWS that cannot be reached, a disk that is full.

The vendors' own refusals are translated where they are asked; these two may come from anywhere.
"""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile

from lifecycle.errors import ServiceError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MB = 1_000_000


def told(error: Exception) -> ServiceError | None:
    """Return the error a person can act on, or None when this one is somebody else's to explain."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return _full(error)
    vendor = sys.modules.get("botocore.exceptions")  # whoever has not imported it has not asked AWS
    if vendor is not None and isinstance(error, vendor.BotoCoreError):
        return ServiceError(
            "AWS does not answer.",
            detail=f"{type(error).__name__}: {error}",
            resolution="See what is down with `tropism doctor`; then run it again, every step may be repeated.",
        )
    return None


def _full(error: OSError) -> ServiceError:
    where = str(error.filename or tempfile.gettempdir())
    space = shutil.disk_usage(tempfile.gettempdir())
    free, total = (f"{size / _MB:,.0f}" for size in (space.free, space.total))
    return ServiceError(
        f"The disk is full: nothing can be written to {where}.",
        detail=f"{error.strerror}; {free} of {total} MB are free for temporary files.",
        resolution="Free some, or give the function or task more ephemeral storage; then run it again, "
        "every step may be repeated.",
    )
