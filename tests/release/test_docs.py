"""docs/releases.md says what the code does: every reason and every key of the plan, no other ones."""

import re
from pathlib import Path

from lifecycle.findings import Finding
from lifecycle.release_plan import ReleasePlan

PAGE = (Path(__file__).parents[2] / "docs" / "releases.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> list[str]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_reason_is_explained_once() -> None:
    assert sorted(first_cells("Reasons")) == sorted(Finding)


def test_every_key_of_the_plan_is_explained_once() -> None:
    assert sorted(first_cells("The plan")) == sorted(ReleasePlan.model_fields)
