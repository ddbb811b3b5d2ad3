"""The demo: what it tells is what happened, every run has its cause, and it may be repeated."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Demo, Prefect, Tropism

pytestmark = [pytest.mark.localcloud, pytest.mark.faults]
PRODUCT = "flights"


def test_the_demo_tells_the_story_of_the_months(demo: Demo) -> None:
    said = {step: " ".join(lines) for step, lines in demo.told.items()}
    assert "27,004 of 27,004 rows" in said["January arrives"]
    assert "answers as model 1" in said["January arrives"]
    assert "24,949 of 24,951 rows" in said["February arrives, with a real defect in it"]
    assert "RANGE wind_speed" in said["February arrives, with a real defect in it"]
    assert "is quarantined" in said["A month arrives truncated"]
    assert "is validated" in said["The mended file arrives, while people ask"]
    assert "duplicate" in said["The same file once more"].lower() or "same bytes" in said["The same file once more"]
    assert "now answers as model" in said["A step back"]


def test_no_run_of_the_demo_was_started_by_hand(demo: Demo, prefect: Prefect) -> None:
    runs = {flow: prefect.runs(flow, since=demo.since) for flow in ("ingest", "train", "release")}
    looks = [run for run in runs["release"] if str(run["idempotency_key"]).startswith("tick/")]
    causes = {
        flow: {(run["created_by"] or {}).get("type") for run in found if run not in looks}
        for flow, found in runs.items()
    }
    assert causes == {"ingest": {"AUTOMATION"}, "train": {"AUTOMATION"}, "release": {"AUTOMATION"}}
    assert len(looks) >= 3  # a release in steps looks again by itself


def test_a_release_under_traffic_goes_in_steps_and_no_request_fails(demo: Demo, tropism: Tropism) -> None:
    told = demo.told["The mended file arrives, while people ask"]
    assert any(line.startswith("Meanwhile ") and "without an answer" not in line for line in told)
    moves = [entry for entry in tropism("history", PRODUCT, "--json").json if entry["action"] in ("step", "promote")]
    version = next(entry["to"] for entry in moves if entry["action"] == "step")
    weights = [(entry["action"], entry["evidence"].get("weight")) for entry in moves if entry["to"] == version]
    assert weights == [("step", 0.1), ("step", 0.5), ("step", 1.0), ("promote", 1.0)]


def test_a_second_demo_succeeds_and_trains_on_nothing_twice(demo: Demo, tropism: Tropism, prefect: Prefect) -> None:
    trained = len(prefect.runs("train"))
    ran = tropism("demo", "--json", timeout=900)
    assert ran.code == 0, ran.err
    assert len(prefect.runs("train")) == trained + 1  # the month that was damaged, and no other
    said = {step["step"]: " ".join(step["outcome"]) for step in ran.json}
    assert "same bytes" in said["January arrives"]
