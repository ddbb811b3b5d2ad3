"""The page about a product: built from what the bucket holds, kept beside it, found by `tasks/report_links.py`.

    reports/<product>/index.html     one file, without a script and without anything from elsewhere

What is on it is decided in `lifecycle/page_*.py`; charts are drawn by `tasks/drawing.py`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lifecycle import spec
from lifecycle.charts import number
from lifecycle.page import Page, page_key
from lifecycle.page_building import page
from lifecycle.settings import Settings
from tasks.clients import s3
from tasks.drawing import draw
from tasks.page_reading import read_source
from tasks.report_links import ReportLink, link
from tasks.step import note

_TEMPLATES = Path(__file__).parent / "templates"


def build_report(settings: Settings, product: str, now: datetime) -> ReportLink:
    """Build the page of a product as of `now`, store it and return where.

    A second call at the same moment on the same data stores the same bytes; a later one replaces them. Of two at once
    the last one stays, and the next look builds another. Raises SpecError for a product that there is not.
    """
    source = read_source(settings, spec.load(settings.products, product), now)
    body = render(page(source)).encode()
    key = page_key(product)
    s3().put_object(Bucket=settings.bucket, Key=key, Body=body, ContentType="text/html; charset=utf-8")
    note("report.built", product=product, bytes=len(body), looks=len(source.looks))
    return link(settings, product)


def render(found: Page) -> str:
    """Return the page as one file of HTML. Whatever came with the data is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # heavy
    from markupsafe import Markup  # noqa: PLC0415

    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["number"] = number
    charts = {
        (panel.key, at): Markup(draw(chart, f"{panel.key}-{at}"))  # noqa: S704  # its texts are escaped by the drawing
        for panel in found.panels
        for at, chart in enumerate(panel.charts)
    }
    style = Markup((_TEMPLATES / "page.css").read_text(encoding="utf-8"))  # noqa: S704  # our own
    return templates.get_template("page.html").render(page=found, charts=charts, style=style)
