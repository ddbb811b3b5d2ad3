"""How often the promotion gate says yes, asked 200 times about models whose worth is known.

    python benchmarks/promotion_study.py [--times 200] [--write docs/promotion_study.md]

Every decision is the real one: `lifecycle/evaluation.py` scores both models on a holdout drawn anew,
`lifecycle/promotion.py` decides with the defaults of a product. What is made is described in `made_models.py`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.made_models import WORLDS, Floats, Rows, World, answers, draw, error_of, luck
from lifecycle.bootstrap import Paired
from lifecycle.evaluation import EvaluationPolicy, Holdout, Scorecard, score
from lifecycle.floors import floors
from lifecycle.leakage import Leak, Part, leaks
from lifecycle.metrics import Metric
from lifecycle.promotion import Contest, PromotionPolicy, Verdict, decide

# How much better a challenger truly is, in standard errors of the champion's metric on such a holdout.
LEADS = (-0.5, 0.0, 1.0, 2.0)
_TRAINED, _LATER, _FAIR, _KINDS = 4_000, 1_000, 5, 4
HEAD = ("holdout", "metric", "rows", "sigma", "correlation", "shuffled", "shuffled, first", "identical",
        *(f"{lead:+g} sigma" for lead in LEADS))  # fmt: skip
ABOUT = """# What the promotion gate says, asked {times} times

Made models whose worth is known, each judged on {times} holdouts drawn anew by the real rules and their defaults. A
number is how many were promoted. Written by `python benchmarks/promotion_study.py --write docs/promotion_study.md`.

{table}

`sigma` is the standard error of the champion's metric on such a holdout: by how much one and the same model differs
from itself on rows drawn anew, in points or as a share of its loss. `correlation`: of the two models' metrics over
holdouts, which is what makes a paired comparison sharper than two single ones; of two models of the flights product,
one a month younger, it is .78, .89 and .91. `+2 sigma`: a challenger truly so much better; `-0.5 sigma`: slightly
worse; `+0 sigma`: another model that is just as good, which one tail of a 95 % interval lets through 5 times in 200
on average. `shuffled`: it learned from shuffled labels; `first`: the same without a champion, held by its floors
alone. `identical`: the champion's own answers.

Sixty positives are few: there the better of two models has itself the wider spread, and a lead of 2 sigma is found
nine times in ten. That is what few positives can tell; the interval says so each time. In standard errors of the
*difference* +2 sigma is {paired}; a lead of two standard errors of the difference itself is found every second time
by whatever test is made at 95 %.

How the rows and the models are made is told in `benchmarks/made_models.py`.

Leaks, in {times} tables with {fair} fair columns and a planted one (the label with noise, as a gap, as what lies far
from the middle, or as a code): the planted one was named in {named} before anything was trained, a fair one in
{wrong}.
"""


@dataclass(frozen=True)
class Line:
    """How many of the models of each kind one world promoted."""

    world: World
    shuffled: int
    first: int
    identical: int
    leads: tuple[int, ...]


def study(world: World, times: int, policy: PromotionPolicy, leads: tuple[float, ...] = LEADS) -> Line:
    """Ask the gate `times` times about each kind of challenger."""
    sigma, _ = luck(world)
    errors = [error_of(world, lead * sigma) for lead in leads]
    yes = np.zeros((times, 3 + len(leads)), dtype=bool)
    for seed in range(times):
        rows = draw(world, world.rows, seed)
        champion = answers(world, rows, rows.champion, world.error)
        shuffled = answers(world, rows, rows.challenger, world.error)[
            np.random.default_rng(seed).permutation(world.rows)
        ]
        better = [answers(world, rows, rows.challenger, error) for error in errors]
        said = [meet(world, rows, champion, one, policy) for one in (shuffled, champion.copy(), *better)]
        yes[seed] = [one == "promote" for one in (said[0], meet(world, rows, None, shuffled, policy), *said[1:])]
    counted = [int(found) for found in yes.sum(axis=0)]
    return Line(world, counted[0], counted[1], counted[2], tuple(counted[3:]))


def meet(
    world: World, rows: Rows, champion: np.ndarray | None, challenger: np.ndarray, policy: PromotionPolicy
) -> Verdict:
    """Let two models meet on a holdout as a training does."""
    evaluation = EvaluationPolicy(metric=world.metric, floors=floors_of(world))
    holdout = Holdout(world.task, rows.labels, {})
    mine = score(evaluation, holdout, challenger)
    if champion is None:
        return decide(evaluation, policy, Contest(mine)).verdict
    theirs: Scorecard = score(evaluation, holdout, champion)
    return decide(evaluation, policy, Contest(mine, theirs, Paired(rows.labels, champion, challenger))).verdict


@cache
def floors_of(world: World) -> dict[Metric, float]:
    """Return the floors `tropism init` would write for such a product."""
    return floors(world.task, draw(world, 5 * world.rows, 99).labels, world.rows)


def find_planted(seed: int) -> tuple[Leak, ...]:
    """Look for leaks in a made table: `_FAIR` columns that know something, and one, the last, that knows the label."""
    random = np.random.default_rng(seed)
    rows = _TRAINED + _LATER
    known = random.normal(size=(rows, _FAIR))
    labels = (random.random(rows) < 1 / (1 + np.exp(1.2 - 1.5 * known.sum(axis=1) / np.sqrt(_FAIR)))).astype(float)
    planted = _planted(seed % _KINDS, labels, random)
    matrix = np.column_stack((known, planted)).astype(np.float32)
    early, late = (Part(matrix[part], labels[part]) for part in (slice(None, _TRAINED), slice(_TRAINED, None)))
    names = [*(f"fair {at}" for at in range(_FAIR)), "planted"]
    return leaks(names, "binary", early, late, EvaluationPolicy(metric="auc", floors={}).leak_threshold)


def _planted(kind: int, labels: Floats, random: np.random.Generator) -> Floats:
    """Return a column that gives the label away: with noise, by a gap, by lying far from the middle, by its code."""
    noise, yes = random.normal(size=len(labels)), labels == 1
    kinds = (
        4 * labels + noise,
        np.where(yes, np.nan, noise),
        np.where(yes, random.choice([-3, 3], len(labels)), 0) + 0.5 * noise,
        2 * random.integers(0, 50, len(labels)) + labels,
    )
    return np.asarray(kinds[kind])


def main() -> int:
    """Print the table, or write the page."""
    parser = argparse.ArgumentParser(description="How often the gate says yes.")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--write", type=Path, help="keep the page as Markdown")
    wanted = parser.parse_args()
    lines = [study(world, wanted.times, PromotionPolicy()) for world in WORLDS]
    table = "\n".join([_line(HEAD), _line(("---",) * len(HEAD)), *(_line(_cells(one)) for one in lines)])
    found = [{leak.feature for leak in find_planted(seed)} for seed in range(wanted.times)]
    paired = [2 / np.sqrt(2 - 2 * luck(world)[1]) for world in WORLDS]
    page = ABOUT.format(
        times=wanted.times,
        table=table,
        paired=f"{min(paired):.1f} to {max(paired):.1f}",
        fair=_FAIR,
        named=sum("planted" in one for one in found),
        wrong=sum(bool(one - {"planted"}) for one in found),
    )
    if wanted.write:
        wanted.write.write_text(page, encoding="utf-8")
    print(page)
    return 0


def _cells(line: Line) -> tuple[str, ...]:
    sigma, agreed = luck(line.world)
    counts = (line.shuffled, line.first, line.identical, *line.leads)
    head = (line.world.name, line.world.metric, f"{line.world.rows:,}", f"{sigma:.4f}", f"{agreed:.2f}")
    return (*head, *map(str, counts))


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
