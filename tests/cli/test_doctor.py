"""What doctor and up say where nothing, or only half of it, runs."""

from typing import Any

import pytest

from tests.cli.conftest import PRODUCT_YAML, Run, World
from tests.orchestrator import Prefect


@pytest.mark.usefixtures("root")
def test_a_machine_where_nothing_runs_is_told_to_start(run: Run) -> None:
    found = run("doctor", "--json")
    assert found.code == 1
    assert [list(one) for one in found.json] == [["check", "state", "found", "resolution"]] * len(found.json)
    local = next(one for one in found.json if one["check"] == "local cloud")
    assert (local["state"], "`tropism up`" in local["resolution"]) == ("missing", True)


def test_on_an_account_only_the_account_is_looked_at(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    found = {one["check"]: one for one in run("doctor", "--json").json}
    assert found["bucket"]["found"] == f"s3://{world.bucket} answers, versioned"
    assert found["Prefect"]["state"] == "missing"
    assert "does not answer as it should" in found["Prefect"]["found"]
    assert found["MLflow"]["found"] == "MLFLOW_TRACKING_URI is not set"
    assert found["product parcels"]["state"] == "ok"
    assert "no expectation suite 'parcels_raw'" in found["suites of parcels"]["found"]
    assert "uv" not in found


@pytest.mark.usefixtures("world")
def test_up_does_not_mix_with_an_account(run: Run) -> None:
    found = run("up")
    assert found.code == 2
    assert "TROPISM_BUCKET is set, so commands work on an account. Unset it for a local cloud." in found.err


@pytest.mark.usefixtures("root")
def test_down_where_nothing_is_is_done(run: Run) -> None:
    found = run("down")
    assert found.code == 0
    assert "Nothing ran: there is no local cloud in" in found.out


def notifications(run: Run) -> dict[str, Any]:
    return next(one for one in run("doctor", "--json").json if one["check"] == "notifications")


def test_who_is_told_of_a_breach_is_said(
    run: Run, world: World, prefect: Prefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock  # noqa: PLC0415  # seconds, for one test
    from prefect.blocks.system import Secret  # noqa: PLC0415

    def name(blocks: str) -> None:
        (world.root / "products" / "parcels" / "product.yaml").write_text(f"{PRODUCT_YAML}monitor: {blocks}\n")

    monkeypatch.setenv("PREFECT_API_URL", prefect.url)
    none = notifications(run)
    assert (none["state"], none["found"]) == ("notice", "none configured, so none is sent")
    assert "monitor.respond.notify" in none["resolution"]

    name("{respond: {notify: [custom-webhook/doctor, secret/doctor]}}")
    found = notifications(run)["found"]
    assert "custom-webhook/doctor of parcels is not among the blocks of Prefect" in found

    CustomWebhookNotificationBlock(name="ops", url="http://127.0.0.1:9/").save("doctor", overwrite=True)
    Secret(value="x").save("doctor", overwrite=True)
    wrong = notifications(run)
    assert (wrong["state"], wrong["found"]) == ("missing", "secret/doctor of parcels sends no messages")

    name("{respond: {notify: [custom-webhook/doctor]}}")
    right = notifications(run)
    assert (right["state"], right["found"]) == ("ok", "parcels tells custom-webhook/doctor")
