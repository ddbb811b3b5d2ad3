"""The image, the workflows and the pages about them: what can be held to account without an account."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.event_page import page
from deployments.manifest import load
from deployments.variables import variables

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "deployments" / "images"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


class Loose(yaml.SafeLoader):
    """Reads a CloudFormation template and forgets what its functions say."""


Loose.add_multi_constructor("!", lambda *_: None)


def instructions() -> list[list[str]]:
    """Return the Dockerfile's instructions as words, continued lines joined."""
    text = (IMAGES / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def workflow(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_the_image_runs_as_nobody_special_on_a_base_of_your_choice() -> None:
    found = instructions()

    assert [words[1] for words in found if words[0] == "FROM"] == ["${BASE}", "${BASE}"]
    assert [words for words in found if words[0] == "USER"] == [["USER", "10001"]]
    assert found.index(["USER", "10001"]) > max(index for index, words in enumerate(found) if words[0] == "RUN")


def test_the_image_installs_the_lock_and_nothing_else() -> None:
    installs = [" ".join(words) for words in instructions() if words[0] == "RUN" and "sync" in words]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    arguments = dict(words[1].split("=") for words in instructions() if words[0] == "ARG" and "=" in words[1])

    assert installs == ['RUN uv sync --frozen --no-default-groups --group "${GROUP}" --no-install-project']
    assert arguments["GROUP"] in groups
    assert f"UV_VERSION := {arguments['UV_VERSION']}\n" in (ROOT / "Makefile").read_text()


def test_everything_the_image_copies_is_there_and_not_ignored() -> None:
    copied = [
        word for words in instructions() if words[0] == "COPY" and "--from" not in words[1] for word in words[1:-1]
    ]
    allowed = [line[1:] for line in (IMAGES / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"]

    assert sorted(copied) == sorted(allowed)
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("environ", "command"),
    [({}, "functions.run_flow.handler.handler"), ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}, "-m awslambdaric")],
)
def test_one_entry_serves_both(tmp_path: Path, environ: dict[str, str], command: str) -> None:
    for name in ("python", "functions.run_flow.handler.handler"):
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "$(basename "$0") $@"\n')
        program.chmod(0o755)

    done = subprocess.run(
        ["sh", str(IMAGES / "entry.sh"), "functions.run_flow.handler.handler"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **environ},
        capture_output=True,
        text=True,
        check=True,
    )

    assert command in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_that_says_its_version(path: Path) -> None:
    used = [line.partition("uses: ")[2] for line in path.read_text().splitlines() if "uses: " in line]

    assert used
    assert [action for action in used if not PINNED.match(action)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_only_and_asks_for_the_rest_where_it_is_needed(path: Path) -> None:
    found = workflow(path)
    more = {name: job.get("permissions", {}) for name, job in found["jobs"].items()}

    assert found["permissions"] == {"contents": "read"}
    assert {scope for scopes in more.values() for scope, kind in scopes.items() if kind == "write"} <= {"id-token"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_script_has_an_expression_or_prints_a_secret(path: Path) -> None:
    steps = [step for job in workflow(path)["jobs"].values() for step in job["steps"]]
    scripts = [step["run"] for step in steps if "run" in step]

    assert [script for script in scripts if "${{" in script] == []
    printed = [
        line.strip() for script in scripts for line in script.splitlines() if "echo" in line or "printenv" in line
    ]
    assert [line for line in printed if "::add-mask::" not in line] == []


def test_ci_runs_what_a_user_runs() -> None:
    steps = workflow(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["check-and-test"]["steps"]

    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]


def test_the_deploy_names_the_image_by_digest_and_only_parameters_the_stack_has() -> None:
    steps = workflow(ROOT / ".github" / "workflows" / "deploy.yml")["jobs"]["stack-and-deployments"]["steps"]
    script = next(step["run"] for step in steps if "deployments.aws.apply" in step.get("run", ""))
    stack = yaml.load((ROOT / "deployments" / "aws" / "stack.yaml").read_text(), Loose)["Parameters"]  # noqa: S506  # it is a SafeLoader
    given = set(re.findall(r'--parameter "(\w+)=', script))
    required = {name for name, parameter in stack.items() if "Default" not in parameter}

    assert 'image="${REGISTRY}/${ECR_REPOSITORY}@${DIGEST}"' in script
    assert given <= stack.keys()
    assert required <= given


def test_the_page_of_events_is_what_the_code_says() -> None:
    written = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")

    assert written == page(written, load(ROOT / "prefect.yaml", {}))


def test_the_page_of_operation_lists_every_variable_with_its_default() -> None:
    written = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    shown = {
        variable.name: "the package's" if "VERSION" in variable.name else f"`{variable.default}`"
        for variable in variables()
    }

    assert [name for name, default in shown.items() if f"| `{name}` | {default} |" not in written] == []


def test_the_page_of_operation_lists_every_secret_of_the_deploy() -> None:
    written = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    used = set(re.findall(r"secrets\.(\w+)", (ROOT / ".github" / "workflows" / "deploy.yml").read_text()))

    assert [name for name in sorted(used) if f"`{name}`" not in written] == []
