"""Callers ask at a steady rate and count who answered; a request without an answer is counted, not asked again."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

from cli.callers import Callers, Tally, bodies
from cli.simulate import shares
from lifecycle import spec
from lifecycle.errors import UsageError
from tests.cli.conftest import PRODUCT_YAML

PARCELS = spec.parse(PRODUCT_YAML, source="product.yaml")


class Endpoint(BaseHTTPRequestHandler):
    """Two models answer in turns; a weight below zero fails."""

    asked: list[float] = []  # noqa: RUF012  # one test at a time looks at it
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        [[weight]] = [row[-1:] for row in body["dataframe_split"]["data"]]
        with self.lock:
            self.asked.append(weight)
            version = "1" if len(self.asked) % 2 else "2"
        self.send_response(500 if weight < 0 else 200)
        self.send_header("x-model-version", version)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Endpoint.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


def table(*weights: float | None) -> pa.Table:
    count = len(weights)
    return pa.table({"id": range(count), "at": ["2026-01-01"] * count, "weight": weights, "late": [False] * count})


def test_every_request_is_made_once_and_counted_by_who_answered(url: str) -> None:
    with Callers(url, bodies(PARCELS, table(1.0, 2.0)), per_second=500, limit=40) as asking:
        assert asking.wait(30)
    assert asking.tally == Tally({"1": 20, "2": 20}, 0)
    assert sorted(Endpoint.asked) == [1.0] * 20 + [2.0] * 20


def test_a_request_without_an_answer_is_counted_and_not_repeated(url: str) -> None:
    with Callers(url, bodies(PARCELS, table(-1.0)), per_second=500, limit=3) as asking:
        asking.wait()
    assert (asking.tally.failed, asking.tally.asked, len(Endpoint.asked)) == (3, 3, 3)


def test_nobody_there_is_a_request_without_an_answer() -> None:
    with Callers("http://127.0.0.1:9/", bodies(PARCELS, table(1.0)), per_second=500, limit=2) as asking:
        asking.wait()
    assert asking.tally == Tally({}, 2)


def test_leaving_ends_the_asking(url: str) -> None:
    with Callers(url, bodies(PARCELS, table(1.0)), per_second=200) as asking:
        while asking.tally.asked < 5:
            assert not asking.wait(0.01)
    assert asking.wait(0)
    assert asking.tally.asked == len(Endpoint.asked)


def test_a_missing_number_is_asked_for_as_missing() -> None:
    [body] = bodies(PARCELS, table(float("nan")))
    assert json.loads(body)["dataframe_split"]["data"][0][-1] is None


def test_rows_without_a_column_of_a_request_are_refused_by_its_name() -> None:
    with pytest.raises(UsageError, match="parcels needs other ones") as refused:
        bodies(PARCELS, table(1.0).drop_columns(["weight"]))
    assert "weight" in refused.value.detail


def test_a_tally_tells_what_came_after_an_earlier_one() -> None:
    assert Tally({"1": 9, "2": 4}, 2).since(Tally({"1": 9, "2": 1}, 1)) == Tally({"2": 3}, 1)


def test_the_shares_of_the_answers_are_told() -> None:
    assert shares(Tally({"10": 1, "9": 8}, 1)) == "model 9 8 (80%), model 10 1 (10%), 1 without an answer"
    assert shares(Tally({}, 0)) == "nobody asked"
