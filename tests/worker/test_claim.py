"""Claims on a real Prefect server: its unique row is the lock."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import AwaitingRetry, Pending

from functions.run_flow.attempt import Place
from functions.run_flow.claim import Verdict, claim, holds
from functions.run_flow.execute import Delivery, execute
from functions.run_flow.watch import Limits

pytestmark = pytest.mark.localcloud


def test_one_of_ten_claims_at_once_wins(prefect: Any) -> None:
    run = prefect.submitted("completes")

    def one(number: int) -> Verdict:
        with temporary_settings({PREFECT_API_URL: prefect.url}), get_client(sync_client=True) as client:
            return claim(client, run.id, owner=f"owner {number}").verdict

    with ThreadPoolExecutor(10) as pool:
        verdicts = list(pool.map(one, range(10)))
    assert sorted(verdicts) == [Verdict.EXECUTE] + [Verdict.SKIP] * 9


def test_a_claim_whose_answer_was_lost_is_still_won_by_its_owner(prefect: Any) -> None:
    run = prefect.submitted("completes")
    verdicts = [claim(prefect.client, run.id, owner=owner).verdict for owner in ("me", "me", "somebody else", "me")]
    assert verdicts == [Verdict.EXECUTE, Verdict.EXECUTE, Verdict.SKIP, Verdict.EXECUTE]


def test_a_claim_holds_until_the_run_is_submitted_again(prefect: Any) -> None:
    run = prefect.submitted("completes")
    claimed = claim(prefect.client, run.id, owner="me")
    assert holds(prefect.client, run.id, claimed)
    for state in (AwaitingRetry(), Pending()):
        prefect.client.set_flow_run_state(run.id, state, force=True)
    assert not holds(prefect.client, run.id, claimed)
    assert claim(prefect.client, run.id, owner="another").verdict == Verdict.EXECUTE


def test_a_run_that_the_server_does_not_know_is_an_error_that_names_both(prefect: Any) -> None:
    unknown = uuid.uuid4()
    with pytest.raises(LookupError, match=f"Prefect at {prefect.url}/? has no flow run {unknown}"):
        claim(prefect.client, unknown, owner="me")


def test_a_process_without_the_address_of_an_api_starts_no_server_of_its_own() -> None:
    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(ValueError, match="PREFECT_API_URL is not set"):
        execute(Delivery(uuid.uuid4()), Place("Lambda", Limits(poll=1), beats=False))


def test_an_api_that_cannot_be_reached_is_an_error_and_not_an_outcome() -> None:
    place = Place("Lambda", Limits(poll=1), beats=False)
    nowhere = {PREFECT_API_URL: "http://127.0.0.1:9/api"}
    with temporary_settings(nowhere), pytest.raises(httpx.ConnectError, match="Connection refused"):
        execute(Delivery(uuid.uuid4()), place)
