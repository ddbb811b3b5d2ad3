"""How good models were that serve no more: labels come late, and say so when another one has taken their place.

Nothing is to be done about them, so nothing alerts; what they were worth belongs into the ledger all the same. What
the numbers mean is `lifecycle/performance.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lifecycle.control import Contender
from lifecycle.errors import BundleError
from lifecycle.ledger import Entry
from lifecycle.performance import realise
from tasks import function_versions, labels, ledger, outcomes
from tasks.monitoring import Place, final_of, parts_of
from tasks.outcomes import Final
from tasks.step import note
from tasks.summaries import Model, reference_of


class Served(NamedTuple):
    """A model that had all the requests once."""

    model_version: str
    bundle: str
    function_version: str


def judge_retired(place: Place, champion: Contender) -> tuple[Final, ...]:
    """Keep the performance of earlier champions' newest due windows; return the finals that the ledger lacks.

    A second call keeps nothing, and returns what has not been appended yet. A model that cannot be opened any more is
    left out, with a note.
    """
    entries = ledger.entries(place.bucket, place.product.name)
    known, lacking, book = {one.key for one in entries}, list[Final](), None
    for served in retired(entries, champion.bundle):
        before = outcomes.finals(place.bucket, place.product.name, served.bundle)
        lacking += [one for one in before if one.key not in known]
        due = outcomes.newest_due_of(place.bucket, place.product, served.bundle, parts_of(place), place.now)
        if due is None or any(one.realised.since == due.since for one in before):
            continue
        model = _model(place, served)
        if model is None or model.reference is None:
            continue
        book = book or labels.book_of(place.bucket, place.product, place.now)
        joined = outcomes.join(place.bucket, place.product.name, model.bundle, due, book, place.now)
        metric, policy = place.product.evaluation.metric, place.policy.outcomes
        told = realise(metric, model.reference, joined.outcomes, policy, place.now)
        final = final_of(place, served.model_version, model, told)
        lacking += [final] if final else []
    return tuple(lacking)


def retired(entries: Iterable[Entry], champion: str) -> Iterator[Served]:
    """Yield the models that the ledger says were champions, but for the bundle that is; each once."""
    seen = {champion}
    for entry in entries:
        bundle, number = entry.evidence.get("bundle"), entry.evidence.get("function_version")
        if entry.action not in ("promote", "roll_back") or entry.to is None or bundle is None or number is None:
            continue
        if bundle not in seen:
            seen.add(str(bundle))
            yield Served(entry.to, str(bundle), str(number))


def _model(place: Place, served: Served) -> Model | None:
    known = place.models.known(served.bundle)
    if known is not None:
        return known
    function = place.settings.predict_function(place.product.name)
    try:
        bundle = function_versions.bundle_of(place.bucket, function, served.function_version)
    except BundleError as error:
        note("bundle.unreadable", function=function, bundle=served.bundle[:12], error=str(error))
        return None
    return Model(bundle, reference_of(bundle))
