"""Deliveries for the product `sensors`, made from a seed: the same arguments give the same bytes."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pandas as pd

FORTNIGHT = np.timedelta64(14, "D")
BEGIN = np.datetime64(datetime(2026, 1, 5, tzinfo=UTC).replace(tzinfo=None), "us")
ROWS = 3_000


def readings(number: int, *, refitted: bool = False, rows: int = ROWS, broken: int = 0) -> pd.DataFrame:
    """Return the readings of the fortnight `number`.

    `refitted`: the machines fail for another reason than before, so that a model of these rows is better on them than
    any older one. `broken`: how many rows hold a temperature that no machine has.
    """
    random = np.random.default_rng(1_000 + number)
    temperature, vibration, load = random.normal(70, 8, rows), random.gamma(4, 0.6, rows), random.uniform(0.2, 1, rows)
    cause = (vibration - 2.4) / 1.2 if refitted else (temperature - 70) / 8
    failed = random.uniform(size=rows) < 1 / (1 + np.exp(1 - 2.5 * cause))
    temperature[:broken] = 1_000
    step = FORTNIGHT.astype("timedelta64[us]") // rows
    return pd.DataFrame(
        {
            "sensor": np.arange(rows) % 50,
            "at": BEGIN + number * FORTNIGHT + np.arange(rows) * step,
            "site": random.choice(["north", "south", "east"], rows),
            "temperature": temperature.round(2),
            "vibration": vibration.round(3),
            "load": load.round(3),
            "failed": failed.astype(int),
        }
    )


def csv(frame: pd.DataFrame) -> bytes:
    """Return a frame as a CSV file's bytes."""
    body = io.BytesIO()
    frame.to_csv(body, index=False)
    return body.getvalue()
