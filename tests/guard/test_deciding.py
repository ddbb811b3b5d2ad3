"""Whose traffic an alarm takes away: a truth table, and what holds for every alias and every record."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alias import AliasState
from lifecycle.control import Contender, ControlRecord
from lifecycle.guarding import (
    Alarm,
    Code,
    Decision,
    GuardRecord,
    Standing,
    decide,
    read_standing,
    record,
    record_key,
)

VERSIONS = st.sampled_from(["1", "2", "3", "4"])
PLACES = st.none() | st.builds(Standing, champion=st.none() | VERSIONS, challenger=st.none() | VERSIONS)


@st.composite
def traffics(draw: st.DrawFn) -> AliasState:
    main = draw(VERSIONS)
    other = draw(st.none() | VERSIONS.filter(lambda version: version != main))
    return AliasState(main, "r1", {other: draw(st.floats(0, 1))} if other else {})


def alarm(version: str, at: str = "2026-03-01T10:09:41.131+0000") -> Alarm:
    name = f"tropism-predict-flights-v{version}-errors"
    return Alarm(name, "tropism-predict-flights", version, "Errors", at, "Threshold Crossed.")


@pytest.mark.parametrize(
    ("version", "traffic", "standing", "code", "to"),
    [
        ("2", AliasState("1", "r", {"2": 0.25}), Standing("1", "2"), Code.TAKEN_BACK, "1"),
        ("2", AliasState("1", "r", {"2": 0.25}), None, Code.TAKEN_BACK, "1"),
        ("2", AliasState("1", "r", {"2": 0.25}), Standing("1", None), Code.TAKEN_BACK, "1"),
        ("2", AliasState("2", "r"), Standing("1", "2"), Code.TAKEN_BACK, "1"),
        ("2", AliasState("2", "r"), None, Code.UNDECIDABLE, None),
        ("2", AliasState("2", "r"), Standing(None, "2"), Code.UNDECIDABLE, None),
        ("2", AliasState("2", "r"), Standing("2", None), Code.CHAMPION, None),
        ("1", AliasState("1", "r", {"2": 0.25}), Standing("1", "2"), Code.CHAMPION, None),
        ("1", AliasState("1", "r", {"2": 0.25}), None, Code.UNDECIDABLE, None),
        ("1", AliasState("2", "r"), Standing("1", "2"), Code.CHAMPION, None),
        ("2", AliasState("1", "r"), Standing("1", "2"), Code.ALREADY_OUT, None),
        ("2", AliasState("1", "r"), Standing("1", None), Code.NOT_SERVING, None),
        ("2", AliasState("1", "r"), None, Code.NOT_SERVING, None),
        ("2", None, Standing("1", "2"), Code.NO_ALIAS, None),
    ],
)
def test_only_a_challenger_is_taken_out(
    version: str, traffic: AliasState | None, standing: Standing | None, code: Code, to: str | None
) -> None:
    decision = decide(alarm(version), traffic, standing)
    assert (decision.code, decision.to) == (code, to)


@given(VERSIONS, traffics(), PLACES)
def test_traffic_only_moves_away_from_the_version_that_alarms_to_what_answered_or_should(
    version: str, traffic: AliasState, standing: Standing | None
) -> None:
    to = decide(alarm(version), traffic, standing).to
    if to is not None:
        assert version in {traffic.function_version, *traffic.extra}
        assert to != version
        assert to in {traffic.function_version, standing.champion if standing else None}


@given(traffics(), PLACES)
def test_an_alarm_of_the_champion_never_moves_anything(traffic: AliasState, standing: Standing | None) -> None:
    if standing is not None and standing.champion is not None:
        assert decide(alarm(standing.champion), traffic, standing).to is None


@given(VERSIONS, traffics(), PLACES)
def test_asked_again_after_its_own_move_it_moves_nothing(
    version: str, traffic: AliasState, standing: Standing | None
) -> None:
    to = decide(alarm(version), traffic, standing).to
    if to is not None:
        again = decide(alarm(version), AliasState(to, "r2"), standing)
        assert again.to is None
        assert again.code in (Code.ALREADY_OUT, Code.NOT_SERVING)


def contender(version: str, function_version: str | None) -> Contender:
    since = datetime(2026, 3, 1, tzinfo=UTC)
    return Contender(
        model_version=version,
        bundle="a" * 64,
        function_version=function_version,
        mlflow_run="run",
        since=since,
        reason="better",
    )


def test_the_places_are_read_off_the_record_that_the_release_writes() -> None:
    whole = ControlRecord(product="flights", revision=3, champion=contender("11", "4"), challenger=contender("12", "5"))
    assert read_standing(whole.model_dump_json().encode()) == Standing("4", "5")
    unpublished = ControlRecord(product="flights", revision=3, challenger=contender("12", None))
    assert read_standing(unpublished.model_dump_json().encode()) == Standing(None, None)


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"3", b"\xff"])
def test_what_is_no_record_says_nothing_of_who_is_who(body: bytes | None) -> None:
    assert read_standing(body) is None


@pytest.mark.parametrize("version", ["$LATEST", "", "0", "-1", "live", 7, None])
def test_only_a_published_version_has_a_place(version: object) -> None:
    body = json.dumps({"champion": {"function_version": version}})
    assert read_standing(body.encode()) == Standing(None, None)


def test_a_firing_told_twice_is_one_record_and_the_next_firing_another() -> None:
    assert alarm("2").id == alarm("2").id
    assert len({alarm("2").id, alarm("3").id, alarm("2", at="2026-03-01T10:19:41.131+0000").id}) == 3
    assert record_key("flights", alarm("2").id) == f"control/flights/guard/{alarm('2').id}.json"


def test_a_record_says_what_answered_before_and_is_read_back_as_it_was_written() -> None:
    before = AliasState("1", "r", {"2": 0.25})
    made = record(
        alarm("2"), "flights", decide(alarm("2"), before, None), before, datetime(2026, 3, 1, 10, 10, tzinfo=UTC)
    )
    assert (made.code, made.to, made.before) == ("taken_back", "1", "version 1 (75%), version 2 (25%)")
    assert made.reason == "Version 2 took 25% of the requests; version 1 answers all now. Threshold Crossed."
    assert GuardRecord.from_json(made.to_json()) == made
    with pytest.raises(ValueError, match="no guard record"):
        GuardRecord.from_json("{}")


def test_traffic_is_shown_as_people_say_it() -> None:
    assert [str(AliasState("3", "r")), str(AliasState("3", "r", {"4": 0.1}))] == [
        "version 3",
        "version 3 (90%), version 4 (10%)",
    ]
    assert decide(alarm("2"), AliasState("1", "r", {"2": 0.05}), None) == Decision(
        Code.TAKEN_BACK, "Version 2 took 5% of the requests; version 1 answers all now.", "1"
    )
