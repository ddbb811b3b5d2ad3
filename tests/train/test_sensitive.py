"""What is declared sensitive is learned from and told to nobody: not by a bundle, a run, a record or a log."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lifecycle import profiles, spec
from lifecycle.errors import SpecError
from tests.train.conftest import PRODUCT, Shop

CANARY, WHOLE, NUMBER = "canary-of-ulm", "31337", "31337.4242"
ZONES = ("landing/", "validated/", "quarantine/")


def planted(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the same few values into two columns of every row, so that every quantile and level is one of them."""
    names = [f"{CANARY}-{row % 3}" for row in range(len(frame))]
    return frame.assign(person=names, amount=float(NUMBER) + frame.index.to_numpy() % 3)


@pytest.fixture
def secretive(shop: Shop) -> Shop:
    shop.edit("name: amount, type: double", "name: amount, type: double, sensitive: true")
    shop.edit("  - { name: weight", "  - { name: person, type: string, sensitive: true }\n  - { name: weight")
    shop.edit("categories: [city]", "categories: [city], lengths: [person]")
    shop.edit("evaluation:", "predictions: { features: digest }\nevaluation:")
    return shop


def holding(shop: Shop, folder: Path) -> list[str]:
    """Return every object outside the data zones, and every file of MLflow, that holds a planted value."""
    needles = (CANARY.encode(), WHOLE.encode())
    listed = shop.aws.s3.list_object_versions(Bucket=shop.bucket)["Versions"]
    keys = [item["Key"] for item in listed if not item["Key"].startswith(ZONES)]
    bodies: dict[str, bytes] = {key: shop.aws.s3.get_object(Bucket=shop.bucket, Key=key)["Body"].read() for key in keys}
    bodies |= {path.name: path.read_bytes() for path in folder.glob("mlflow.db*")}
    assert len(bodies) > 5
    return sorted(name for name, body in bodies.items() if any(needle in body for needle in needles))


def train(shop: Shop) -> Any:
    for number in range(2):
        shop.publish(number, change=planted)
    return shop.train()


def test_no_object_run_or_page_holds_a_sensitive_value(
    secretive: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    steps = train(secretive)
    assert holding(secretive, tmp_path) == []
    told = "".join((caplog.text, *capfd.readouterr(), *steps.pages, str([one.payload for one in steps.events])))
    assert (CANARY in told, WHOLE in told) == (False, False)
    profile = next(
        key["Key"]
        for key in secretive.aws.s3.list_objects_v2(Bucket=secretive.bucket)["Contents"]
        if key["Key"].endswith("/reference.json")
    )
    body = secretive.aws.s3.get_object(Bucket=secretive.bucket, Key=profile)["Body"].read().decode()
    found = profiles.read(body)
    assert {"weight", "person.characters", "person.words"} & found.numbers.keys()
    assert {"amount", "person"} & (found.numbers.keys() | found.categories.keys()) == set()


def test_the_same_values_are_found_when_nothing_is_declared(shop: Shop, tmp_path: Path) -> None:
    """The search would see them."""
    shop.edit("  - { name: weight", "  - { name: person, type: string }\n  - { name: weight")
    shop.edit("categories: [city]", "categories: [city, person]")
    train(shop)
    assert any(name.endswith("reference.json") for name in holding(shop, tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("name: city, type: string", "name: city, type: string, sensitive: true", "features: 'city' is sensitive"),
        ("name: at, type: datetime", "name: at, type: datetime, sensitive: true", "time: 'at' is sensitive"),
        ("name: returned, type: long", "name: returned, type: long, sensitive: true", "target: 'returned'"),
        ("name: amount, type: double", "name: amount, type: double, sensitive: true", "say `predictions: { features:"),
    ],
)
def test_what_would_carry_values_out_is_refused_with_a_sentence(old: str, new: str, sentence: str) -> None:
    with pytest.raises(SpecError, match="does not describe a product") as refused:
        spec.parse(PRODUCT.replace(old, new), source="it")
    assert sentence in str(refused.value)
