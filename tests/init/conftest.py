"""Made customers, and the command line run in this process with a folder of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli.main import main


@dataclass(frozen=True)
class Ran:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `tropism …` where products and expectations are to be written."""
    monkeypatch.setenv("TROPISM_ROOT", str(tmp_path))
    monkeypatch.setattr("sys.stdin", StringIO())  # nobody is there to answer
    (tmp_path / "products").mkdir()
    (tmp_path / "expectations").mkdir()

    def command(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(one) for one in arguments])
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return command


def customers(rows: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Return made customers: whether they left depends on their plan, their use, and how long they are there."""
    random = np.random.default_rng(seed)
    joined = np.datetime64("2021-01-01") + random.integers(0, 700, rows).astype("timedelta64[D]")
    seen = np.datetime64("2023-01-01T00:00") + random.integers(0, 400 * 24 * 60, rows).astype("timedelta64[m]")
    plan = random.choice(["basic", "größer", "premium"], rows, p=[0.5, 0.3, 0.2])
    use = random.gamma(2, 40, rows).round(1)
    age = (seen - joined).astype("timedelta64[D]").astype(float)
    chance = 1 / (1 + np.exp(-(1.5 - use / 40 - age / 400 + 1.2 * (plan == "basic"))))
    left = random.random(rows) < chance
    return pd.DataFrame(
        {
            "customer_id": [f"C{n:06d}" for n in random.permutation(rows) + 100_000 * seed],
            "seen_at": np.datetime_as_string(seen, unit="s"),
            "joined": np.datetime_as_string(joined, unit="D"),
            "plan": plan,
            "use": np.where(random.random(rows) < 0.1, np.nan, use),
            "village": [f"Dörfchen {n}" for n in random.integers(0, 400, rows)],
            "note": np.where(random.random(rows) < 0.5, "called us about the bill " + pd.Series(use).astype(str), ""),
            "country": "AT",
            "refunded": np.where(left, use * 0.5, 0.0).round(2) + np.where(left, 1, 0),
            "churned": np.where(left, "yes", "no"),
        }
    )


@pytest.fixture
def customers_csv(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    customers().to_csv(path, index=False)
    return path
