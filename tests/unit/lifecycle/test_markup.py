"""Names that producers choose, on pages that may render Markdown and HTML: shown as they are, obeyed by nobody."""

from __future__ import annotations

import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import _harmless
from lifecycle.batch import Reason, RowCounts
from lifecycle.delivery import Delivery, to_markdown
from lifecycle.markup import one_line, plain, sentence

NAUGHTY = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg/onload=alert(1)>', "<!--", "]]>", "&lt;b&gt;",
    "[click](javascript:alert(1))", "![x](https://example.org/x.png)", "`code`", "**bold**", "~~gone~~", "| a | b |",
    "a\n\n# Heading", "a\r\n- item", "\x1b[31mred\x1b[0m", "\x9b31m", "\x07\x08\x7f", "\u202eabc", "\u2028line",
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x.org")', "{{7*7}}", "${7*7}", "%s%n", "../../x",
    "NULL", "' OR 1=1 --", "月.csv", "Zürich", "\\", "\\|", "\ufeff", "",
]  # fmt: skip


class Tags(HTMLParser):
    """Collects every tag and comment a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(f"{tag} {attrs}")

    def handle_comment(self, data: str) -> None:
        self.found.append(data)


def tags(text: str) -> list[str]:
    parser = Tags()
    parser.feed(text)
    parser.close()
    return parser.found


@pytest.mark.parametrize("text", NAUGHTY)
def test_a_name_is_shown_as_it_is_on_one_line_and_is_no_markup(text: str) -> None:
    shown = plain(text)
    assert html.unescape(shown) == one_line(text)
    assert (tags(shown), "\n" in shown, "|" in shown, "[" in shown, "`" in shown) == ([], False, False, False, False)
    assert tags(sentence(f"**{text}**")) == []
    assert "\x1b" not in _harmless(text)


@given(st.text())
def test_whatever_a_name_is_no_tag_comes_of_it(text: str) -> None:
    assert tags(plain(text)) == []
    assert html.unescape(plain(text)) == one_line(text)


@pytest.mark.parametrize("text", NAUGHTY)
def test_the_page_of_a_delivery_keeps_its_lines_whatever_names_it_tells(text: str) -> None:
    reason = Reason("MISSING_COLUMN", text, f"no such column, but {text!r}", text)
    record = Delivery(
        product="parts", delivery_id="d", key=f"landing/parts/{text}", object_version="v", etag="e",
        state="quarantined", owner="o", claimed_at="2026-03-01T00:00:00Z", batch_id="ab" * 32,
        rows=RowCounts(1, 0, 1), reasons=(reason,), notes=(reason,),
    )  # fmt: skip
    page = to_markdown(record)
    assert tags(page) == []
    cells = [line.count("|") for line in page.splitlines() if line.startswith("| MISSING")]
    assert cells == [6, 6], "a name has no cell of its own"
