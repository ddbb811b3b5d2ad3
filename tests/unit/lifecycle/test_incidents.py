"""Thirty planted incidents, each looked at hour by hour: what was asked for is the action that fits, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lifecycle.episodes import Watch, look
from lifecycle.examination import Labelled, Windows, Yardstick, examine
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy
from lifecycle.performance import Outcomes
from lifecycle.response import Action, Situation, Taken, respond
from tests.unit.lifecycle.worlds import NOTHING, Changed, draw, reference, served, window

KNOWN = reference()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 3, 20, tzinfo=UTC)
LABELLED = MonitorPolicy(outcomes=OutcomePolicy(due=7 * DAY, resamples=200))
UNLABELLED = MonitorPolicy()
LOOKS = 4


@dataclass(frozen=True)
class Incident:
    """What is wrong: with the rows, the labels of last week, the answers. `rows` per window."""

    expected: Action
    now: Changed = NOTHING
    last_week: Changed = NOTHING
    told: float = 1.0
    failed: float = 0.001
    refused: float = 0.001
    slow: float = 0.01
    rows: int = 2_000
    served_for: timedelta = 30 * DAY
    policy: MonitorPolicy = LABELLED


NORMAL = Incident("nothing")
RIGHT_AFTER = 2 * HOUR
CALM = (0.35, 0.2, 0.2, 0.15, 0.09, 0.01)
OTHER = (0.05, 0.45, 0.2, 0.2, 0.09, 0.01)
INCIDENTS = {
    "bad data: a third of a column is missing": Incident("quarantine_and_notify", Changed(missing=0.33)),
    "bad data: a column is empty": Incident("quarantine_and_notify", Changed(missing=1.0)),
    "bad data: levels that nobody knew": Incident("quarantine_and_notify", Changed(strange=0.2)),
    "bad data: -999 for nothing": Incident("quarantine_and_notify", Changed(sentinel=0.12)),
    "bad data: callers send broken rows": Incident("quarantine_and_notify", refused=0.3),
    "covariate shift, labels will tell: incomes fell": Incident("notify", Changed(income=-0.8)),
    "covariate shift, labels will tell: other carriers": Incident("notify", Changed(carriers=OTHER)),
    "covariate shift, labels will tell: amounts grew": Incident("notify", Changed(amount=0.7)),
    "covariate shift, no labels ever: incomes fell": Incident("retrain", Changed(income=-0.8), policy=UNLABELLED),
    "covariate shift, no labels ever: amounts grew": Incident("retrain", Changed(amount=0.7), policy=UNLABELLED),
    "concept shift: scores say less": Incident("retrain", last_week=Changed(slope=0.4)),
    "concept shift: scores say nothing": Incident("retrain", last_week=Changed(slope=0.0)),
    "concept shift: scores say the opposite": Incident("retrain", last_week=Changed(slope=-0.5)),
    "concept shift with other inputs": Incident("retrain", Changed(amount=0.7), Changed(amount=0.7, slope=0.2)),
    "concept shift, few rows": Incident("retrain", last_week=Changed(slope=0.0), rows=600),
    "serving fault with the release": Incident("roll_back", failed=0.3, served_for=RIGHT_AFTER),
    "serving fault with the release, one in eight": Incident("roll_back", failed=0.125, served_for=RIGHT_AFTER),
    "slow answers with the release": Incident("roll_back", slow=0.4, served_for=RIGHT_AFTER),
    "serving fault with the release, few requests": Incident("roll_back", failed=0.4, rows=60, served_for=RIGHT_AFTER),
    "serving fault long after any release": Incident("notify", failed=0.3),
    "labels stopped": Incident("notify", told=0.0),
    "labels of a third came": Incident("notify", told=0.33),
    "labels stopped, few rows": Incident("notify", told=0.0, rows=300),
    "labels stopped while inputs shift": Incident("notify", Changed(income=-0.8), told=0.0),
    "labels of four in ten came": Incident("notify", told=0.4, rows=5_000),
    "nothing wrong": NORMAL,
    "nothing wrong, few rows": Incident("nothing", rows=250),
    "nothing wrong, many rows": Incident("nothing", rows=12_000),
    "nothing wrong right after a release": Incident("nothing", served_for=RIGHT_AFTER, told=0.95),
    "nothing wrong that matters: an unused column moved": Incident("nothing", Changed(unused=3.0, carriers=CALM)),
}


def asked_for(incident: Incident, seed: int) -> list[Action]:
    """Look at an incident hour by hour and return what was asked for. A rollback ends what came with a release."""
    random, watch = np.random.default_rng(seed), Watch()
    taken: list[Taken] = []
    past = draw(random, incident.rows, incident.last_week)
    told = round(incident.told * incident.rows)
    until = NOW - 8 * DAY
    outcomes = Outcomes(until - 7 * DAY, until, incident.rows, past.labels[:told], past.scores[:told])
    labelled = Labelled(outcomes, np.full(told, 86_400.0)) if incident.policy.outcomes.due else None
    for at in range(LOOKS):
        now = NOW + at * HOUR
        rows = window(KNOWN, draw(random, incident.rows, incident.now))
        spoilt = {
            name: int(random.binomial(incident.rows, share))
            for name, share in (("failed", incident.failed), ("refused", incident.refused))
        }
        seen = served(rows, slow=int(random.binomial(incident.rows, incident.slow)), **spoilt)
        found = examine(incident.policy, Yardstick("auc", KNOWN), Windows(seen, seen), labelled, now)
        watch = look(watch, "b", found.measurements, incident.policy.respond, now, blind=bool(found.blind))
        situation = Situation(watch, taken, NOW - incident.served_for, can_go_back=True)
        answer = respond(incident.policy, situation, now)
        if answer.action == "roll_back":
            incident = replace(incident, failed=NORMAL.failed, slow=NORMAL.slow)
        if answer.action != "nothing":
            outcome = "pending" if answer.action == "retrain" else None
            taken.append(Taken(at=now, action=answer.action, cause=answer.cause, key=answer.key, outcome=outcome))
    return [one.action for one in taken]


@pytest.fixture(scope="module")
def asked() -> dict[str, list[Action]]:
    return {name: asked_for(incident, seed) for seed, (name, incident) in enumerate(INCIDENTS.items())}


def test_thirty_are_planted() -> None:
    assert len(INCIDENTS) == 30


def test_at_least_27_get_the_action_that_fits(asked: dict[str, list[Action]]) -> None:
    wrong = {
        name: (asked[name], incident.expected)
        for name, incident in INCIDENTS.items()
        if set(asked[name]) != {incident.expected} - {"nothing"}
    }
    assert len(wrong) <= 3, wrong


def test_nothing_is_done_where_nothing_is_wrong(asked: dict[str, list[Action]]) -> None:
    quiet = {name: found for name, found in asked.items() if name.startswith("nothing wrong")}
    assert len(quiet) == 5
    assert {name: found for name, found in quiet.items() if found} == {}


def test_other_days_with_nothing_wrong_ask_for_nothing_either() -> None:
    assert [asked_for(replace(NORMAL, rows=1_000), seed) for seed in range(100, 115)] == [[]] * 15
