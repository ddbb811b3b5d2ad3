"""`weight:` and `group:` of a product, from its rows to the verdict: what trains, what judges, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from flows.train import prepare
from lifecycle.codes import Code
from lifecycle.errors import SpecError
from lifecycle.metrics import value
from lifecycle.spec import Product, parse
from lifecycle.training import Split
from tasks.cells import Rows
from tasks.evaluation import Judged, judge
from tasks.features import ProductFiles
from tasks.reading import read
from tasks.snapshot import frame_of, group_keys
from tasks.step import directly
from tasks.training import Candidate, Data, fit_candidate
from tests.train.conftest import HOOK, PRODUCT, orders

DECLARED = PRODUCT.replace("time: at\n", "time: at\nweight: worth\ngroup: house\n").replace(
    "  - { name: returned",
    "  - { name: worth, type: double, input: false }\n"
    "  - { name: house, type: string, nullable: true, input: false }\n  - { name: returned",
)


def product(text: str = DECLARED) -> Product:
    return parse(text, source="product.yaml")


def rows(seed: int = 0) -> pd.DataFrame:
    """Orders of houses that order for two days; one row in ten counts for nothing, one in seven has no house."""
    frame, random = orders(seed, 1500), np.random.default_rng(seed)
    day = ((frame["at"] - frame["at"].min()) / pd.Timedelta(days=1)).to_numpy()
    house = np.array([f"H{int(at / 2)}-{n}" for at, n in zip(day, random.integers(0, 12, 1500), strict=True)], object)
    house[::7] = None
    worth = np.where(np.arange(1500) % 10 == 0, 0.0, random.gamma(2, 1, 1500))
    return frame.assign(worth=worth, house=house)


def trained(frame: pd.DataFrame, text: str = DECLARED) -> tuple[Product, Data, Split, Judged]:
    files = ProductFiles(product(text), HOOK, "s", "h")
    table = frame_of([pa.Table.from_pandas(frame, preserve_index=False)], files.read, files.product)
    prepared = prepare(Path("nowhere"), files, table, directly)
    assert isinstance(prepared, tuple), prepared
    data, split = prepared
    fitted = fit_candidate(files.product, data, Candidate("all", split.fit, split.train), split.stopping)
    return files.product, data, split, judge(files.product, table.columns, data, split, fitted, None, ())


def test_no_house_is_on_two_sides_and_rows_without_a_house_are_alone() -> None:
    frame = rows()
    _, data, split, _ = trained(frame)
    sides = [set(frame["house"].iloc[part].dropna()) for part in (split.fit, split.stopping, split.holdout)]
    assert all(sides)
    assert not (sides[0] & sides[1]) | (sides[0] & sides[2]) | (sides[1] & sides[2])
    assert split.torn > 0
    assert data.groups is not None
    homeless = data.groups[frame["house"].isna().to_numpy()]
    assert len(set(homeless.tolist())) == len(homeless)


def test_a_row_that_counts_for_nothing_neither_trains_nor_judges() -> None:
    frame = rows()
    _, _, split, _ = trained(frame)
    used = np.concatenate((split.train, split.holdout))
    assert (frame["worth"].iloc[used] > 0).all()
    assert split.unlabelled == 150


def test_the_gates_numbers_are_weighted_and_those_to_watch_by_are_not() -> None:
    _, data, split, judged = trained(rows())
    labels, weights = data.labels[split.holdout], data.weights_of(split.holdout)
    assert judged.challenger.metrics["auc"] == value("auc", labels, judged.scores, weights)
    assert judged.plain.metrics["auc"] == value("auc", labels, judged.scores)
    assert judged.plain.metrics["auc"] != judged.challenger.metrics["auc"]


def test_the_model_learns_what_the_heavy_rows_say() -> None:
    """Half of the orders say the opposite of the other half; whoever is heavier is believed."""
    frame = rows()
    told = (frame["weight"] > frame["weight"].median()).astype("int64")
    contrary = np.random.default_rng(1).random(1500) < 0.5
    frame["returned"] = np.where(contrary, 1 - told, told)
    for heavy in (contrary, ~contrary):
        _, data, split, judged = trained(frame.assign(worth=np.where(heavy, 10.0, 0.1)))
        believed = heavy[split.holdout]
        assert value("auc", data.labels[split.holdout][believed], judged.scores[believed]) > 0.9


def test_the_same_house_has_the_same_key_in_every_snapshot() -> None:
    files = ProductFiles(product(), HOOK, "s", "h")
    tables = [pa.Table.from_pandas(rows(seed), preserve_index=False) for seed in (0, 1)]
    first, both = (frame_of(tables[: n + 1], files.read, files.product) for n in (0, 1))
    known = set(zip(first.columns["house"], group_keys(first, "house").tolist(), strict=True))
    assert known <= set(zip(both.columns["house"], group_keys(both, "house").tolist(), strict=True))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("weight: worth", "weight: city", "weight: 'city' must be numbers, never missing, and not the target"),
        ("weight: worth", "weight: amount", "weight: 'amount' must be numbers, never missing, and not the target"),
        ("weight: worth", "weight: wort", "weight: no column is called 'wort'; did you mean 'worth'?"),
        ("group: house", "group: returned", "group: 'returned' is the target or the time"),
    ],
)
def test_a_column_that_cannot_weigh_or_group_is_refused_by_name(old: str, new: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        product(DECLARED.replace(old, new))
    assert told in str(caught.value)


def test_a_row_that_weighs_less_than_nothing_is_held_back_on_arrival() -> None:
    frame = rows().head(20)
    frame.loc[[3, 5], "worth"] = -1.0
    found = read("landing/shop/one.csv", frame.to_csv(index=False).encode(), product())
    assert isinstance(found, Rows)
    faults = [(fault.code, fault.column, fault.rows.tolist()) for fault in found.faults]
    assert faults == [(Code.RANGE, "worth", [3, 5])]
