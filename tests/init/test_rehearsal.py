"""From a file nobody described to a verdict on a first model, with the code that ingest and training run."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.rehearsal import rehearse
from lifecycle import spec
from tests.init.conftest import Run, customers

with warnings.catch_warnings():
    # It imports a module that Python has deprecated, and the test run turns warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("great_expectations")


def drawn(run: Run, frame: pd.DataFrame, folder: Path, *more: str, target: str = "churned") -> Any:
    path = folder / "rows.csv"
    frame.to_csv(path, index=False)
    found = run("init", "rows", "--data", path, "--target", target, "--yes", "--rehearse", "--json", *more)
    return found.json["rehearsed"]


def test_a_file_ends_in_a_model_that_would_serve_and_the_next_one_too(run: Run, tmp_path: Path) -> None:
    seen = drawn(run, customers(2500), tmp_path)
    assert (seen["would_serve"], seen["verdict"]) == (True, "promote")
    assert seen["metrics"]["auc"] > 0.75
    later = tmp_path / "later.csv"
    customers(1800, 7).to_csv(later, index=False)
    both = rehearse(tmp_path, "rows", [tmp_path / "rows.csv", later])
    assert [one.state for one in both.taken] == ["validated", "validated"]
    assert both.would_serve


def test_shuffled_labels_teach_nothing_and_that_is_said(run: Run, tmp_path: Path) -> None:
    frame = customers(2500).drop(columns="refunded")
    frame["churned"] = np.random.default_rng(1).permutation(frame["churned"].to_numpy())
    seen = drawn(run, frame, tmp_path)
    assert (seen["would_serve"], seen["verdict"]) == (False, "refuse")
    assert seen["reasons"][0].startswith("FLOOR auc: found 0.")


def test_a_leak_that_a_person_puts_back_is_stopped_by_the_gate(run: Run, tmp_path: Path) -> None:
    drawn(run, customers(2500), tmp_path)
    path = tmp_path / "products/rows/product.yaml"
    text = path.read_text()
    text = text.replace(
        "name: refunded, type: double, nullable: true, input: false", "name: refunded, type: double, nullable: true"
    )
    path.write_text(text.replace("numbers: [use]", "numbers: [use, refunded]"))
    seen = rehearse(tmp_path, "rows", [tmp_path / "rows.csv"])
    assert (seen.verdict, seen.reasons[0].code, seen.reasons[0].column) == ("refuse", "LEAK", "refunded")


def test_the_shop_of_a_shop_and_a_day_is_no_leak_however_much_it_tells(run: Run, tmp_path: Path) -> None:
    """Shops of very different sizes: which one it is tells the sales nearly alone, and is known before anything is."""
    random, shops, days = np.random.default_rng(5), 20, 120
    size = np.exp(np.arange(shops) / 3)
    frame = pd.DataFrame(
        {
            "day": np.repeat(np.datetime64("2023-01-01") + np.arange(days), shops),
            "shop": np.tile([f"shop {n}" for n in range(shops)], days),
            "price": random.normal(5, 1, shops * days).round(2),
        }
    )
    frame["sold"] = (np.tile(size, days) * random.normal(10, 0.3, shops * days) - frame["price"]).round(2)
    seen = drawn(run, frame, tmp_path, target="sold")
    product = spec.load(tmp_path / "products", "rows")
    assert (set(product.grain), product.features.categories) == ({"day", "shop"}, ("shop",))
    assert seen["would_serve"], seen["reasons"]
    assert seen["metrics"]["r2"] > 0.9


def test_without_a_time_the_rows_own_content_says_who_judges(run: Run, tmp_path: Path) -> None:
    frame = customers(2500).drop(columns=["seen_at", "customer_id"])
    seen = drawn(run, frame, tmp_path, "--time", "none")
    assert seen["would_serve"]
    product = spec.load(tmp_path / "products", "rows")
    assert (product.time, product.grain) == (None, ())
    assert seen["judged"] == pytest.approx(500, abs=90)


def test_a_file_of_another_kind_is_refused_with_a_sentence(run: Run, tmp_path: Path) -> None:
    drawn(run, customers(2500), tmp_path)
    odd = tmp_path / "odd.csv"
    customers(2500).assign(plan="another").to_csv(odd, index=False)
    seen = rehearse(tmp_path, "rows", [odd])
    assert (seen.taken[0].state, seen.verdict) == ("quarantined", None)
    assert "CATEGORY" in {reason.code for reason in seen.taken[0].reasons}


@pytest.mark.parametrize("kind", ["multiclass", "counts", "regression"])
def test_other_tasks_end_in_a_model_too(kind: str, run: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    size, colour = random.normal(size=2000), random.choice(["rot", "grün"], 2000)
    signal = size + (colour == "rot")
    targets = {
        "multiclass": np.where(
            random.random(2000) < 0.01, "rare", np.where(signal + random.normal(0, 0.7, 2000) > 0.5, "b", "a")
        ),
        "counts": random.poisson(np.exp(0.7 * signal)),
        "regression": (signal + random.normal(0, 0.5, 2000)).round(4),
    }
    frame = pd.DataFrame({"size": size.round(4), "colour": colour, "y": targets[kind]})
    seen = drawn(run, frame, tmp_path, target="y")
    assert seen["would_serve"], seen["reasons"]
    assert spec.load(tmp_path / "products", "rows").task == kind


def test_equal_rows_are_common_in_narrow_tables_and_stay(run: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"a": random.integers(0, 4, 3000), "b": random.choice(["x", "y"], 3000)})
    frame["y"] = (random.random(3000) < 0.2 + 0.2 * frame["a"]).astype(int)
    seen = drawn(run, frame, tmp_path, target="y")
    product = spec.load(tmp_path / "products", "rows")
    assert (product.grain, product.repeats) == ((), "keep")
    assert seen["would_serve"], seen["reasons"]
    taken = rehearse(tmp_path, "rows", [tmp_path / "rows.csv"]).taken[0]
    assert taken.rows.validated == 3000
