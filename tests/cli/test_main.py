"""The command line as a whole: it answers at once, says what is wrong in one paragraph, and never lies by exit code."""

import json
import subprocess
import sys

import pytest

from cli.main import COMMANDS, app
from tests.cli.conftest import Run

HEAVY = (
    "boto3",
    "botocore",
    "great_expectations",
    "httpx",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "prefect",
    "pydantic",
    "rich",
    "xgboost",
)


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys; from cli.main import main; main(['--help']); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_a_command_the_help_is_printed(run: Run) -> None:
    assert run().out == run("--help").out
    assert "Commands:" in run().out


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_has_json_and_an_example(name: str, run: Run) -> None:
    helped = run(name, "--help").out
    assert "--json" in helped
    assert f"Example: tropism {name}" in helped


def test_a_misspelt_command_is_answered_with_the_nearest_one(run: Run) -> None:
    found = run("stats")
    assert (found.code, found.out) == (2, "")
    assert found.err == "Error: No such command 'stats'. Did you mean 'status'? Run `tropism --help`.\n"


def test_a_missing_argument_names_it_and_the_help(run: Run) -> None:
    found = run("history")
    assert found.code == 2
    assert "PRODUCT" in found.err
    assert "`tropism history --help`" in found.err


def test_an_error_with_json_is_an_object_on_stderr(run: Run) -> None:
    found = run("history", "--json")
    error = json.loads(found.err)["error"]
    assert (found.code, found.out, sorted(error)) == (2, "", ["detail", "resolution", "summary", "type"])
    assert error["type"] == "UsageError"


@pytest.mark.usefixtures("root")
def test_nothing_configured_says_what_to_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TROPISM_BUCKET", raising=False)
    found = run("status")
    assert found.code == 17
    assert "Nothing is running here and no account is configured." in found.err
    assert "`tropism up`" in found.err


@pytest.mark.usefixtures("world")
def test_an_unknown_product_is_answered_with_the_nearest_one(run: Run) -> None:
    found = run("status", "parcel")
    assert found.code == 2
    assert "There is no product called 'parcel'; did you mean 'parcels'?" in found.err


def test_a_fault_of_ours_is_neither_yes_nor_no(run: Run) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a fault")

    app.command("broken")(broken)
    try:
        found = run("broken")
        assert found.code == 70
        assert "ZeroDivisionError: a fault" in found.err
    finally:
        app.registered_commands.pop()


def test_the_version_names_the_version_of_the_shapes(run: Run) -> None:
    assert run("--version").out == "tropism 0.1.0, JSON shapes 1\n"
