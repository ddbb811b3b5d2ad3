"""Made worlds for monitoring: a model's training, and windows of what comes after it, with what is declared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.evaluation import Scorecard
from lifecycle.metrics import calibration_error, value
from lifecycle.profiles import Reference, read
from lifecycle.reference import OnHoldout, profile
from lifecycle.sketch import Latency, Sketch, latency_bin
from lifecycle.sketching import Sketching
from lifecycle.watched import Watched

Floats = NDArray[np.float64]
TRAINED, HELD = 20_000, 8_000
CARRIERS, SHARES = np.array(["AA", "B6", "DL", "UA", "EV", "HA"]), np.array([0.3, 0.25, 0.2, 0.15, 0.09, 0.01])
IMPORTANCE = {"amount": 0.5, "income": 0.3, "carrier": 0.15, "weekday": 0.05}


@dataclass(frozen=True)
class Changed:
    """What is different from training. Shifts are in spreads of the column."""

    amount: float = 0.0
    income: float = 0.0
    unused: float = 0.0
    missing: float = 0.02
    sentinel: float = 0.0
    strange: float = 0.0
    carriers: tuple[float, ...] = tuple(SHARES)
    slope: float = 1.0


NOTHING = Changed()


@dataclass(frozen=True)
class Rows:
    """Rows, the model's scores and the true labels."""

    seen: Watched
    scores: Floats
    labels: Floats


def draw(random: np.random.Generator, rows: int, changed: Changed = NOTHING) -> Rows:
    amount = random.lognormal(9 + 0.5 * changed.amount, 0.5, rows)
    income = random.lognormal(10.5 + 0.6 * changed.income, 0.6, rows)
    carrier = random.choice(CARRIERS, rows, p=changed.carriers).astype(object)
    carrier[random.random(rows) < changed.strange] = "ZZ"
    weekday = random.integers(0, 7, rows).astype(np.float64)
    margin = -income / 40_000 + amount / 9_000 + 0.3 * (carrier == "B6")
    scores = 1 / (1 + np.exp(-margin))
    truth = 1 / (1 + np.exp(-changed.slope * margin - (1 - changed.slope) * 0.4))
    labels = (random.random(rows) < truth).astype(np.float64)
    told = amount.copy()
    told[random.random(rows) < changed.missing] = np.nan
    told[random.random(rows) < changed.sentinel] = -999.0
    unused = random.normal(changed.unused, 1, rows)
    numbers = {"amount": told, "income": income, "weekday": weekday, "unused": unused}
    return Rows(Watched(numbers, {"carrier": carrier}), scores, labels)


def reference(seed: int = 0) -> Reference:
    random = np.random.default_rng(seed)
    trained, held = draw(random, TRAINED), draw(random, HELD)
    card = Scorecard(
        rows=HELD,
        base=float(held.labels.mean()),
        metrics={name: value(name, held.labels, held.scores) for name in ("auc", "log_loss", "brier")},
        calibration_error=calibration_error(held.labels, held.scores),
    )
    return read(profile(trained.seen, OnHoldout(held.scores, held.labels, card), IMPORTANCE))


def window(known: Reference, rows: Rows, bundle: str = "b" * 64) -> Sketch:
    made = Sketching(bundle, known)
    made.add_scores(rows.scores)
    made.add_columns(rows.seen)
    return made.sketch()


def served(seen: Sketch, rows: int | None = None, slow: int = 0, **counts: int) -> Sketch:
    """Return the sketch as of so many requests of one row each, answered in 9 ms but for the slow ones."""
    requests = seen.described if rows is None else rows
    times = Latency(bins={latency_bin(9.0): requests - slow, latency_bin(900.0): slow})
    plain = {"requests": requests, "rows": requests, "latency": times, "warm": times}
    return seen.model_copy(update={**plain, **counts})
