"""Old versions of a product's function: look at all of them, and delete those that `lifecycle/pruning.py` lets go.

A dry run is `judged` alone. The control record is read after everything else, so that nothing is deleted on the word
of a record that has moved on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from botocore.exceptions import ClientError

from lifecycle.errors import ServiceError
from lifecycle.pruning import Judged, Known, Version, judge
from lifecycle.release_plan import ReleasePlan
from lifecycle.settings import Settings
from tasks import control, endpoint, function_versions, ledger
from tasks.packages import description_of


def judged(settings: Settings, product: str, plan: ReleasePlan, now: datetime) -> tuple[Judged, ...]:
    """Return every published version, the newest first, and whether it may go. Changes nothing."""
    return judge(_known(settings, product), plan, now)


def prune(settings: Settings, product: str, plan: ReleasePlan, now: datetime) -> Iterator[Judged]:
    """Delete what may go and yield it. A second call finds nothing left to delete.

    Nothing goes while the product is frozen or a change of champion is under way. The control record is read again
    before each deletion, and the first change of it ends the work: the next sweep looks anew. Raises ServiceError when
    Lambda does not answer.
    """
    before = control.read(settings.bucket, product).record
    if before.frozen or before.release is not None:
        return
    function = settings.predict_function(product)
    try:
        for one in judged(settings, product, plan, now):
            if not one.prune:
                continue
            if control.read(settings.bucket, product).record.revision != before.revision:
                return
            if function_versions.delete_version(function, one.number):
                yield one
    except ClientError as error:
        raise ServiceError(f"The old versions of {function} cannot be deleted.", detail=str(error)) from error


def _known(settings: Settings, product: str) -> Known:
    """Read versions first and places last: whatever got a place meanwhile is seen."""
    function, bare = settings.predict_function(product), description_of(None)
    versions = tuple(
        Version(found.number, bare=found.description.startswith(bare))
        for found in function_versions.published(function)
    )
    decisions = tuple(ledger.entries(settings.bucket, product))
    alias = endpoint.alias(function)
    routed = frozenset({alias.function_version, *alias.extra}) if alias else frozenset[str]()
    return Known(versions, control.read(settings.bucket, product).record, routed, decisions)
