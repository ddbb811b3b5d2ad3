"""What the function answers, as Lambda calls it: bodies, statuses, headers, the log line."""

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.predict import handler as entry
from lifecycle import bundle
from lifecycle.bundle import load
from lifecycle.columns import is_missing
from lifecycle.features import fit
from lifecycle.serving import FILE, Serving

REQUEST = "11111111-2222-3333-4444-555555555555"
ROW = {"amount": 9000.0, "income": 30000.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01T05:00:00"}

NOT_BODIES: list[Any] = [{}, [], None, "x", 1]


def records(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"dataframe_records": list(rows)}


def test_an_answer_has_predictions_version_and_one_id_per_row(loans: Any, ask: Any) -> None:
    answer = ask(loans.root, records(ROW, ROW | {"purpose": "home"}))
    assert answer.status == 200
    assert answer.body.keys() == {"predictions", "model_version", "prediction_ids"}
    assert answer.body["model_version"] == "3"
    assert answer.body["prediction_ids"] == [f"{REQUEST}-0", f"{REQUEST}-1"]
    assert len(answer.body["predictions"]) == 2


def test_serving_answers_exactly_what_training_computed(any_task: Any, ask: Any) -> None:
    names = [column.name for column in any_task.contract.columns]
    columns = {name: plain(any_task.columns[name][:200]) for name in names}
    answer = ask(any_task.root, {"inputs": columns})
    matrix = any_task.features.transform({name: values[:200] for name, values in any_task.columns.items()})
    assert answer.status == 200
    assert answer.body["predictions"] == any_task.booster.inplace_predict(matrix, validate_features=False).tolist()


def plain(values: Any) -> list[Any]:
    """A training column as JSON would carry it."""
    if values.dtype.kind == "M":
        return [str(value) for value in values]
    return [None if is_missing(value) else value for value in values.tolist()]


def test_every_answer_carries_the_versions_and_the_request_id(loans: Any, ask: Any, tmp_path: Path) -> None:
    named = {"x-model-version": "3", "x-function-version": "7", "x-request-id": REQUEST}
    for answer in (ask(loans.root, records(ROW)), ask(loans.root, "no json"), ask(loans.root, None, "/ping", "GET")):
        assert named.items() <= answer.headers.items()
        assert answer.headers["x-engine"].startswith("libxgboost/")
        assert answer.headers["content-type"] == "application/json"
    empty = ask(tmp_path, records(ROW))
    assert (named | {"x-model-version": "none", "x-engine": "none"}).items() <= empty.headers.items()


def test_explanations_add_up_to_the_margin(loans: Any, ask: Any) -> None:
    answer = ask(loans.root, {**records(ROW), "params": {"explain": True}})
    (explanation,) = answer.body["explanations"]
    assert list(explanation["contributions"]) == ["amount", "income", "new", "hour", "share", "purpose"]
    margin = explanation["base"] + sum(explanation["contributions"].values())
    assert 1 / (1 + np.exp(-margin)) == pytest.approx(answer.body["predictions"][0], abs=1e-6)


def test_explanations_of_several_classes_name_each_class(any_task: Any, ask: Any) -> None:
    (explanation,) = ask(any_task.root, {**records(ROW), "params": {"explain": True}}).body["explanations"]
    if any_task.contract.task.kind == "multiclass":
        assert list(explanation["classes"]) == ["a", "b", "c"]
    else:
        assert explanation.keys() == {"base", "contributions"}


def test_explanations_are_capped_by_the_contract(loans: Any, ask: Any) -> None:
    answer = ask(loans.root, {**records(*[ROW] * 21), "params": {"explain": True}})
    assert (answer.status, answer.body["reason"]) == (413, "too_many_rows")
    assert answer.body["message"] == "There are 21 rows; with explain one request carries 1 to 20."


def test_unseen_categories_extra_columns_and_unknown_params_are_answered_and_counted(loans: Any, ask: Any) -> None:
    body = {**records(ROW | {"purpose": "yacht", "colour": "red"}, ROW), "params": {"explian": True}}
    answer = ask(loans.root, body)
    assert answer.status == 200
    assert answer.body["violations"] == {"unseen": {"purpose": 1}, "extra_columns": 1, "ignored_params": 1}
    missing = ask(loans.root, records(ROW | {"purpose": None}))
    assert answer.body["predictions"][0] == missing.body["predictions"][0]
    assert "violations" not in missing.body


def test_an_optional_column_may_be_absent_and_counts_as_missing(loans: Any, ask: Any) -> None:
    short = {name: value for name, value in ROW.items() if name != "at"}
    assert ask(loans.root, records(short)).body["predictions"] == ask(loans.root, records(ROW)).body["predictions"]


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        (
            {"amuont": 1.0},
            "missing_column",
            "1 required column is missing: 'amount'. You sent 'amuont'; did you mean 'amount'?",
        ),
        ({"amount": "secret"}, "wrong_type", "Column 'amount', row 1: expected a number, found a string."),
        ({"amount": True}, "wrong_type", "Column 'amount', row 1: expected a number, found true or false."),
        ({"new": 1}, "wrong_type", "Column 'new', row 1: expected true or false, found a number."),
        ({"purpose": 7}, "wrong_type", "Column 'purpose', row 1: expected a string, found a number."),
        ({"sched": 915.5}, "wrong_type", "Column 'sched', row 1: expected a whole number, found a fraction."),
        ({"sched": None}, "missing_value", "Column 'sched', row 1: expected a whole number, found nothing."),
        ({"at": "noon"}, "wrong_type", "Column 'at', row 1: expected an ISO 8601 date, found other text."),
        (
            {"purpose": "x" * 300},
            "string_too_long",
            "Column 'purpose', row 1: expected at most 256 characters, found 300.",
        ),
        ({"income": 0.0}, "not_finite", "The feature 'share' is infinite in row 1."),
    ],
)
def test_a_broken_row_is_refused_with_one_exact_sentence(
    row: dict[str, Any], reason: str, message: str, loans: Any, ask: Any
) -> None:
    good = ROW if reason != "missing_column" else {k: v for k, v in ROW.items() if k != "amount"}
    answer = ask(loans.root, records(good, good | row))
    assert answer.status == 400
    assert answer.body == {"error_code": "BAD_REQUEST", "reason": reason, "message": message, "error": message}


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "1e999", "1e39"])
def test_infinity_is_refused(number: str, numeric: Any, ask: Any) -> None:
    answer = ask(numeric.root, f'{{"inputs": {{"amount": [{number}], "income": [1.0], "term": [36]}}}}')
    assert (answer.status, answer.body["reason"]) == (400, "not_finite")


def test_a_misspelt_format_is_named(loans: Any, ask: Any) -> None:
    assert ask(loans.root, {"dataframe_record": [ROW]}).body["message"] == (
        "The body must hold exactly one of dataframe_split, dataframe_records, instances, inputs; "
        "found none. Did you mean 'dataframe_records'?"
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/invocations", 405),
        ("POST", "/ping", 405),
        ("HEAD", "/ping", 405),
        ("GET", "/", 404),
        ("POST", "/invocation", 404),
        ("GET", "/v2/models/loans/versions", 404),
        ("GET", "/v2/models/other", 404),
        ("POST", "/v2/models/loans/versions/4/infer", 404),
        ("GET", "/v2/models/loans/infer", 405),
    ],
)
def test_a_path_or_method_that_is_not_there_is_a_404_or_405(
    method: str, path: str, status: int, loans: Any, ask: Any
) -> None:
    answer = ask(loans.root, None, path, method)
    assert answer.status == status
    assert (answer.headers.get("allow") in {"GET", "POST"}) == (status == 405)


def test_a_body_of_another_type_or_encoding_or_size_is_refused(loans: Any, ask: Any) -> None:
    assert ask(loans.root, "a,b", content_type="text/csv").status == 415
    assert ask(loans.root, records(ROW), content_encoding="gzip").status == 415
    assert ask(loans.root, records(ROW), content_type="application/json; charset=UTF-8").status == 200
    huge = ask(loans.root, '{"x": "' + "a" * (6 * 1024 * 1024) + '"}')
    assert (huge.status, huge.body["reason"]) == (413, "body_too_large")


def test_a_base64_body_is_read_and_a_broken_one_refused(loans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(loans.root))
    text = base64.b64encode(json.dumps(records(ROW)).encode()).decode()
    for body, status in ((text, 200), ("%%%", 400)):
        event = {
            "rawPath": "/invocations",
            "requestContext": {"http": {"method": "POST"}},
            "headers": {"Content-Type": "application/json"},
            "isBase64Encoded": True,
            "body": body,
        }
        assert entry.handler(event, None)["statusCode"] == status


def test_a_direct_invoke_takes_the_body_as_its_event(loans: Any, ask: Any) -> None:
    over_http = ask(loans.root, records(ROW))
    direct = entry.handler(records(ROW), None)
    assert direct["predictions"] == over_http.body["predictions"]
    assert (direct["status"], direct["model_version"], direct["function_version"]) == (200, "3", "local")
    assert direct["prediction_ids"] == [f"{direct['request_id']}-0"]
    assert [entry.handler(event, None)["status"] for event in NOT_BODIES] == [400] * 5


def test_before_any_champion_the_answer_is_503_and_says_what_to_run(tmp_path: Path, ask: Any) -> None:
    for method, path in (("POST", "/invocations"), ("GET", "/ping"), ("GET", "/health"), ("GET", "/v2/health/ready")):
        answer = ask(tmp_path, records(ROW) if method == "POST" else None, path, method)
        assert (answer.status, answer.body["reason"]) == (503, "no_champion")
        assert "`tropism drop PRODUCT FILE`" in answer.body["message"]
    assert ask(tmp_path, None, "/v2/health/live", "GET").status == 200
    assert ask(tmp_path, None, "/nowhere", "GET").status == 404


@pytest.mark.parametrize("name", ["model.ubj", "features.json", "features.py", "contract.json", "manifest.json"])
def test_a_tampered_bundle_answers_503_with_the_reason(name: str, loans: Any, ask: Any, tmp_path: Path) -> None:
    shutil.copytree(loans.root, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "bundle" / name
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    answer = ask(tmp_path, records(ROW))
    assert (answer.status, answer.body["reason"]) == (503, "bundle_refused")
    assert name in answer.body["message"]
    assert ask(tmp_path, None, "/ping", "GET").status == 503


@pytest.mark.parametrize("text", [None, "{", '{"format": 1}', Serving().to_json().replace("full", "some")])
def test_a_version_that_does_not_say_how_to_serve_answers_503(
    text: str | None, loans: Any, ask: Any, tmp_path: Path
) -> None:
    """Guessing `full` would tell what a product keeps to itself."""
    shutil.copytree(loans.root, tmp_path, dirs_exist_ok=True)
    (tmp_path / FILE).unlink() if text is None else (tmp_path / FILE).write_text(text)
    answer = ask(tmp_path, records(ROW))
    assert (answer.status, answer.body["reason"]) == (503, "serving_refused")
    assert FILE in answer.body["message"]


def test_an_internal_fault_is_a_500_with_the_request_id_and_no_internals(
    loans: Any, ask: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fault: a hook that breaks on one value, as a product's own code may."""
    broken_hook(loans, tmp_path)
    answer = ask(tmp_path, records(ROW | {"sched": 1313}))
    assert answer.status == 500
    assert answer.body["message"] == f"An internal fault. Quote the request id {REQUEST} when you report it."
    fault, record = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (fault["event"], fault["request_id"], fault["error"]) == ("request.failed", REQUEST, "HookError")
    assert "1313" not in json.dumps(fault | {"at": 0})
    assert (record["event"], record["status"], record["reason"]) == ("prediction.answered", 500, "internal")
    assert ask(tmp_path, records(ROW)).status == 200


def broken_hook(loans: Any, root: Path) -> None:
    good = load(loans.root / "bundle")
    source = (good.features.spec.hook or "") + (
        "\n_derive = derive\n"
        "def derive(columns):\n"
        "    if 1313 in columns['sched']:\n"
        "        raise RuntimeError(f'cannot read {columns}')\n"
        "    return _derive(columns)\n"
    )
    columns = {name: values[:50] for name, values in loans.columns.items()}
    features = fit(replace(good.features.spec, hook=source), columns)
    draft = bundle.Draft(good.model, features, good.contract, good.reference, good.manifest.lineage)
    bundle.write(root / "bundle", draft)
    (root / FILE).write_text(Serving().to_json())


def test_version_tells_what_is_served(loans: Any, ask: Any) -> None:
    answer = ask(loans.root, None, "/version", "GET")
    assert answer.body | {"engine": ""} == {
        "product": "loans",
        "model_version": "3",
        "bundle": load(loans.root / "bundle").digest,
        "function_version": "7",
        "engine": "",
    }
