"""One value tells the registry, the ledger and the event the same story."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from lifecycle.batch import Reason
from lifecycle.bootstrap import Interval
from lifecycle.challenge import Challenge, HoldoutWindow, Recorder, judgement
from lifecycle.events import ModelChallenged, ModelRefused
from lifecycle.grounds import Ground
from lifecycle.ledger import chain
from lifecycle.promotion import Decision, Verdict

INTERVAL = Interval(0.03, 0.01, 0.05, 0.95, 1000)
BY = Recorder("train", "batch.validated", datetime(2013, 2, 1, tzinfo=UTC))


def made(verdict: Verdict = "promote", **changes: Any) -> Challenge:
    values: dict[str, Any] = {
        "product": "shop",
        "train_key": "k" * 64,
        "snapshot": "d" * 64,
        "batches": ("a" * 64, "b" * 64),
        "mlflow_run": "m-1",
        "verdict": verdict,
        "reasons": (Reason(Ground.BETTER, "auc", "+0.0300", ">= +0.0050", 900),),
        "judgement": judgement("auc", Decision(verdict, (), INTERVAL), 0.73, 0.70),
        "champion": "1",
        "bundle": "c" * 64,
        "holdout": HoldoutWindow(after="2013-01-24T00:00:00Z", until="2013-01-31T00:00:00Z", rows=900, digest="e" * 64),
    }
    return Challenge.model_validate(values | changes)


def test_it_survives_being_stored_as_text() -> None:
    assert Challenge.model_validate_json(made().model_dump_json()) == made()


def test_only_a_promotion_wakes_the_release() -> None:
    assert made().event("2") == ModelChallenged(product="shop", version="2", bundle="c" * 64)


@pytest.mark.parametrize("verdict", ["refuse", "no_change", "undecidable"])
def test_every_other_verdict_is_told_as_a_refusal_with_its_reasons(verdict: Verdict) -> None:
    found = made(verdict).event("2")
    assert isinstance(found, ModelRefused)
    assert (found.outcome, found.version, found.mlflow_run) == (verdict, "2", "m-1")
    assert found.reasons == ("BETTER auc: found +0.0300, expected >= +0.0050 (900 rows).",)


def test_telling_it_twice_is_the_same_event() -> None:
    assert made().event("2").id == made().event("2").id
    assert made("refuse").event("2").id == made("refuse").event("2").id


def test_the_ledger_entry_carries_the_evidence_under_the_trainings_key() -> None:
    entry = chain(made().entry("2", BY), None)
    assert (entry.action, entry.from_, entry.to, entry.key) == ("challenge", "1", "2", f"challenge/{'k' * 64}")
    found = {
        name: entry.evidence[name] for name in ("verdict", "codes", "challenger", "lower", "holdout_rows", "batches")
    }
    assert found == {
        "verdict": "promote",
        "codes": "BETTER",
        "challenger": 0.73,
        "lower": 0.01,
        "holdout_rows": 900,
        "batches": f"{'a' * 12},{'b' * 12}",
    }


def test_numbers_that_could_not_be_computed_are_left_out() -> None:
    found = judgement("auc", Decision("undecidable", (), None), np.nan, None)
    assert found.model_dump(exclude_none=True) == {"metric": "auc"}


@pytest.mark.parametrize(
    ("champion", "verdict", "text"),
    [
        ("1", "promote", "Model 2 may replace model 1."),
        (None, "promote", "Model 2 may be the first champion."),
        ("1", "refuse", "Model 2 is refused and model 1 stays."),
        (None, "undecidable", "Model 2 cannot be judged and there is no champion yet."),
    ],
)
def test_the_summary_says_what_it_means_for_the_champion(champion: str | None, verdict: Verdict, text: str) -> None:
    assert made(verdict, champion=champion).summary("2").startswith(text)
