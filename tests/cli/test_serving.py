"""Commands about what serves, against real functions: the endpoint's own answer is what is printed."""

import json
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from cli.endpoint import predict
from flows.following import Work
from flows.release import carry_out
from lifecycle import bundle
from lifecycle.control import Actor
from lifecycle.errors import ReleaseError
from lifecycle.settings import Settings
from tasks import clients, endpoint
from tasks.step import directly
from tests.cli.conftest import NOW, Run, World, account, empty_root
from tests.conftest import Aws
from tests.release.conftest import House, code, register, write_bundle

pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
ROWS = json.dumps([{"distance": 2800.0}, {"distance": 150.0}])


@dataclass(frozen=True)
class Serving:
    """An account in which models 1 and 2 were released, by the flows' own code, on functions that really run."""

    world: World
    house: House


class Heard(BaseHTTPRequestHandler):
    """Prefect's API as far as an event needs it: POST /api/events is accepted, everything else is unknown."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204 if self.path == "/api/events" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def released(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Model 2 serves after model 1; a second product has an endpoint without a model."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ThreadingHTTPServer(("127.0.0.1", 0), Heard) as prefect,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "The ``noload`` loader", DeprecationWarning)
        root = empty_root(tmp_path_factory.mktemp("serving"), patch)
        world = account(aws, root, patch)
        patch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{prefect.server_port}/api")
        threading.Thread(target=prefect.serve_forever, daemon=True).start()
        house = House(Settings(), aws, "parcels")
        mould(house.settings)
        with temporary_settings({PREFECT_API_URL: os.environ["PREFECT_API_URL"]}):
            endpoint.ensure_endpoint(house.settings, "letters")
            for version, champion in (("1", None), ("2", "1")):
                write_bundle(root / version, int(version), "parcels")
                assert register(house, root / version, champion=champion) == version
                by = Actor("release", NOW, "model.challenged")
                assert carry_out(Work(directly, house.settings, "parcels", by), version).state == "promoted"
            yield Serving(world, house)
        prefect.shutdown()


def mould(settings: Settings) -> None:
    clients.sns().create_topic(Name=f"{settings.function_prefix}-alarms")
    clients.lambda_client().create_function(
        FunctionName=f"{settings.function_prefix}-predict",
        Role="arn:aws:iam::000000000000:role/predict",
        Tags={
            "tropism:delivery-role": "arn:aws:iam::000000000000:role/delivery",
            "tropism:subscription-role": "arn:aws:iam::000000000000:role/subscription",
        },
        Runtime="provided.al2023",
        Handler="functions.predict.entry.handler",
        MemorySize=512,
        Timeout=20,
        Code={"ZipFile": code()},
    )


@pytest.fixture
def astray(released: Serving) -> Iterator[Serving]:
    """Somebody pointed the alias back to model 1 by hand."""
    before = endpoint.move_alias(released.house.function, "2")
    yield released
    endpoint.move_alias(released.house.function, before.function_version)


def test_status_of_a_product_is_exactly_the_documented_object(run: Run, released: Serving) -> None:
    released.world.delivered("a.csv")
    world = released.world
    for key in ("landing/parcels/b.csv", "landing/parcels/_SUCCESS", "validated/parcels/ab/manifest.json"):
        world.aws.s3.put_object(Bucket=world.bucket, Key=key, Body=b"")
    for key in ("quarantine/parcels/ab/rows.parquet", "quarantine/parcels/cd/original"):
        world.aws.s3.put_object(Bucket=world.bucket, Key=key, Body=b"")
    found = run("status", "parcels", "--json").json
    assert found["champion"]["reason"].startswith("Model 2 may replace model 1. better: found 0.02")
    assert "requests in the last" in found["champion"]["reason"]  # nobody asked, so nothing was compared
    assert found == {
        "product": "parcels",
        "champion": {
            "version": "2",
            "bundle": bundle.load(world.root / "2").digest,
            "since": found["champion"]["since"],
            "reason": found["champion"]["reason"],
        },
        "challenger": None,
        "weight": 0.0,
        "release": None,
        "endpoint": {"url": str(endpoint.serving(released.house.settings, "parcels").url), "version": "2"},  # type: ignore[union-attr]
        "batches": {"landing": 1, "validated": 1, "quarantined": 1},
        "report": None,
        "frozen": False,
        "freeze": None,
        "waiting": [],
    }


@pytest.mark.usefixtures("astray")
def test_status_tells_loudly_when_the_endpoint_disagrees(run: Run) -> None:
    found = run("status", "parcels")
    assert "The endpoint of parcels answers as model 1, the control record says model 2." in found.err


@pytest.mark.usefixtures("released")
def test_a_prediction_is_exactly_the_documented_object(run: Run) -> None:
    found = run("predict", "parcels", "--rows", ROWS, "--json").json
    assert list(found) == ["predictions", "model_version", "prediction_ids"]
    assert found["model_version"] == "2"
    assert found["predictions"][0] > 0.5 > found["predictions"][1]
    assert len(set(found["prediction_ids"])) == 2


@pytest.mark.usefixtures("released")
def test_an_explanation_is_drawn_with_the_strongest_contribution_first(run: Run) -> None:
    found = run("predict", "parcels", "--rows", '{"distance": 2800.0}', "--explain")
    assert "model version  2" in found.out
    assert "raises ████████████████████████" in found.out
    shape = run("predict", "parcels", "--rows", '{"distance": 2800.0}', "--explain", "--json").json
    assert list(shape["explanations"][0]) == ["base", "contributions"]


def test_without_rows_the_products_own_sample_is_asked(run: Run, released: Serving) -> None:
    sample = {"dataframe_split": {"columns": ["distance"], "data": [[2000.0]]}}
    (released.world.root / "products" / "parcels" / "sample" / "request.json").write_text(json.dumps(sample))
    assert len(run("predict", "parcels", "--json").json["predictions"]) == 1


@pytest.mark.usefixtures("released")
def test_rows_the_endpoint_refuses_are_a_usage_error_in_its_own_words(run: Run) -> None:
    found = run("predict", "parcels", "--rows", '[{"distanse": 1.0}]')
    assert found.code == 2
    assert "The endpoint refuses these rows. It answered 400:" in found.err
    assert "'distance'" in found.err


@pytest.mark.usefixtures("world")
def test_before_there_is_an_endpoint_a_prediction_says_that_nothing_serves(run: Run) -> None:
    found = run("predict", "parcels", "--rows", ROWS)
    assert found.code == 14
    assert "Nothing serves parcels yet. It has no endpoint. Bring data: `tropism drop parcels FILE" in found.err


def test_an_endpoint_without_a_model_says_so_itself(released: Serving) -> None:
    with pytest.raises(ReleaseError, match=r"Nothing serves letters yet\. It answered 503:"):
        predict(released.house.settings, "letters", {"dataframe_records": [{"distance": 1.0}]})


@pytest.mark.usefixtures("released")
def test_models_lists_each_version_with_its_verdict_and_role(run: Run) -> None:
    found = run("models", "parcels", "--json").json
    assert [(one["version"], one["verdict"], one["role"]) for one in found] == [
        ("2", "promote", "champion"),
        ("1", "promote", "previous"),
    ]
    assert found[0]["reasons"] == ["better: found 0.02, expected at least 0.005."]
    assert "champion" in run("models", "parcels").out


@pytest.mark.usefixtures("released")
def test_models_says_what_is_still_published_and_what_the_sweep_would_delete(run: Run) -> None:
    found = run("models", "parcels", "--json").json
    listed = run("models", "parcels", "--published", "--json").json
    carried = [number for one in found for number in one["function_versions"]]
    assert [one["function_version"] for one in listed] == [*carried, "1"]  # the first carries no model
    assert [one["reason"] for one in listed] == [
        "champion, model 2",
        "previous, model 1",
        "answers when no model does",
    ]
    assert not any(one["prune"] for one in listed)
    assert "stays" in run("models", "parcels", "--published").out


@pytest.mark.usefixtures("released")
def test_a_rollback_to_a_model_that_never_served_changes_nothing(run: Run) -> None:
    found = run("rollback", "parcels", "--to", "9", "--reason", "why not")
    assert found.code == 14
    assert "Model 9 never served parcels. Models that served: 1, 2; name one with `--to`." in found.err
    assert run("status", "parcels", "--json").json["endpoint"]["version"] == "2"


@pytest.mark.usefixtures("world")
def test_a_rollback_without_a_reason_is_refused(run: Run) -> None:
    assert run("rollback", "parcels", "--reason", " ").code == 2


@pytest.mark.usefixtures("released")
def test_verify_holds_when_everything_says_the_same(run: Run) -> None:
    found = {one["check"]: one["ok"] for one in run("verify", "parcels", "--json").json}
    sound = ["product parcels", "ledger", "endpoint", "function alias", "MLflow alias", "bundle"]
    assert found == {**dict.fromkeys(sound, True), "suites of parcels": False}  # this product has none


@pytest.mark.usefixtures("astray")
def test_verify_names_what_is_off_and_what_was_expected(run: Run) -> None:
    found = run("verify", "parcels", "--json")
    off = {one["check"]: (one["found"], one["expected"]) for one in found.json if not one["ok"]}
    assert found.code == 1
    assert off["endpoint"] == ("model 1", "model 2")
    assert off["function alias"] == ("function version 2", "function version 3")
    assert sorted(off) == ["endpoint", "function alias", "suites of parcels"]


def test_status_without_a_product_lists_products_and_services(run: Run, world: World) -> None:
    found = run("status", "--json")
    assert list(found.json) == ["products", "services"]
    assert [one["product"] for one in found.json["products"]] == ["parcels"]
    assert found.json["services"] == {
        "prefect": {"api": "http://127.0.0.1:9/api", "ui": "http://127.0.0.1:9"},
        "mlflow": {"uri": f"sqlite:///{world.root / 'mlflow.db'}", "ui": None},
        "aws": {"endpoint": world.aws.endpoint},
    }
    assert "Prefect at http://127.0.0.1:9/api does not answer as it should." in found.err


@pytest.mark.usefixtures("released")
def test_a_rollback_is_proven_at_the_endpoint_and_signed_by_the_user(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    found = run("rollback", "parcels", "--reason", "too many alarms", "--json").json
    assert found == {
        "product": "parcels",
        "from": "2",
        "to": "1",
        "function_version": "2",
        "endpoint": "1",
        "reason": "too many alarms",
        "pending": [],
    }
    assert run("status", "parcels", "--json").json["endpoint"]["version"] == "1"
    last = run("history", "parcels", "--json").json[-1]
    assert (last["action"], last["actor"], last["reason"]) == ("roll_back", "ada", "too many alarms")
