"""The page about ingest and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from lifecycle.codes import Code
from tasks.parsing import MISSING

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/ingest.md").read_text()


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    table = "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(r"`([A-Z_]+)`", table)) == sorted(Code)


def test_every_word_for_missing_is_documented() -> None:
    (sentence,) = re.findall(r"^Missing is .*$", PAGE, flags=re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", sentence)) == set(MISSING) - {""}


def test_every_test_that_a_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) >= 14
    assert [(path, name) for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []
