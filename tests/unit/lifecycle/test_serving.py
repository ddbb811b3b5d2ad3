"""`serving.json`: what is written is read back, and what cannot be followed is refused with the thing named."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from lifecycle.errors import BundleError
from lifecycle.serving import Arm, Experiment, Serving, Shadow, description
from lifecycle.serving_policy import PredictionsPolicy, ShadowPolicy

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
EXPERIMENT = Experiment("blue-or-not", "salt", (Arm("control", 0.5, ONE), Arm("blue", 0.5, TWO)), column="user")


@pytest.mark.parametrize(
    "serving",
    [
        Serving(),
        Serving("digest"),
        Serving("full", Shadow(ONE, 0.25, 40.0)),
        Serving("full", experiment=EXPERIMENT),
    ],
)
def test_what_is_written_is_read_back(serving: Serving) -> None:
    assert Serving.from_json(serving.to_json()) == serving


def test_the_description_names_the_bundle_alone_when_it_is_served_as_usual() -> None:
    assert description(ONE, Serving()) == f"bundle:{ONE}"
    assert description(None, Serving()) == "bundle:none"


def test_the_description_tells_every_other_way_of_serving_apart() -> None:
    ways = [
        Serving("digest"),
        Serving("full", Shadow(ONE, 0.25, 40.0)),
        Serving("full", Shadow(ONE, 0.25, 41.0)),
        Serving("full", Shadow(TWO, 0.25, 40.0)),
        Serving("full", experiment=EXPERIMENT),
    ]
    described = {description(THREE, way) for way in ways}
    assert len(described) == len(ways)
    assert all(one.startswith(f"bundle:{THREE} serving:") for one in described)


def shadow(**changes: Any) -> dict[str, Any]:
    return {"shadow": {"bundle": ONE, "share": 0.5, "budget_ms": 50.0, **changes}}


def arms(*weights: float, names: tuple[str, ...] = ("a", "b", "c"), **changes: Any) -> dict[str, Any]:
    listed = [{"name": name, "weight": weight, "bundle": ONE} for name, weight in zip(names, weights, strict=False)]
    return {"experiment": {"name": "x", "salt": "s", "column": None, "arms": listed, **changes}}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"features": "some"}, "features is 'some', expected full or digest"),
        (shadow(share=0), "shadow.share"),
        (shadow(share=1.5), "shadow.share"),
        (shadow(share=True), "shadow.share"),
        (shadow(share=float("nan")), "shadow.share"),
        (shadow(budget_ms=0), "shadow.budget_ms"),
        (shadow(budget_ms=float("inf")), "shadow.budget_ms"),
        (shadow(bundle="abc"), "shadow.bundle"),
        (shadow(colour="red"), "TypeError"),
        (arms(1.0), "needs 2 arms"),
        (arms(0.5, 0.4), "sum to 0.9"),
        (arms(1.5, -0.5), "arm b: weight"),
        (arms(0.5, 0.5, names=("a", "a")), "names an arm twice"),
        (arms(0.5, 0.5, names=("a", "../b")), "arm's name"),
        (arms(0.5, 0.5, salt=""), "salt"),
        (arms(0.5, 0.5, arms="many"), "TypeError"),
        ({**arms(0.5, 0.5), **shadow()}, "takes no shadow"),
        ({"format": 2}, "has format 2, expected 1"),
        ({"colour": "red"}, "TypeError"),
    ],
)
def test_a_file_that_cannot_be_followed_is_refused_with_what_was_found(changes: dict[str, Any], found: str) -> None:
    text = json.dumps({**json.loads(Serving().to_json()), **changes})
    with pytest.raises(BundleError, match=r"serving\.json") as caught:
        Serving.from_json(text)
    assert found in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format": 1}'])
def test_a_file_that_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        Serving.from_json(text)


def test_a_product_that_says_nothing_keeps_full_records_and_no_shadow() -> None:
    assert PredictionsPolicy().serving(ONE) == Serving()


def test_a_product_that_wants_a_shadow_gets_one_where_there_is_a_bundle() -> None:
    policy = PredictionsPolicy(features="digest", shadow=ShadowPolicy(share=0.5, budget=timedelta(milliseconds=40)))
    assert policy.serving(ONE) == Serving("digest", Shadow(ONE, 0.5, 40.0))
    assert policy.serving(None) == Serving("digest")


def test_a_product_is_told_what_it_misspelt() -> None:
    with pytest.raises(ValidationError, match="'full' or 'digest'"):
        PredictionsPolicy.model_validate({"features": "none"})
