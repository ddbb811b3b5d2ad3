"""A delivery of several files: what its manifest may say, when it is whole, and which batch it makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from lifecycle.batch import Limits, Reason, codes
from lifecycle.keys import parts_folder, place_of
from lifecycle.parts import (
    Lacking,
    Part,
    PartsManifest,
    Whole,
    assemble,
    at_hand,
    deadline,
    incomplete_id,
    read_manifest,
    repeats,
    set_aside,
    whole_id,
)
from lifecycle.period import PeriodPolicy

NOW = datetime(2024, 5, 1, tzinfo=UTC)
LIMITS = Limits(max_parts=3)


def part(name: str, *, version: str = "v1", digest: str | None = None, minute: int = 0, size: int = 10) -> Part:
    at = NOW + timedelta(minutes=minute)
    key = f"landing/p/a.parts/{name}"
    return Part(name=name, key=key, object_version=version, etag="e", size=size, landed_at=at, sha256=digest)


def manifest(*parts: dict[str, Any]) -> PartsManifest:
    found = read_manifest(json.dumps({"parts": parts}).encode(), LIMITS)
    assert isinstance(found, PartsManifest)
    return found


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("landing/p/a.parts/part-0.csv", "landing/p/a.parts"),
        ("landing/p/2024/a.parts/deep/part-0.csv", "landing/p/2024/a.parts"),
        ("landing/p/a.parts/b.parts/part-0.csv", "landing/p/a.parts"),
        ("landing/p/requeued/ab/1/a.parts/manifest.json", "landing/p/requeued/ab/1/a.parts"),
        ("landing/p/a.parts", None),
        ("landing/p/.parts/part-0.csv", None),
        ("landing/p/a.csv", None),
        ("labels/p/a.parts/part-0.csv", None),
    ],
)
def test_a_folder_whose_name_ends_in_parts_is_one_delivery(key: str, folder: str | None) -> None:
    assert (parts_folder(key), place_of(key)) == (folder, folder or key)


def test_the_period_is_the_one_that_the_folders_name_tells() -> None:
    span = PeriodPolicy(every="month", name="%Y-%m").of_name("landing/p/flights-2013-07.parts")
    assert span is not None
    assert span.label == "2013-07"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"\xff", "a manifest.json that is wrong: Invalid JSON"),
        (b"[]", "a manifest.json that is wrong: "),
        (b"{}", "a manifest.json that is wrong in parts: Field required"),
        (b'{"parts": []}', "a manifest.json that is wrong in parts: "),
        (b'{"parts": [{"name": ""}]}', "a manifest.json that is wrong in parts.0.name: "),
        (b'{"parts": [{"name": "a", "sha256": "xy"}]}', "a manifest.json that is wrong in parts.0.sha256: "),
        (b'{"parts": [{"name": "a", "sha265": "xy"}]}', "a manifest.json that is wrong in parts.0.sha265: "),
        (b'{"parts": [{"name": "a", "bytes": -1}]}', "a manifest.json that is wrong in parts.0.bytes: "),
        (b'{"parts": [{"name": "a"}, {"name": "a"}]}', "a manifest.json that is wrong: Value error, a name is listed"),
        (b'{"parts": [{"name": "manifest.json"}]}', "a manifest.json that is wrong: Value error, manifest.json is no"),
        (b'{"parts": [{"name": "' + b"a" * 256 + b'"}]}', "a manifest.json that is wrong: Value error, a name has"),
        (b'{"parts": [{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"}]}', "a manifest.json of 4 parts"),
        (None, "a manifest.json of more than 1,000,000 bytes"),
    ],
)
def test_a_manifest_that_cannot_be_followed_says_where_it_is_wrong(body: bytes | None, found: str) -> None:
    reason = read_manifest(body, LIMITS)
    assert isinstance(reason, Reason)
    assert (reason.code, reason.found[: len(found)]) == ("PARTS_MANIFEST", found)


def test_what_else_a_manifest_says_is_the_producers_business() -> None:
    found = read_manifest(b'{"parts": [{"name": "a", "sha256": "' + b"AB" * 32 + b'"}], "made_at": 3}', LIMITS)
    assert isinstance(found, PartsManifest)
    assert found.parts[0].sha256 == "ab" * 32


def test_a_delivery_is_whole_when_every_part_is_there_and_others_are_left_out() -> None:
    found = assemble(manifest({"name": "b"}, {"name": "a"}), [part("a"), part("b"), part("c"), part("manifest.json")])
    assert isinstance(found, Whole)
    assert [one.name for one in found.parts] == ["b", "a"]
    assert [str(note) for note in found.notes] == ["EXTRA_PART: found 1 more: 'c', expected left out."]


@pytest.mark.parametrize(
    ("promised", "present", "found"),
    [
        ({}, [], "no 'a'"),
        ({"bytes": 9}, [part("a")], "'a' with 10 bytes"),
        ({"sha256": "ab" * 32}, [part("a", digest="cd" * 32)], "'a' with sha256 cdcdcdcdcdcd…"),
    ],
)
def test_what_is_missing_or_differs_is_named(promised: dict[str, Any], present: list[Part], found: str) -> None:
    lacking = assemble(manifest({"name": "a", **promised}), present)
    assert isinstance(lacking, Lacking)
    assert [(one.code, one.found) for one in lacking.reasons] == [("PARTS_MISSING", found)]


def test_without_a_manifest_or_with_a_bad_one_nothing_is_whole() -> None:
    bad = Reason("PARTS_MANIFEST", None, "nonsense", "a list")
    for told, code in ((None, "PARTS_MISSING"), (bad, "PARTS_MANIFEST")):
        lacking = assemble(told, [part("a")])
        assert isinstance(lacking, Lacking)
        assert codes(lacking.reasons) == (code,)


def test_a_promised_digest_holds_as_soon_as_the_bytes_were_read() -> None:
    assert isinstance(assemble(manifest({"name": "a", "sha256": "ab" * 32}), [part("a")]), Whole)


def test_what_lies_there_takes_the_place_of_what_was_kept_and_known_digests_stay() -> None:
    before = set_aside([part("a", digest="aa"), part("b", digest="bb")])
    there = at_hand([part("b", version="v2"), part("c")], [*before, part("c", digest="cc"), part("d")])
    told = [(one.name, one.object_version, one.sha256, one.kept) for one in there]
    assert told == [("a", "v1", "aa", True), ("b", "v2", None, False), ("c", "v1", "cc", False)]


def test_the_batch_is_the_digests_in_the_order_of_the_manifest() -> None:
    some = incomplete_id([part("a", digest="aa"), part("b", digest="bb")])
    assert whole_id(["aa", "bb"]) == sha256(b"parts\naa\nbb").hexdigest()
    assert len({whole_id(["aa", "bb"]), whole_id(["bb", "aa"]), whole_id(["aa"]), some}) == 4


def test_it_is_waited_for_from_the_first_part_that_lies_there() -> None:
    kept = set_aside([part("a", minute=-600)])
    assert deadline([*kept, part("b", minute=5), part("c", minute=2)], Limits()) == NOW + timedelta(hours=6, minutes=2)


def test_files_that_were_taken_in_before_are_repeats_when_every_byte_is_the_same() -> None:
    before = {"a": "aa", "b": "bb"}
    assert repeats([part("a", digest="aa")], before)
    assert not repeats([part("a", digest="aa"), part("b", digest="xx")], before)
    assert not repeats([part("c", digest="aa")], before)
    assert not repeats([part("a")], {"a": None})
