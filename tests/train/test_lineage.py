"""What decides a model is part of a training's key."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tasks.lineage import DECIDING, code_version

# Imported on the way, without a say in a model's bytes or its verdict.
WITHOUT_A_SAY = {
    "batch",
    "codes",
    "declaration",
    "declared_joins",
    "errors",
    "grounds",
    "manifest",
    "quality",
    "refusal",
    "shift",
    "snapshot",
    "spec",
    "values",
}


def imported(module: str) -> set[str]:
    found = find_spec(module)
    assert found is not None
    assert found.origin is not None
    return set(re.findall(r"^from (lifecycle\.\w+) import", Path(found.origin).read_text(), re.MULTILINE))


def test_every_rule_that_training_uses_is_part_of_the_key() -> None:
    used, todo = set[str](), set(DECIDING)
    while todo:
        used |= todo
        todo = {name for module in todo for name in imported(module)} - used
        todo -= {f"lifecycle.{name}" for name in WITHOUT_A_SAY}
    assert used == set(DECIDING)


def test_the_commit_is_the_images_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMIT", "abc")
    named = code_version()
    monkeypatch.delenv("GIT_COMMIT")
    asked = code_version()
    assert named.commit == "abc"
    assert re.fullmatch(r"[0-9a-f]{40}|", asked.commit)
    assert named.digest == asked.digest
