"""The prediction record: one line per request whatever became of it, and the same rows again when read back."""

import json
import math
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from functions.predict import handler as entry
from functions.predict.engine import LibraryEngine
from functions.predict.record import LONGEST, Record, Scored
from lifecycle import smoke
from lifecycle.bundle import load
from lifecycle.predictions import merge, read
from lifecycle.serving import FILE, Serving

REQUEST = "11111111-2222-3333-4444-555555555555"
ROW = {"amount": 9000.0, "income": 30000.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01T05:00:00"}


def records(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"dataframe_records": list(rows), **more}


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """The lines written since the last look, read strictly: NaN is no JSON."""

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    return lambda: [json.loads(line, parse_constant=refuse) for line in capsys.readouterr().out.splitlines()]


def digest(columns: list[str], rows: list[Any]) -> str:
    return sha256(json.dumps([columns, rows], separators=(",", ":")).encode()).hexdigest()


def test_an_answered_request_is_one_record_with_everything_it_was_made_of(loans: Any, ask: Any, lines: Any) -> None:
    answer = ask(loans.root, records(ROW | {"purpose": "yacht", "colour": "red"}, ROW))
    (record,) = lines()
    rows = [[*list(ROW.values())], [*list(ROW.values())]]
    rows[0][4] = "yacht"
    assert record | {"at": 0, "latency_ms": 0, "engine": 0} == {
        "event": "prediction.answered",
        "at": 0,
        "request_id": REQUEST,
        "product": "loans",
        "model_version": "3",
        "bundle": load(loans.root / "bundle").digest,
        "function_version": "7",
        "engine": 0,
        "method": "POST",
        "path": "/invocations",
        "direct": False,
        "synthetic": False,
        "status": 200,
        "reason": None,
        "first_row": 0,
        "rows": 2,
        "columns": list(ROW),
        "features": rows,
        "features_sha256": digest(list(ROW), rows),
        "scores": answer.body["predictions"],
        "violations": {"unseen": {"purpose": 1}, "extra_columns": 1},
        "latency_ms": 0,
        "cold": True,
        "unit": None,
        "experiment": None,
        "arm": None,
        "shadow": None,
        "part": 1,
        "parts": 1,
    }
    assert record["latency_ms"] > 0


def test_what_a_caller_sends_beside_the_declared_columns_is_never_told(loans: Any, ask: Any, lines: Any) -> None:
    ask(loans.root, records(ROW | {"social_security": "078-05-1120"}))
    assert "078-05-1120" not in json.dumps(lines())


def test_by_policy_only_the_digest_of_the_rows_is_told(loans: Any, ask: Any, lines: Any, tmp_path: Path) -> None:
    root = other_serving(loans.root, tmp_path, Serving("digest"))
    ask(loans.root, records(ROW))
    ask(root, records(ROW))
    full, secret = lines()
    assert full["features"] == [list(ROW.values())]
    assert secret["features"] is None
    assert "30000" not in json.dumps(secret)
    assert secret["features_sha256"] == full["features_sha256"]
    assert secret["scores"] == full["scores"]


def other_serving(root: Path, folder: Path, serving: Serving) -> Path:
    (folder / "bundle").symlink_to(root / "bundle")
    (folder / FILE).write_text(serving.to_json())
    return folder


def test_a_refused_request_is_a_record_with_the_reason_and_no_values(loans: Any, ask: Any, lines: Any) -> None:
    ask(loans.root, records(ROW, ROW | {"amount": "secret"}))
    ask(loans.root, '{"dataframe_records": "secret"}')
    ask(loans.root, "secret", content_type="text/csv")
    ask(loans.root, None, "/secretly/" + "x" * 500)
    found = lines()
    told = [(one["status"], one["reason"], one["rows"]) for one in found]
    assert told == [(400, "wrong_type", 2), (400, "malformed", 0), (415, "content_type", 0), (404, "path", 0)]
    assert {(one["scores"], one["features"], one["features_sha256"], one["columns"]) for one in found} == {(None,) * 4}
    assert '"secret"' not in json.dumps(found)
    assert len(found[3]["path"]) == 200
    assert {one["model_version"] for one in found} == {"3"}


def test_before_any_champion_a_request_is_a_record_too(ask: Any, lines: Any, tmp_path: Path) -> None:
    ask(tmp_path, records(ROW))
    (record,) = lines()
    assert (record["status"], record["reason"], record["model_version"]) == (503, "no_champion", "none")
    assert (record["bundle"], record["product"], record["engine"]) == (None, None, "none")


def test_an_event_that_is_no_request_is_a_record_too(loans: Any, ask: Any, lines: Any) -> None:
    ask(loans.root, records(ROW))
    entry.handler({"requestContext": {"http": None}}, None)
    assert [(one["status"], one["method"]) for one in lines()] == [(200, "POST"), (400, None)]


@pytest.mark.parametrize("marker", [{"synthetic": True}, {"synthetic": False}, {}])
def test_a_request_that_says_so_is_synthetic_in_both_protocols(
    marker: dict[str, bool], numeric: Any, ask: Any, lines: Any
) -> None:
    columns = {"amount": [1.0], "income": [2.0], "term": [36]}
    ask(numeric.root, {"inputs": columns, "params": marker})
    tensors = [{"name": name, "shape": [1], "datatype": "FP64", "data": data} for name, data in columns.items()]
    ask(numeric.root, {"inputs": tensors, "parameters": marker}, "/v2/models/loans/infer")
    ask(numeric.root, {"inputs": {}, "params": marker})
    found = lines()
    assert [one["status"] for one in found] == [200, 200, 400]
    assert [one["synthetic"] for one in found] == [bool(marker.get("synthetic"))] * 3


def test_the_first_question_of_a_new_version_is_synthetic(loans: Any, ask: Any, lines: Any) -> None:
    ask(loans.root, smoke.request(loans.contract))
    assert [(one["status"], one["synthetic"]) for one in lines()] == [(200, True)]


@pytest.mark.parametrize("params", [{"synthetic": "yes"}, {"synthetic": 1}, {"unit": True}, {"unit": ""}, {"unit": {}}])
def test_a_parameter_of_another_kind_is_refused_not_guessed(params: Any, loans: Any, ask: Any, lines: Any) -> None:
    answer = ask(loans.root, records(ROW, params=params))
    assert (answer.status, answer.body["reason"]) == (400, "malformed")
    assert f"params.{next(iter(params))}" in answer.body["message"]
    assert lines()[0]["synthetic"] is False


def test_a_direct_invoke_says_so(loans: Any, ask: Any, lines: Any) -> None:
    ask(loans.root, records(ROW))
    entry.handler(records(ROW), None)
    assert [one["direct"] for one in lines()] == [False, True]


def test_missing_numbers_in_words_json_does_not_have_are_told_as_null(numeric: Any, ask: Any, lines: Any) -> None:
    """Python reads NaN; nobody else has to be able to read our log with it."""
    ask(numeric.root, '{"inputs": {"amount": [NaN, 5.5], "income": [1.0, NaN], "term": [36, 60]}}')
    (record,) = lines()
    assert (record["status"], record["features"]) == (200, [[None, 1.0, 36], [5.5, None, 60]])


def test_a_score_that_is_no_number_is_a_fault_of_its_own_name(
    numeric: Any, ask: Any, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: a model whose margin overflows."""
    predict = LibraryEngine.predict
    monkeypatch.setattr(LibraryEngine, "predict", lambda *given: predict(*given) * math.nan)
    answer = ask(numeric.root, {"inputs": {"amount": [1.0], "income": [2.0], "term": [36]}})
    assert (answer.status, answer.body["reason"]) == (500, "score_not_finite")
    fault, record = lines()
    assert (fault["event"], fault["error"]) == ("request.failed", "ScoreError")
    assert (record["status"], record["reason"], record["scores"]) == (500, "score_not_finite", None)


def test_a_bulk_request_is_told_in_parts_that_make_the_request_again(
    loans: Any, ask: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [ROW | {"amount": 1e4 / (row + 1), "purpose": "p" * (row % 250)} for row in range(1000)]
    answer = ask(loans.root, records(*rows))
    told = capsys.readouterr().out.splitlines()
    found = [json.loads(line) for line in told]
    assert len(found) == 3
    assert [score for one in found for score in one["scores"]] == answer.body["predictions"]
    assert [value for one in found for value in one["features"]] == [list(row.values()) for row in rows]
    assert_parts(found, told)


def test_parts_are_filled_in_order_and_an_enormous_row_stands_alone() -> None:
    sizes = [10, 30_000, 30_000, 30_000, 150_000, 60_000, 60_000]
    record = Record("r", "7", status=200, rows=len(sizes), columns=["text"], told=True, scores=[0.5] * len(sizes))
    record.asked = [("x" * size,) for size in sizes]
    record.shadow = Scored("2", "b", [[0.25, 0.75]] * len(sizes), 1.0)
    told = list(record.lines())
    found = [json.loads(line) for line in told]
    assert [one["rows"] for one in found] == [4, 1, 1, 1]
    assert [len(one["shadow"]["scores"]) for one in found] == [4, 1, 1, 1]
    assert_parts(found, [line for line in told if len(line) < 150_000])


def test_a_product_that_keeps_digests_only_needs_fewer_parts() -> None:
    rows = [("x" * 1_000,)] * 150
    record = Record("r", "7", rows=150, columns=["text"], told=False, asked=rows, scores=[0.5] * 150)
    assert len(list(record.lines())) == 1
    record.told = True
    assert len(list(record.lines())) == 2


def assert_parts(found: list[dict[str, Any]], told: list[str]) -> None:
    assert all(len(line) <= LONGEST for line in told)
    assert [(one["part"], one["parts"]) for one in found] == [(n + 1, len(found)) for n in range(len(found))]
    assert [one["first_row"] for one in found] == [sum(o["rows"] for o in found[:n]) for n in range(len(found))]
    assert all(len(one["features"]) == len(one["scores"]) == one["rows"] for one in found)
    assert all(one["features_sha256"] == digest(one["columns"], one["features"]) for one in found)
    whole = merge(record for one in found if (record := read(json.dumps(one).encode())))
    assert whole is not None
    assert whole.rows == sum(one["rows"] for one in found)


def test_a_record_that_cannot_be_made_costs_nobody_the_answer(
    loans: Any, ask: Any, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Record) -> Any:
        raise MemoryError

    monkeypatch.setattr(Record, "lines", broken)
    assert ask(loans.root, records(ROW)).status == 200
    (line,) = lines()
    assert (line["event"], line["request_id"], line["error"]) == ("record.failed", REQUEST, "MemoryError")


def test_a_record_is_whole_before_the_answer_leaves(loans: Any, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime freezes the process once the answer is out: what was not flushed may never be."""
    events: list[str] = []

    class Out:
        def write(self, text: str) -> None:
            events.append("whole" if text.endswith("}\n") else "torn")

        def flush(self) -> None:
            events.append("flushed")

    monkeypatch.setattr("sys.stdout", Out())
    ask(loans.root, records(ROW))
    assert events == ["whole", "flushed"]
