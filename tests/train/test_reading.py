"""Reading the snapshot: every byte checked, the newest delivery of each row, types as serving sees them."""

import json

import numpy as np
import pandas as pd
import pytest

from lifecycle.errors import TrainingError
from tasks.features import read_product
from tasks.snapshot import Frame, read_frame, take_snapshot
from tests.train.conftest import Shop, orders


def frame_of(shop: Shop) -> Frame:
    files = read_product(shop.settings.products, "shop")
    return read_frame(shop.bucket, take_snapshot(shop.bucket, "shop"), files.read, files.product.grain)


def test_what_is_read_is_what_was_published(shop: Shop) -> None:
    shop.publish(0)
    found, expected = frame_of(shop), orders(0)
    assert (found.rows, found.repeated) == (700, 0)
    np.testing.assert_array_equal(found.columns["weight"], expected["weight"])
    np.testing.assert_array_equal(found.columns["amount"], expected["amount"])
    np.testing.assert_array_equal(found.columns["at"], expected["at"].to_numpy("datetime64[us]"))
    assert found.columns["city"].tolist() == [city if isinstance(city, str) else None for city in expected["city"]]


@pytest.mark.parametrize("how", ["gone", "one bit flipped", "another batch's rows"])
def test_altered_bytes_stop_the_training_and_name_the_batch(shop: Shop, how: str) -> None:
    batch, other = shop.publish(0), shop.publish(1)
    key = f"validated/shop/{batch}/data.parquet"
    versions = shop.aws.s3.list_object_versions(Bucket=shop.bucket, Prefix=key)["Versions"]
    body = bytearray(stored(shop, batch))
    shop.aws.s3.delete_object(Bucket=shop.bucket, Key=key, VersionId=versions[0]["VersionId"])
    if how != "gone":
        body[len(body) // 2] ^= 1
        altered = bytes(body) if how == "one bit flipped" else stored(shop, other)
        shop.aws.s3.put_object(Bucket=shop.bucket, Key=key, Body=altered)
        rename_version(shop, batch)
    with pytest.raises(TrainingError, match=f"shop/{batch[:12]} is not as it was published"):
        frame_of(shop)


def stored(shop: Shop, batch: str) -> bytes:
    return shop.aws.s3.get_object(Bucket=shop.bucket, Key=f"validated/shop/{batch}/data.parquet")["Body"].read()


def rename_version(shop: Shop, batch: str) -> None:
    """Make the manifest read whatever is stored now, so that only the sha256 can tell."""
    key = f"validated/shop/{batch}/manifest.json"
    manifest = json.loads(shop.aws.s3.get_object(Bucket=shop.bucket, Key=key)["Body"].read())
    manifest["data"]["object_version"] = None
    shop.aws.s3.put_object(Bucket=shop.bucket, Key=key, Body=json.dumps(manifest).encode())


def test_a_row_delivered_again_counts_once_as_it_was_delivered_last(shop: Shop) -> None:
    shop.publish(0)
    shop.publish(1, change=lambda _: orders(0).head(100).assign(weight=-1.0))
    found = frame_of(shop)
    assert (found.rows, found.repeated) == (700, 100)
    assert np.count_nonzero(found.columns["weight"] == -1.0) == 100
    assert len(np.unique(found.keys)) == 700


def test_the_newer_batch_under_the_same_key_replaces_the_older_one(shop: Shop) -> None:
    old = shop.publish(0, key="landing/shop/orders.parquet")
    new = shop.publish(1, key="landing/shop/orders.parquet")
    snapshot = take_snapshot(shop.bucket, "shop")
    assert (snapshot.batch_ids, snapshot.superseded) == ((new,), (old,))


def test_a_column_that_came_later_is_missing_in_older_batches_when_it_may_be(shop: Shop) -> None:
    shop.publish(0, change=lambda frame: frame.drop(columns="city"))
    shop.publish(1)
    found = frame_of(shop)
    assert pd.isna(found.columns["city"]).sum() >= 700
    shop.edit("{ name: city, type: string, nullable: true }", "{ name: city, type: string }")
    with pytest.raises(TrainingError, match=r"has no column 'city'"):
        frame_of(shop)
