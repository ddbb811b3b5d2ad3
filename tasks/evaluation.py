"""Judge the challenger and the champion on the same holdout rows, each from its own bundle.

The champion is scored anew with its own fitted features and hook; a score stored at its training is never used.
What follows from the scores is `lifecycle/promotion.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lifecycle.batch import Reason
from lifecycle.bootstrap import Paired
from lifecycle.bundle import Bundle
from lifecycle.columns import Array, level
from lifecycle.errors import BundleError, ProductError
from lifecycle.evaluation import MISSING, Holdout, Scorecard, Texts, score
from lifecycle.features import FittedFeatures
from lifecycle.grounds import Ground
from lifecycle.labels import aligned
from lifecycle.leakage import Leak, Part, leaks, subjects
from lifecycle.metrics import Floats
from lifecycle.promotion import Contest, Decision, decide
from lifecycle.shift import shift
from lifecycle.spec import Product
from lifecycle.training import Rows, Split
from lifecycle.watched import watched_scores
from tasks import control, registry
from tasks.registry import Registered
from tasks.summaries import reference_of
from tasks.training import Data, Fitted, predict


@dataclass(frozen=True)
class Judged:
    """Both scorecards, the scores (n,) or (n, classes) on the holdout, and the decision.

    `plain`: the challenger's scorecard with each row counting once, as predictions do that are watched while serving.
    """

    challenger: Scorecard
    champion: Scorecard | None
    labels: Floats
    scores: Floats
    champion_scores: Floats | None
    decision: Decision
    plain: Scorecard


def load_champion(bucket: str, product: str) -> Registered | None:
    """Fetch the bundle of the model that serves, as the control record names it; None when nothing serves.

    Raises BundleError when the registry holds another bundle under that version.
    """
    held = control.read(bucket, product).record.champion
    if held is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        found = registry.fetch_bundle(product, held.model_version, Path(folder))
    if found.digest != held.bundle:
        raise BundleError(
            f"Version {held.model_version} of {product} is not the champion's bundle.",
            detail=f"The registry has {found.digest[:12]}, the control record {held.bundle[:12]}.",
            resolution=f"Run `tropism verify {product}`.",
        )
    return Registered(held.model_version, found)


def find_leaks(product: Product, data: Data, split: Split) -> tuple[Leak, ...]:
    """Name the features that alone predict the label of later training rows. The holdout is not looked at."""
    fit, later = (Part(data.matrix[rows], data.labels[rows]) for rows in (split.fit, split.stopping))
    found = leaks(data.features.feature_names, product.task, fit, later, product.evaluation.leak_threshold)
    known = subjects(product.grain, product.time, (*product.features.categories, *product.features.encoded))
    return tuple(leak for leak in found if leak.feature not in known)


def judge(
    product: Product,
    columns: Mapping[str, Array],
    data: Data,
    split: Split,
    challenger: Fitted,
    champion: Registered | None,
    found: tuple[Leak, ...],
) -> Judged:
    """Score both models on the holdout and decide. `columns` are the raw ones of every row.

    A champion that cannot read today's rows leaves the verdict undecidable.
    """
    rows = split.holdout
    held = {name: values[rows] for name, values in columns.items()}
    slices = slices_of(held, product.evaluation.slices)
    holdout = Holdout(product.task, data.labels[rows], slices, data.weights_of(rows))
    scores = _scores(challenger, data, split.holdout, held)
    mine = score(product.evaluation, holdout, scores)
    plain = mine if holdout.weights is None else score(product.evaluation, replace(holdout, weights=None), scores)
    if champion is None:
        decision = decide(product.evaluation, product.promotion, Contest(mine, leaks=found))
        return Judged(mine, None, holdout.labels, scores, None, decision, plain)
    try:
        known = champion.bundle.contract.task.classes
        other = aligned(score_bundle(champion.bundle, held), known, data.classes)
    except ProductError as error:
        blind = Reason(
            Ground.CHAMPION_CANNOT_SCORE, None, str(error), f"the columns model {champion.version} was made of"
        )
        return Judged(mine, None, holdout.labels, scores, None, Decision("undecidable", (blind,)), plain)
    theirs = score(product.evaluation, holdout, other)
    features = challenger.features_of(data)
    same = challenger.model == champion.bundle.model and features.to_json() == champion.bundle.features.to_json()
    groups = None if data.groups is None else data.groups[rows]
    paired = Paired(holdout.labels, other, scores, holdout.weights, groups)
    contest = Contest(mine, theirs, paired, identical=same, leaks=found)
    decision = decide(product.evaluation, product.promotion, contest)
    return Judged(mine, theirs, holdout.labels, scores, other, decision, plain)


def score_psi(judged: Judged, champion: Registered | None) -> float | None:
    """Return how far both models' scores lie apart on the holdout: PSI over the champion's own bins.

    The same bins as while a release is watched, so that what the gate has seen is not taken for news. None without
    a champion that could score, or with one whose profile is of an older format.
    """
    profile = reference_of(champion.bundle) if champion is not None else None
    if profile is None or judged.champion_scores is None:
        return None
    edges = profile.scores.edges
    theirs, ours = (
        np.bincount(np.searchsorted(edges, watched_scores(scores)), minlength=len(edges) + 1)
        for scores in (judged.champion_scores, judged.scores)
    )
    found = shift(theirs.tolist(), ours.tolist())
    return found.psi if found is not None else None


def past_ages(
    columns: Mapping[str, Array], time: str | None, split: Split, features: FittedFeatures, champion: Registered | None
) -> dict[str, float]:
    """Return how many days old, on average, the past is that each model is judged with; nothing for one without."""
    models = {"challenger": features, **({"champion": champion.bundle.features} if champion else {})}
    return {
        f"{name}/past_age_days": float(np.mean(features.past.ages(columns[time][split.holdout])))
        for name, features in models.items()
        if features.past is not None and time is not None
    }


def _scores(challenger: Fitted, data: Data, rows: Rows, held: Mapping[str, Array]) -> Floats:
    """Return the challenger's answers for some rows; `held` are their raw columns, which an earlier champion reads."""
    if challenger.earlier is None:
        return aligned(predict(challenger.model, data.matrix[rows]), data.model_classes, data.classes)
    bundle = challenger.earlier.bundle
    return aligned(score_bundle(bundle, held), bundle.contract.task.classes, data.classes)


def score_bundle(bundle: Bundle, columns: Mapping[str, Array]) -> Floats:
    """Return a bundle's answers (n,) or (n, classes) for raw columns, by its own features and its own model."""
    inputs = {one.name: columns[one.name] for one in bundle.features.spec.inputs if one.name in columns}
    return predict(bundle.model, bundle.features.transform(inputs))


def slices_of(columns: Mapping[str, Array], names: tuple[str, ...]) -> Mapping[str, Texts]:
    """Return the level of each row (n,) per slice column, missing values as a level of their own."""
    found = {}
    for name in names:
        values, codes = np.unique(np.array([level(value) or MISSING for value in columns[name]]), return_inverse=True)
        found[name] = values.astype(object)[codes]
    return found
