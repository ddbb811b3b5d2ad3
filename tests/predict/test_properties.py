"""Whatever is sent, the caller gets an answer or is told what is wrong: never a 5xx."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.predict import handler as entry
from lifecycle.columns import is_missing

NAMES = ["amount", "income", "sched", "new", "purpose", "at"]
FORMATS = ["dataframe_split", "dataframe_records", "instances", "inputs"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(
        [1e39, -1e308, 10**400, "2013-01-01T00:00:00+01:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
ROWS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, SCALARS)), max_size=4)
SPLIT = st.fixed_dictionaries(
    {},
    optional={
        "columns": st.permutations(NAMES) | JSON,
        "data": st.lists(st.lists(SCALARS, min_size=6, max_size=6), max_size=3) | JSON,
        "index": JSON,
    },
)
BODIES = (
    JSON
    | st.builds(
        lambda name, data, params: {name: data, "params": params},
        st.sampled_from(FORMATS),
        ROWS | SPLIT | JSON,
        st.just({"explain": True}) | JSON,
    )
    | st.builds(lambda rows: {"inputs": {name: [row.get(name) for row in rows] for name in NAMES}}, ROWS)
)
TYPED_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.none() | st.floats() | st.integers(),
            "income": st.none() | st.floats(),
            "sched": st.integers() | st.integers(0, 2359),
            "new": st.none() | st.booleans(),
            "purpose": st.none() | st.text(max_size=10) | st.sampled_from(["car", "home", "edu"]),
        },
        optional={"at": st.none() | st.datetimes().map(lambda moment: moment.isoformat())},
    ),
    min_size=1,
    max_size=4,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(NAMES) | JSON,
        "shape": st.lists(st.integers(-2, 6), max_size=3) | JSON,
        "datatype": st.sampled_from(["FP64", "BYTES", "BOOL", "INT64"]) | JSON,
        "data": st.lists(SCALARS | st.lists(SCALARS, max_size=3), max_size=6) | JSON,
    },
)
BOUNDED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def served(loans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(loans.root))


def status(path: str, body: str, method: str = "POST") -> int:
    event = {
        "rawPath": path,
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": method}},
        "body": body,
    }
    answer = entry.handler(event, None)
    said = json.loads(str(answer["body"]), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    if answer["statusCode"] != 200:
        assert said.keys() == {"error_code", "reason", "message", "error"}
    return int(str(answer["statusCode"]))


@BOUNDED
@given(body=BODIES)
def test_any_json_gets_predictions_or_a_4xx(body: Any) -> None:
    assert status("/invocations", json.dumps(body)) in {200, 400, 413}


@BOUNDED
@given(rows=TYPED_ROWS, explain=st.booleans())
def test_rows_of_the_right_types_are_answered_unless_a_number_is_infinite(rows: Any, explain: Any) -> None:
    body = {"dataframe_records": rows, "params": {"explain": explain}}
    finite = all(abs(row[name]) < 1e38 for row in rows for name in ("amount", "income") if not is_missing(row[name]))
    divides = all(is_missing(row["income"]) or is_missing(row["amount"]) or abs(row["income"]) > 1 for row in rows)
    small = all(abs(row["sched"]) < 10**30 for row in rows)
    answered = status("/invocations", json.dumps(body))
    assert answered in ({200} if finite and divides and small else {200, 400})


@BOUNDED
@given(tensors=st.lists(TENSORS | JSON, max_size=6) | JSON, identity=JSON)
def test_any_tensors_get_predictions_or_a_4xx(tensors: Any, identity: Any) -> None:
    body = json.dumps({"inputs": tensors, "id": identity})
    assert status("/v2/models/loans/infer", body) in {200, 400, 413}


@BOUNDED
@given(body=st.text(max_size=200))
def test_any_text_gets_a_4xx(body: str) -> None:
    assert status("/invocations", body) == 400


@BOUNDED
@given(path=st.text(max_size=30), method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS", ""]))
def test_any_path_gets_an_answer(path: str, method: str) -> None:
    assert status("/" + path, "{}", method) in {200, 400, 404, 405}


@BOUNDED
@given(event=JSON)
def test_any_event_gets_an_answer_and_no_exception(event: Any) -> None:
    answer = entry.handler(event, None)
    assert answer.get("status", answer.get("statusCode")) in {200, 400, 404, 405, 413, 415}


@BOUNDED
@given(
    event=st.fixed_dictionaries(
        {
            "requestContext": st.fixed_dictionaries(
                {}, optional={"http": st.fixed_dictionaries({}, optional={"method": JSON, "path": JSON}) | JSON}
            )
        },
        optional={"rawPath": JSON, "headers": JSON, "body": JSON, "isBase64Encoded": JSON},
    )
)
def test_any_broken_http_event_gets_a_4xx(event: Any) -> None:
    assert entry.handler(event, None)["statusCode"] in {200, 400, 404, 405, 413, 415}
