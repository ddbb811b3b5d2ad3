"""What the past of a row costs, and what it would promise if it were known to the minute.

    python benchmarks/past.py [ROWS]

First: seconds to fit and to compute three histories, megabytes of features.json, milliseconds of one row. Then a made
world in which a customer's habit drifts from hour to hour: what a gate sees on the week after the training,
with the past as of every minute, day or week, beside what an endpoint reaches whose past ended with the training.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import numpy as np

from lifecycle.columns import Columns
from lifecycle.history import History
from lifecycle.metrics import Floats, value
from lifecycle.past import Past, PastSpec, fit_past

Done = TypeVar("Done")
DAYS, KEYS, ROWS = 365, 6_000, 300_000
START = np.datetime64("2024-01-04", "us")
WORLD_ROWS, WORLD_KEYS, WEEKS = 60_000, 200, 9
HISTORIES = (
    History("spent", ("card",), "amount", ("mean", "max", "count"), timedelta(days=30)),
    History("ever", ("card",), "amount", ("mean", "sum", "last")),
    History("late", ("card",), "amount", ("mean",), delay=timedelta(days=14)),
)
HABIT = (History("habit", ("card",), "amount", ("mean", "last"), timedelta(days=1)),)


def main(rows: int) -> None:
    """Print the costs, then the promises."""
    table = _payments(rows)
    fitting, past = _timed(lambda: _fit(table, HISTORIES, timedelta(days=7)))
    computing, _ = _timed(lambda: past.features(table))
    writing, text = _timed(lambda: json.dumps(past.state()))
    opening, opened = _timed(lambda: Past.from_state(json.loads(text)))
    one = {name: values[-1:] for name, values in table.items()}
    opened.features(one)
    alone = min(_timed(lambda: opened.features(one))[0] for _ in range(50))
    print(f"{rows:,} rows, {KEYS:,} keys, 3 histories with 7 features: fit {fitting:.1f} s, compute {computing:.1f} s")
    print(f"features.json {len(text) / 1e6:.1f} MB, written in {writing:.2f} s, opened in {opening:.2f} s")
    print(f"one row {alone * 1e3:.2f} ms")
    for refresh in (timedelta(minutes=1), timedelta(days=1), timedelta(days=7)):
        judged, served = _promise(refresh)
        print(f"refresh {refresh}: the gate sees {judged}, the endpoint reaches {served}")


def _payments(rows: int) -> Columns:
    random = np.random.default_rng(7)
    return {
        "at": START + random.integers(0, DAYS * 86_400, rows).astype("timedelta64[s]").astype("timedelta64[us]"),
        "card": np.array([f"card-{card}" for card in random.integers(0, KEYS, rows)], dtype=object),
        "amount": random.lognormal(3, 1, rows),
    }


def _fit(table: Columns, histories: tuple[History, ...], refresh: timedelta) -> Past:
    return fit_past(PastSpec("at", refresh, histories), table, {"amount": table["amount"]}, {})


def _promise(refresh: timedelta) -> tuple[str, str]:
    """Return how the last week is judged with the past as of `refresh`, and answered with one that ended before it."""
    import xgboost  # noqa: PLC0415  heavy

    table, labels = _habits()
    before = table["at"] < START + np.timedelta64(7 * (WEEKS - 1), "D")
    whole = _fit(table, HABIT, refresh).features(table)
    model = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 1},
        xgboost.DMatrix(whole[before], labels[before]),
        60,
    )
    ended = _fit({name: values[before] for name, values in table.items()}, HABIT, refresh)
    served = ended.features({name: values[~before] for name, values in table.items()})
    answers = [model.predict(xgboost.DMatrix(matrix)).astype(np.float64) for matrix in (whole[~before], served)]
    judged, reached = (
        f"AUC {value('auc', labels[~before], one):.3f} log loss {value('log_loss', labels[~before], one):.3f}"
        for one in answers
    )
    return judged, reached


def _habits() -> tuple[Columns, Floats]:
    """Return rows whose label follows a habit that forgets half of itself in two days, and that amounts show."""
    random = np.random.default_rng(11)
    hours = WEEKS * 7 * 24
    keep = 0.5 ** (1 / 48)
    habit = np.zeros((hours, WORLD_KEYS))
    for hour in range(1, hours):
        habit[hour] = keep * habit[hour - 1] + np.sqrt(1 - keep**2) * random.normal(size=WORLD_KEYS)
    seconds = np.sort(random.integers(0, hours * 3_600, WORLD_ROWS))
    card = random.integers(0, WORLD_KEYS, WORLD_ROWS)
    now = habit[seconds // 3_600, card]
    table = {
        "at": START + seconds.astype("timedelta64[s]").astype("timedelta64[us]"),
        "card": np.array([f"card-{one}" for one in card], dtype=object),
        "amount": now + random.normal(0, 0.5, WORLD_ROWS),
    }
    return table, (random.random(WORLD_ROWS) < 1 / (1 + np.exp(-2 * now))).astype(np.float64)


def _timed(work: Callable[[], Done]) -> tuple[float, Done]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
