"""The page about ingest and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from lifecycle.codes import Code
from tasks.parsing import MISSING

PAGE = (Path(__file__).parents[2] / "docs/ingest.md").read_text()


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    table = "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(r"`([A-Z_]+)`", table)) == sorted(Code)


def test_every_word_for_missing_is_documented() -> None:
    (sentence,) = re.findall(r"^Missing is .*$", PAGE, flags=re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", sentence)) == set(MISSING) - {""}
