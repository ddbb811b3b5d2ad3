"""A process that takes deliveries in, one after the other, as the flow does; it says what it did and what it weighs.

`python -m tests.faults.taker ROOT BUCKET NAME FILE`: FILE has one delivery a line, `[product, key, object version]`.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

EVERY = 50
"""Deliveries between two looks at the process's own memory."""


class Steps:
    """Carries out steps and counts them. Only the page that is left with a run is not made: there is no run."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def __call__(self, name: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.done[name] += 1
        return None if name == "leave report" else work(*args, **kwargs)


def main(root: str, bucket: str, name: str, announced: str) -> None:
    """Take in everything that was announced, the repeated ones too."""
    from flows.ingest import Work, take_in  # noqa: PLC0415  Prefect and Great Expectations take seconds
    from lifecycle.delivery import Worker  # noqa: PLC0415

    steps, megabytes, ends = Steps(), list[float](), Counter[str]()
    products, expectations = Path(root) / "products", Path(root) / "expectations"
    for number, line in enumerate(Path(announced).read_text().splitlines()):
        work = Work(steps, bucket, products, expectations, Worker(f"{name}-{number}"))
        ends[take_in(work, *json.loads(line)).state] += 1
        if number % EVERY == EVERY - 1:
            megabytes.append(round(psutil.Process().memory_info().rss / (1 << 20), 1))
    sys.stdout.write(json.dumps({"steps": steps.done, "ends": ends, "megabytes": megabytes}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
