"""docs/serving.md names every reason an answer can give and every field of a record, and no other."""

import json
import re
from pathlib import Path
from typing import get_args

from functions.predict.record import Record
from lifecycle.refusal import RefusalCode

ROOT = Path(__file__).parents[2]
RAISED = re.compile(r'(?:RefusalError\(\d+, |Unready\(|error_body\(\d+, )"(\w+)"')


def test_the_documented_reasons_are_the_ones_in_the_code() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "functions" / "predict").glob("*.py")]
    given = {reason for source in sources for reason in RAISED.findall(source)} | set(get_args(RefusalCode))
    table = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").split("## Errors")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| \d+ \| `(\w+)` \|", table, re.MULTILINE)) == given


def test_the_documented_fields_are_those_of_a_record() -> None:
    (line,) = Record("r", "7").lines()
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").split("## The prediction record")[1]
    table = text.split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(json.loads(line))
