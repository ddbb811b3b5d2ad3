"""The walls of the house: how long a file and a function may be, and what may never be written."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_WALL = 250
FUNCTION_WALL = 60
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


CODE = [path for path in tracked("*.py") if "tests" not in path.relative_to(ROOT).parts]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_stays_below_its_wall(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_WALL


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_stays_below_its_wall(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_WALL} == {}


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_unfinished(path: Path) -> None:
    assert UNFINISHED.findall(path.read_text(encoding="utf-8")) == []


def test_the_walls_look_at_code() -> None:
    assert len(CODE) > 50


def test_no_module_is_named_after_a_package_it_would_shadow() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in CODE if len(path.relative_to(ROOT).parts) > 1}
    stems = {path.stem for path in CODE if len(path.relative_to(ROOT).parts) > 1 and path.stem != "__init__"}
    stages = {"features"}  # named after its stage in every folder; only ever imported as part of its package
    assert (stems & top) - stages == set()


def test_every_import_package_has_a_docstring_or_is_empty() -> None:
    for init in tracked("*/__init__.py"):
        assert len(init.read_text(encoding="utf-8").splitlines()) <= 20, init
