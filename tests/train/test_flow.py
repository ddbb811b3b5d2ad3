"""The flow under a real Prefect: what a person sees of a training, and of one that finds somebody at it."""

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.train import train
from lifecycle.claim import Busy, Taken
from tasks.claim import leave_turn, take_turn
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
