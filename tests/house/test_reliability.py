"""docs/reliability.md names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text()


def test_every_test_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)`", PAGE)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists() and not (ROOT / "tests/faults" / name).exists()] == []
