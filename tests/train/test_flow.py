"""The flow under a real Prefect: what a person sees of a training, and of one that finds somebody at it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.train import train
from lifecycle import orders
from lifecycle.claim import Busy, Taken
from lifecycle.control import Actor
from tasks import control
from tasks.claim import leave_turn, take_turn, waits_since
from tests.train.conftest import Shop


@pytest.fixture
def ambient(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The product where the flow looks for it."""
    monkeypatch.setenv("TROPISM_BUCKET", shop.bucket)
    monkeypatch.setenv("TROPISM_ROOT", str(shop.settings.root))
    return shop


@pytest.mark.usefixtures("prefect")
def test_a_training_ends_completed_and_says_what_came_of_it(ambient: Shop) -> None:
    ambient.publish(0)
    state = train("shop", return_state=True)
    assert state.is_completed()
    assert state.message == (
        "Model 1 may be the first champion. NO_CHAMPION: found no champion to compare with, expected every floor kept."
    )
    with get_client(sync_client=True) as client:
        key = ArtifactFilter(key=ArtifactFilterKey(any_=["challenge-shop"]))
        (page,) = client.read_artifacts(artifact_filter=key)
    assert str(page.data).startswith("# promote: shop")
    assert isinstance(take_turn(ambient.bucket, "shop", "next"), Taken)


@pytest.mark.usefixtures("prefect")
def test_whoever_finds_somebody_training_leaves_a_wish_and_ends_skipped(ambient: Shop) -> None:
    take_turn(ambient.bucket, "shop", "somebody")
    state = train("shop", return_state=True)
    assert (state.is_completed(), state.name) == (True, "Skipped")
    assert str(state.message).startswith("Flow run somebody trains shop since ")
    assert leave_turn(ambient.bucket, "shop", "somebody") is True


@pytest.mark.usefixtures("prefect")
def test_a_training_that_fails_says_why_and_gives_the_turn_back(ambient: Shop) -> None:
    state = train("shop", return_state=True)
    assert state.is_failed()
    assert "There is nothing to train shop on." in str(state.message)
    assert isinstance(take_turn(ambient.bucket, "shop", "next"), Taken)


@pytest.mark.usefixtures("prefect")
def test_a_wish_left_meanwhile_makes_the_same_run_train_again(ambient: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def trained(_where: object, product: str, _cause: str, owner: str) -> str:
        if not done:
            assert isinstance(take_turn(ambient.bucket, product, "late"), Busy)
        done.append(owner)
        return f"Training {len(done)}."

    monkeypatch.setattr("flows.train.challenge", trained)
    assert train("shop", return_state=True).message == "Training 2."
    assert len(done) == 2


def say(shop: Shop, word: Any) -> None:
    """Freeze, or end it."""
    held = control.read(shop.bucket, "shop")
    control.write(shop.bucket, held, word(held.record, Actor("ada", datetime.now(UTC)), "a test"))


@pytest.mark.usefixtures("prefect")
def test_while_a_product_is_frozen_nothing_is_trained_and_the_wish_waits(ambient: Shop) -> None:
    say(ambient, orders.freeze)
    state = train("shop", return_state=True)
    assert (state.is_completed(), state.name) == (True, "Frozen")
    assert "by ada: a test" in str(state.message)
    assert waits_since(ambient.bucket, "shop", datetime.now(UTC))
    say(ambient, orders.unfreeze)
    ambient.publish(0)
    assert str(train("shop", return_state=True).message).startswith("Model 1 ")
    assert not waits_since(ambient.bucket, "shop", datetime.now(UTC))


@pytest.mark.usefixtures("prefect")
def test_a_freeze_in_the_middle_lets_a_training_end_and_keeps_what_was_wished_meanwhile(
    ambient: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def trained(_where: object, product: str, _cause: str, owner: str) -> str:
        assert isinstance(take_turn(ambient.bucket, product, "late"), Busy)
        say(ambient, orders.freeze)
        done.append(owner)
        return "Trained."

    monkeypatch.setattr("flows.train.challenge", trained)
    assert train("shop", return_state=True).message == "Trained."
    assert len(done) == 1, "not again for the wish, which waits"
    assert waits_since(ambient.bucket, "shop", datetime.now(UTC))
