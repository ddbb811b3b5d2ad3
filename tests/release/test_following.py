"""What follows a change of traffic is tried, and given up in time where a person waits."""

import contextvars
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows.following import attempt

ROOT = Path(__file__).parents[2]
SETTING = contextvars.ContextVar("SETTING", default="unset")


@pytest.mark.parametrize("seconds", [None, 30.0])
def test_what_is_done_in_time_went_well_and_what_raises_did_not(seconds: float | None) -> None:
    done = []
    SETTING.set("as here")
    assert attempt("alias", lambda: done.append(SETTING.get()), seconds=seconds)
    assert done == ["as here"]
    assert not attempt("alias", lambda: 1 / 0, seconds=seconds)


def test_a_service_that_never_answers_is_waited_for_no_longer_than_said(caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()
    assert not attempt("alias", over.wait, seconds=0.05)
    assert not over.is_set()
    over.set()
    assert caplog.messages == ["projection.failed what=alias error=Timeout detail=no end in 0.05 s"]


def test_a_step_back_begins_without_prefect_or_mlflow() -> None:
    """Importing them takes longer than finding, proving and giving the traffic to what served before."""
    found = "*(name for name in ('prefect', 'mlflow') if name in sys.modules)"
    code = f"import sys, cli.traffic, flows.going_back; print({found})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"
