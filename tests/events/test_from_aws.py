"""What AWS' messages mean: golden payloads with nasty keys, and any JSON at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.events import BatchLanded, Fired, Ignored, Landed, Lost, Refused, RunLost, delivery_id, from_aws

GOLDEN = Path(__file__).parent / "aws"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def golden(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def outcome(message: object) -> dict[str, Any]:
    """Write a meaning as the golden files do."""
    match from_aws(json.dumps(message)):
        case Landed(event):
            fields = ("product", "bucket", "key", "object_version", "etag", "size")
            kind = "landed" if isinstance(event, BatchLanded) else "labels"
            return {kind: {"id": str(event.id), **{name: getattr(event, name) for name in fields}}}
        case Lost(event):
            return {
                "lost": {"id": str(event.id)}
                | {name: getattr(event, name) for name in ("flow_run_id", "cause", "process")}
            }
        case Fired(event):
            told = ("product", "firing", "alarm", "function_version", "code", "reason")
            given = {name: getattr(event, name) for name in told if hasattr(event, name)}
            return {"fired": {"id": str(event.id)} | given}
        case Ignored(reason):
            return {"ignored": reason}
        case Refused(reason):
            return {"refused": reason}


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_each_golden_message_means_what_its_file_says(name: str) -> None:
    case = golden(name)

    assert outcome(case["message"]) == case["expected"]


def test_a_key_of_1024_bytes_is_taken_verbatim() -> None:
    assert len(golden("put_1024_bytes")["expected"]["landed"]["key"].encode()) == 1024


def test_the_same_name_with_new_bytes_is_another_delivery_and_the_same_object_twice_is_one() -> None:
    first, second = golden("put_plain"), golden("same_name_new_bytes")

    ids = [outcome(case["message"])["landed"]["id"] for case in (first, first, second)]

    assert ids[0] == ids[1] != ids[2]


def test_without_versions_the_etag_tells_deliveries_apart() -> None:
    unversioned = outcome(golden("unversioned_bucket")["message"])["landed"]
    suspended = outcome(golden("suspended_versioning")["message"])["landed"]

    assert unversioned == suspended
    assert unversioned["id"] == delivery_id("tropism-lake", "landing/flights/2013-01.csv", unversioned["etag"])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '"x"', "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    assert isinstance(from_aws(text), Refused)


@given(JSON)
def test_any_json_has_a_meaning(value: object) -> None:
    assert isinstance(from_aws(json.dumps(value)), Landed | Lost | Fired | Ignored | Refused)


@given(st.sampled_from(sorted(path.stem for path in GOLDEN.glob("*.json"))), st.data())
def test_a_golden_message_with_any_part_replaced_has_a_meaning(name: str, data: st.DataObject) -> None:
    message = golden(name)["message"]
    place = message
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)

    assert isinstance(from_aws(json.dumps(message)), Landed | Lost | Fired | Ignored | Refused)


@given(st.text(min_size=1), st.text(min_size=1), st.none() | st.text(min_size=1))
def test_the_same_object_is_the_same_event_and_its_id_is_the_delivery(key: str, etag: str, version: str | None) -> None:
    def landed() -> BatchLanded:
        return BatchLanded(product="p", bucket="b", key=key, object_version=version, etag=etag, size=1)

    assert landed().id == landed().id
    assert str(landed().id) == landed().delivery_id


def test_a_run_lost_twice_by_two_processes_is_two_events() -> None:
    first, second = (RunLost(product=None, flow_run_id="r", cause="c", process=process) for process in ("1", "2"))

    assert first.id != second.id
