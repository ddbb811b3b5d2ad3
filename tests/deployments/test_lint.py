"""What Prefect would ignore with exit code 0 is refused here, each with one sentence that names the place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployments.lint import faults
from deployments.manifest import load
from deployments.variables import filled, variables
from lifecycle.errors import UsageError

SAMPLE = "sample_flows"


def refusal(checkout: Any) -> str:
    """Return what the linter says, one sentence per line."""
    try:
        return "\n".join(faults(load(checkout.manifest, checkout.environ)))
    except UsageError as error:
        return str(error)


def test_the_manifest_as_it_is_has_no_fault(checkout: Callable[..., Any]) -> None:
    assert refusal(checkout()) == ""


def test_the_manifest_and_the_flows_of_this_repository_belong_together() -> None:
    assert faults(load(Path(__file__).parents[2] / "prefect.yaml", {})) == ()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "    triggers:\n      - <<: *event\n        name: ingest",
            "    trigers:\n      - <<: *event\n        name: ingest",
            "deployments.0.trigers is not a key that is known here; Prefect would ignore it",
        ),
        (
            "$TROPISM_SWEEP_CRON",
            "$TROPISM_SWEEP_CORN",
            "the variable TROPISM_SWEEP_CORN is not in deployments/variables.py",
        ),
        (f"{SAMPLE}.ingest", f"{SAMPLE}.injest", f"deployment ingest: {SAMPLE}.injest is not a Prefect flow"),
        (f"{SAMPLE}.ingest", f"{SAMPLE}.not_a_flow", f"deployment ingest: {SAMPLE}.not_a_flow is not a Prefect flow"),
        (f"{SAMPLE}.ingest", "nowhere.ingest", "nowhere.ingest cannot be imported: No module named 'nowhere'"),
        (f"{SAMPLE}.ingest", "flows/ingest.py:ingest", "deployments.0.entrypoint: String should match pattern"),
        (
            '          key: "{{ event.payload.key }}"',
            '          keys: "{{ event.payload.key }}"',
            "ingest takes no parameter 'keys', it takes product, key, object_version, retry_of",
        ),
        (
            '          key: "{{ event.payload.key }}"\n',
            "",
            "trigger ingest-on-batch-landed on batch.landed: gives no 'key', which ingest requires",
        ),
        (
            '"{{ event.payload.key }}"',
            '"{{ event.payload.keys }}"',
            "no event carries a field 'keys' in its payload",
        ),
        (
            "event.payload.object_version | default(none)",
            "event.payload.objekt_version | default(none)",
            "no event carries a field 'objekt_version' in its payload",
        ),
        (
            '"{{ event.payload.key }}"',
            '"{{ event.payload.cause }}"',
            "the parameters cannot be rendered from batch.landed: InvalidJinja",
        ),
        ('"{{ event.payload.key }}"', '"{{ event.id }}"', "the parameters cannot be rendered from batch.landed"),
        ('"{{ event.payload.key }}"', '"{{ event.payload.size }}"', "ingest cannot be called"),
        (
            '"{{ event.payload.key }}"',
            '"{{ event.payload.key"',
            "from batch.landed: Value error, Invalid parameters",
        ),
        ("expect: [batch.landed]", "expect: [batch.landet]", "no event is called 'batch.landet'"),
        ('"tropism.batch.*"', '"tropism.batches.*"', "does not match batch.validated about tropism.batch.flights"),
        ("within: 0", "within: 60", "within: Input should be 0, found 60"),
        ("threshold: 1", "threshold: 2", "threshold: Input should be 1, found 2"),
        ("CANCEL_NEW", "CANCEL_OLD", "Input should be 'ENQUEUE' or 'CANCEL_NEW', found 'CANCEL_OLD'"),
        ("{name: lambda}", "{name: lamda}", "Input should be 'lambda' or 'ecs', found 'lamda'"),
        ("name: train-on-retrain-requested", "name: train-on-batch-validated", "is there 2 times, expected once"),
        ("tags: [tropism]", "tags: [other]", "sweep carries no tag 'tropism'"),
        ("pull: []", "pull: [{prefect.deployments.steps.git_clone: {}}]", "at most 0 items"),
        ("Deployed from prefect.yaml;", "Made by hand;", "description: String should match pattern"),
    ],
)
def test_each_fault_has_its_sentence(checkout: Callable[..., Any], old: str, new: str, sentence: str) -> None:
    made = checkout()
    made.replace(old, new)

    assert sentence in refusal(made)


def test_a_cron_that_is_none_is_refused(checkout: Callable[..., Any]) -> None:
    made = checkout()
    made.environ["TROPISM_SWEEP_CRON"] = "every minute"

    assert "'every minute' is not a cron expression" in refusal(made)


def test_a_switch_that_is_no_switch_is_refused(checkout: Callable[..., Any]) -> None:
    made = checkout()
    made.environ["TROPISM_TRIGGERS_ENABLED"] = "perhaps"

    assert "enabled: Input should be a valid boolean" in refusal(made)


def test_without_the_sweep_the_watch_has_nothing_to_start(checkout: Callable[..., Any]) -> None:
    made = checkout()
    made.manifest.write_text(made.manifest.read_text().replace("- name: sweep\n", "- name: mend\n"))

    assert "there is no deployment 'sweep', which deployments/automations.py starts" in refusal(made)


def test_an_empty_variable_has_its_default_and_a_set_one_stays() -> None:
    found = filled({"TROPISM_SWEEP_CRON": "", "TROPISM_TRIGGERS_ENABLED": "false", "HOME": "/x"})

    assert found["TROPISM_SWEEP_CRON"] == "*/5 * * * *"
    assert found["TROPISM_TRIGGERS_ENABLED"] == "false"
    assert found["HOME"] == "/x"


def test_every_variable_has_a_default_and_a_meaning() -> None:
    assert all(variable.default and variable.meaning.endswith(".") for variable in variables())


def test_a_manifest_that_is_not_there_is_a_sentence(checkout: Callable[..., Any]) -> None:
    made = checkout()
    made.manifest.unlink()

    assert refusal(made).startswith("prefect.yaml cannot be deployed. it cannot be read")
