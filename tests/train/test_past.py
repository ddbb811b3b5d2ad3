"""Histories and a joined table in a training: what judged the model is what its bundle answers, row by row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle.columns import is_missing
from lifecycle.contract import Contract
from lifecycle.errors import SpecError
from lifecycle.events import ModelRefused
from lifecycle.features import FittedFeatures, Matrix
from lifecycle.labels import read_labels
from tasks import registry
from tasks.bundles import contract_of
from tasks.features import ProductFiles, fit_features, read_product
from tasks.reading import read
from tasks.scorer import Scorer
from tasks.snapshot import Frame, frame_of, read_frame, take_snapshot
from tests.train.conftest import START, Shop, orders
from tests.train.test_train import decided

PRODUCTS = Path(__file__).parents[2] / "products"
PAST = """joins:
  weather:
    by: city
    key: [station]
    time: observed
    columns:
      - { name: station, type: string }
      - { name: observed, type: datetime }
      - { name: temp, type: double, nullable: true }
      - { name: sky, type: string }
    max_age: 20d
features:
  numbers: [amount, weight, ratio, weather.temp]
  categories: [city, weather.sky]
  missing: [weather.temp]
  refresh: 2d
  histories:
    spent: { by: city, of: amount, take: [mean, max, last], window: 10d }
    orders: { by: [city] }
    returns: { by: city, of: returned, take: [mean, count], delay: 3d }
"""
NAMES = ("amount", "weight", "ratio", "weather.temp", "weather.temp.missing", "spent.mean", "spent.max", "spent.last",
         "orders.count", "returns.mean", "returns.count", "city", "weather.sky")  # fmt: skip


def observations() -> pd.DataFrame:
    """Ulm is observed every day, Köln once, Graz never; the thermometer sticks now and then."""
    days = [*range(28), 9]
    return pd.DataFrame(
        {
            "observed": [(START + pd.Timedelta(days=day, hours=5)).isoformat() for day in days],
            "station": ["Ulm"] * 28 + ["Köln"],
            "temp": [None if day % 7 == 3 else day * 1.5 - 9 for day in days],
            "sky": [("clear", "rain", "snow")[day % 3] for day in days],
        }
    )


@pytest.fixture
def shop_with_past(shop: Shop) -> Shop:
    shop.edit("features: { numbers: [amount, weight, ratio], categories: [city] }\n", PAST)
    shop.edit("{ name: at, type: datetime, input: false }", "{ name: at, type: datetime }")
    write_table(shop, observations())
    return shop


def write_table(shop: Shop, table: pd.DataFrame, name: str = "weather.csv") -> None:
    folder = shop.settings.products / "shop" / "tables"
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / name, index=False)


def of_shop(shop: Shop) -> tuple[ProductFiles, Frame]:
    files = read_product(shop.settings.products, "shop")
    return files, read_frame(shop.bucket, take_snapshot(shop.bucket, "shop"), files.read, files.product.grain)


def trained(files: ProductFiles, frame: Frame, until: np.datetime64 | None = None) -> tuple[FittedFeatures, Matrix]:
    """Return what a training makes of the rows: the features fitted on those until an instant, and all rows' matrix."""
    labels = read_labels(files.product.task, files.product.target, frame.columns[files.product.target.column])
    train = np.arange(frame.rows)
    if until is not None and files.product.time:
        train = train[frame.columns[files.product.time] <= until]
    prepared = fit_features(files, frame.columns, train, labels.known_by(train))
    return prepared.features, prepared.matrix


def asked(contract: Contract, frame: Frame, row: int) -> dict[str, list[Any]]:
    """Return one row as a request brings it, through JSON."""
    one = {column.name: frame.columns[column.name][row] for column in contract.columns}
    told = {name: None if is_missing(value) else _plain(value) for name, value in one.items()}
    return {name: [value] for name, value in json.loads(json.dumps(told)).items()}


def answered(features: FittedFeatures, contract: Contract, frame: Frame, row: int) -> Matrix:
    """Return the features (k,) of one row as the endpoint computes them."""
    matrix: Matrix = features.transform(contract.check(asked(contract, frame, row)).columns)[0]
    return matrix


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, np.datetime64) else getattr(value, "item", lambda: value)()


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PRODUCTS.glob("*/product.yaml")))
def test_every_product_is_answered_row_by_row_as_it_was_trained(name: str) -> None:
    files = read_product(PRODUCTS, name)
    path = PRODUCTS / name / "sample/rows.parquet"
    rows = read(f"landing/{name}/rows.parquet", path.read_bytes(), files.product)
    frame = frame_of([rows.table], files.read, files.product)  # type: ignore[union-attr]
    features, matrix = trained(files, frame)
    opened = FittedFeatures.from_json(features.to_json(), files.hook)
    contract = contract_of(name, "regression", features, ())
    for row in range(0, frame.rows, max(frame.rows // 40, 1)):
        np.testing.assert_array_equal(answered(opened, contract, frame, row), matrix[row])


def test_a_product_with_histories_and_a_table_is_answered_row_by_row_as_it_was_trained(
    shop_with_past: Shop, tmp_path: Path
) -> None:
    shop = shop_with_past
    shop.publish(0)
    shop.publish(1)
    shop.train()
    bundle = registry.fetch_bundle("shop", "1", tmp_path / "bundle")
    files, frame = of_shop(shop)
    features, matrix = trained(files, frame, frame.columns["at"].max() - np.timedelta64(5, "D"))
    assert bundle.features.feature_names == NAMES
    assert bundle.features.to_json() == features.to_json()
    for row in range(0, frame.rows, 37):
        np.testing.assert_array_equal(answered(bundle.features, bundle.contract, frame, row), matrix[row])
    (told,) = Scorer(bundle).explain(asked(bundle.contract, frame, 5))
    assert set(told[""].contributions) == set(NAMES)
    profile = json.loads(bundle.reference)
    assert {"spent.max", "weather.temp", "weather.sky"} <= {*profile["numbers"], *profile["categories"]}
    shares = np.isfinite(matrix).mean(axis=0)
    assert dict(zip(NAMES, (shares > 0.2).tolist(), strict=True)) == dict.fromkeys(NAMES, True)


def test_the_training_tells_its_tables_and_how_old_the_past_is(shop_with_past: Shop, tmp_path: Path) -> None:
    """A champion is judged with the past it has, which ends where its data did: that is how it would serve."""
    shop = shop_with_past
    shop.publish(0)
    shop.train()
    shop.crown("1")
    shop.publish(1)
    shop.train()
    found = registry.version_of("shop", "2")
    run = registry.mlflow_client().get_run(found.mlflow_run)
    digest = read_product(shop.settings.products, "shop").tables["weather"].sha256
    bundles = {version: registry.fetch_bundle("shop", version, tmp_path / version) for version in "12"}
    assert (bundles["2"].manifest.lineage.tables, run.data.tags["tropism.tables"]) == (
        {"weather": digest},
        f"weather:{digest}",
    )
    ages = [run.data.metrics[f"{who}/past_age_days"] for who in ("challenger", "champion")]
    assert (ages[0] < 2, 9 < ages[1] < 14) == (True, True)
    assert decided("2").judgement.champion is not None
    _, frame = of_shop(shop)
    late = frame.columns["at"] > np.datetime64("2013-01-25")
    rows = {name: values[late] for name, values in frame.columns.items()}
    known = [bundles[version].features.transform(rows)[:, NAMES.index("spent.mean")] for version in "12"]
    # Three cities as the older model's data left them, and two stretches of them in the newer one's.
    assert [len(set(one[~np.isnan(one)].tolist())) for one in known] == [3, 6]


def test_a_table_that_holds_the_answers_is_named_as_a_leak(shop_with_past: Shop) -> None:
    """A row's own answer, true at its own instant, of a table that says it is known ahead."""
    shop = shop_with_past
    shop.publish(0)
    answers = orders(0)[["order", "at", "returned"]].assign(returned=lambda table: table["returned"] * 2.0)
    write_table(
        shop, answers.assign(at=answers["at"].astype("datetime64[us]").map(lambda at: at.isoformat())), "told.csv"
    )
    columns = "[{ name: order, type: long }, { name: at, type: datetime }, { name: returned, type: double }]"
    shop.edit("joins:\n", f"joins:\n  told: {{ by: order, time: at, columns: {columns}, ahead: true }}\n")
    shop.edit("{ name: order, type: long, input: false }", "{ name: order, type: long }")
    shop.edit("numbers: [amount,", "numbers: [told.returned, amount,")
    (event,) = shop.train().events
    assert isinstance(event, ModelRefused)
    assert {reason.split(":")[0] for reason in event.reasons} == {"LEAK told.returned"}


@pytest.mark.faults  # three trainings
def test_another_table_is_another_training(shop_with_past: Shop) -> None:
    shop = shop_with_past
    shop.publish(0)
    shop.train()
    shop.train()
    write_table(shop, observations().assign(temp=1.0))
    shop.train()
    versions = registry.mlflow_client().search_model_versions("name='shop'")
    assert sorted(str(one.version) for one in versions) == ["1", "2"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table.drop(columns="sky"), r"MISSING_COLUMN sky"),
        (lambda table: table.assign(temp="mild"), r"TYPE temp: found something else.*a number.*First: line 2"),
        (lambda table: pd.concat([table, table.tail(1).assign(temp=99.0)]), r"CONFLICTING_ROWS.*First: line 30"),
        (lambda table: table.assign(station=None), r"MISSING_VALUE station"),
        (lambda table: table.head(0), r"NO_ROWS"),
    ],
)
def test_a_table_that_is_not_as_declared_stops_the_training_in_a_sentence(
    shop_with_past: Shop, change: Any, told: str
) -> None:
    write_table(shop_with_past, change(observations()))
    with pytest.raises(SpecError, match=rf"(?s)weather.csv cannot be joined.*({told}).*used whole"):
        read_product(shop_with_past.settings.products, "shop")


def test_a_table_is_one_file_and_a_row_may_be_there_twice(shop_with_past: Shop) -> None:
    products = shop_with_past.settings.products
    once = read_product(products, "shop").tables["weather"].columns
    write_table(shop_with_past, pd.concat([observations(), observations()]))
    twice = read_product(products, "shop").tables["weather"].columns
    assert {name: len(values) for name, values in twice.items()} == {name: len(values) for name, values in once.items()}
    write_table(shop_with_past, observations(), "weather.csv.gz")
    with pytest.raises(SpecError, match=r"'weather' has 2 files.*weather.csv, weather.csv.gz"):
        read_product(products, "shop")
    for path in (products / "shop/tables").iterdir():
        path.unlink()
    with pytest.raises(SpecError, match=r"'weather' has no files.*found none"):
        read_product(products, "shop")
