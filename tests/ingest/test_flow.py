"""The flow under a real Prefect: what a person sees of a delivery that is taken in, and of one that is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.ingest import ingest
from lifecycle import orders
from lifecycle.control import Actor
from tasks import control


@pytest.fixture
def ambient(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bucket where the flow looks for it."""
    monkeypatch.setenv("TROPISM_BUCKET", desk.bucket)
    monkeypatch.setenv("TROPISM_ROOT", str(Path(__file__).parents[2]))
    return desk


@pytest.mark.usefixtures("prefect")
def test_a_refused_file_completes_the_run_and_leaves_a_page_without_values(
    ambient: Any, real: Any, july: pd.DataFrame
) -> None:
    key, version = ambient.put(real.csv(july.rename(columns={"distance": "distance_mi"})))
    state = ingest("flights", key, version, return_state=True)
    record = state.result()
    assert (state.is_completed(), record.state) == (True, "quarantined")
    assert state.message == record.message()
    with get_client(sync_client=True) as client:
        only = ArtifactFilter(key=ArtifactFilterKey(any_=["ingest-flights"]))
        (page,) = client.read_artifacts(artifact_filter=only)
    assert "MISSING_COLUMN" in str(page.data)
    assert str(july["tailnum"].iloc[0]) not in str(page.data)
    assert (ambient.keys("validated/"), ambient.keys("landing/")) == ([], [])
    again = ingest("flights", key, version)
    assert again == record


@pytest.mark.usefixtures("prefect")
def test_what_is_no_delivery_of_the_product_fails_with_a_sentence(ambient: Any) -> None:
    state = ingest("flights", "landing/other/a.csv", return_state=True)
    assert state.is_failed()
    assert "'landing/other/a.csv' is no delivery of flights." in str(state.message)
    assert ambient.keys() == []


@pytest.mark.usefixtures("prefect")
def test_while_a_product_is_frozen_a_file_stays_where_it_landed_unclaimed(
    ambient: Any, real: Any, july: pd.DataFrame
) -> None:
    key, version = ambient.put(real.csv(july))
    said = say(ambient.bucket, orders.freeze)
    state = ingest("flights", key, version, return_state=True)
    assert (state.is_completed(), state.name) == (True, "Frozen")
    assert "by ada: a test" in str(state.message)
    assert ambient.keys() == ["control/flights.json", key]
    assert say(ambient.bucket, orders.unfreeze) == said + 1
    assert ingest("flights", key, version).state == "validated"
    assert ambient.keys("landing/") == []


@pytest.mark.usefixtures("prefect")
def test_a_part_of_a_delivery_completes_its_run_and_says_what_is_waited_for(ambient: Any) -> None:
    key, version = ambient.put(b"a\n1\n", "flights-2013-07.parts/part-0000.csv")
    state = ingest("flights", key, version, return_state=True)
    assert (state.is_completed(), state.result().state) == (True, "waiting")
    assert str(state.message).startswith("'landing/flights/flights-2013-07.parts' is not whole. It waits until ")
    assert ambient.keys("landing/") == [key]


def say(bucket: str, word: Any) -> int:
    """Freeze, or end it; return the record's revision."""
    held = control.read(bucket, "flights")
    return control.write(bucket, held, word(held.record, Actor("ada", datetime.now(UTC)), "a test")).record.revision
