"""What `automations test` prints and how it ends."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Run

GOLDEN = ROOT / "tests" / "events" / "aws"


def test_a_landed_file_fires_one_automation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = run("automations", "test", "--event", GOLDEN / "put_plain.json", "--json")

    assert found.code == 0
    assert (found.json["event"], found.json["resource"]) == ("batch.landed", "tropism.product.flights")
    fires = [one for one in found.json["automations"] if one["verdict"] == "fires"]
    assert [one["automation"] for one in fires] == ["ingest-on-batch-landed"]
    assert fires[0]["actions"][0]["values"]["key"] == "landing/flights/2013-01.csv"
    assert all(one["why"] for one in found.json["automations"] if one["verdict"] != "fires")


def test_none_that_fires_is_a_no_with_a_hint(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"event": "batch.landet", "resource": {"prefect.resource.id": "tropism.product.x"}}))
    found = run("automations", "test", "--event", file)

    assert found.code == 1
    assert "Did you mean 'batch.landed'?" in found.out
    assert "0 of " in found.out


def test_a_marker_is_kept_back_by_the_bridge(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = run("automations", "test", "--event", GOLDEN / "success_marker.json", "--json")

    assert (found.code, found.json["event"], found.json["automations"]) == (1, None, [])
    assert found.json["hint"].startswith("The bridge sends nothing: ")


def test_a_file_that_is_not_there_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = run("automations", "test", "--event", "nowhere.json")

    assert (found.code, "nowhere.json cannot be read." in found.err) == (2, True)
