"""The page that shows every expectation beside its reason, made from the suites so that it cannot be out of date."""

from __future__ import annotations

from pathlib import Path

from tasks.describing import code_of, expected
from tasks.suites import Suite, load_suite

_HEAD = """\
# What good data is

One file per suite, `<product>_raw.json` for a delivery and `<product>_features.json` for the matrix a model learns
from, in the form of Great Expectations. They are reviewed like code: every expectation carries its reason, every
suite passes on a golden frame, and every expectation fails on a frame that breaks it alone
(`tests/expectations`).

| severity | what it does when it fails |
|---|---|
| critical | the batch is quarantined, or nothing is trained |
| warning | the rows it names are quarantined; above the product's limit, the batch |
| info | a remark in the manifest |

An expectation that breaks, or finds no value to look at, has failed. This page is made by `make docs`.
"""


def page(expectations: Path) -> str:
    """Return the page about every suite of a folder. Raises SuiteError."""
    suites = [load_suite(expectations, path.stem) for path in sorted(expectations.glob("*.json"))]
    return "\n".join([_HEAD, *(_table(suite) for suite in suites)])


def write_page(expectations: Path) -> Path:
    """Write the page beside the suites and return its path. A second call writes the same again."""
    path = expectations / "README.md"
    path.write_text(page(expectations), encoding="utf-8")
    return path


def _table(suite: Suite) -> str:
    lines = [f"## {suite.name}", "", "| column | expected | severity | code | why |", "|---|---|---|---|---|"]
    for rule in suite.rules:
        cells = (", ".join(rule.columns), expected(rule), rule.severity, code_of(rule), rule.why)
        escaped = (str(cell).replace("|", "&#124;") for cell in cells)
        lines.append(f"| {' | '.join(escaped)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    write_page(Path("expectations"))
