"""A training with histories: what the model was judged by is what its bundle answers, and nobody sees the future."""

from pathlib import Path

import numpy as np

from lifecycle.columns import is_missing
from lifecycle.labels import read_labels
from tasks import registry
from tasks.features import ProductFiles, fit_features, read_product
from tasks.snapshot import Frame, read_frame, take_snapshot
from tests.train.conftest import Shop
from tests.train.test_train import decided

HISTORIES = """features:
  numbers: [amount, weight, ratio]
  categories: [city]
  refresh: 2d
  histories:
    spent: { by: city, of: amount, take: [mean, max, last], window: 10d }
    orders: { by: [city] }
    returns: { by: city, of: returned, take: [mean, count], delay: 3d }
"""
PAST = ("spent.mean", "spent.max", "spent.last", "orders.count", "returns.mean", "returns.count")


def with_histories(shop: Shop) -> Shop:
    shop.edit("features: { numbers: [amount, weight, ratio], categories: [city] }\n", HISTORIES)
    shop.edit("{ name: at, type: datetime, input: false }", "{ name: at, type: datetime }")
    return shop


def trained_on(shop: Shop) -> tuple[ProductFiles, Frame]:
    files = read_product(shop.settings.products, "shop")
    return files, read_frame(shop.bucket, take_snapshot(shop.bucket, "shop"), files.read, files.product.grain)


def test_the_bundle_answers_one_request_at_a_time_as_training_saw_the_rows(shop: Shop, tmp_path: Path) -> None:
    with_histories(shop).publish(0)
    shop.publish(1)
    shop.train()
    bundle = registry.fetch_bundle("shop", "1", tmp_path / "bundle")
    files, frame = trained_on(shop)
    labels = read_labels(files.product.task, files.product.target, frame.columns["returned"])
    train = np.flatnonzero(frame.columns["at"] < frame.columns["at"].max() - np.timedelta64(5, "D"))
    matrix = fit_features(files, frame.columns, train, labels).matrix
    assert bundle.features.feature_names == ("amount", "weight", "ratio", *PAST, "city")
    for row in range(0, frame.rows, 37):
        one = {column.name: frame.columns[column.name][row : row + 1].tolist() for column in bundle.contract.columns}
        one["at"] = [frame.columns["at"][row].item().isoformat()]
        asked = {name: [None if is_missing(value) else value for value in values] for name, values in one.items()}
        np.testing.assert_array_equal(bundle.features.transform(bundle.contract.check(asked).columns)[0], matrix[row])
    assert np.isfinite(matrix[:, 3:9]).mean() > 0.7


def test_a_champion_is_judged_on_later_rows_with_the_past_it_has(shop: Shop, tmp_path: Path) -> None:
    with_histories(shop).publish(0)
    shop.train()
    shop.crown("1")
    shop.publish(1)
    shop.train()
    assert decided("2").judgement.champion is not None
    old, new = (registry.fetch_bundle("shop", version, tmp_path / version).features for version in "12")
    _, frame = trained_on(shop)
    late = frame.columns["at"] > np.datetime64("2013-01-25")
    rows = {name: values[late] for name, values in frame.columns.items()}
    stale, fresh = (one.transform(rows)[:, 6] for one in (old, new))
    known = [set(one[~np.isnan(one)].tolist()) for one in (stale, fresh)]
    assert [len(one) for one in known] == [3, 6]  # three cities, and of the newer model two stretches of them
