"""Where the page about a product lies, and what is stored there. Building it is `tasks/reports.py`."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.page import page_key
from lifecycle.settings import Settings
from tasks import objects


@dataclass(frozen=True)
class ReportLink:
    """Where a page lies: its object, and its address. On a laptop a browser opens it; in an account it is S3's."""

    product: str
    key: str
    url: str


def link(settings: Settings, product: str) -> ReportLink:
    """Return where a product's page lies, built or not."""
    key = page_key(product)
    if settings.aws_endpoint_url is None:
        return ReportLink(product, key, f"s3://{settings.bucket}/{key}")
    return ReportLink(product, key, f"{str(settings.aws_endpoint_url).rstrip('/')}/{settings.bucket}/{key}")


def find_report(settings: Settings, product: str) -> ReportLink | None:
    """Return where the page of a product is, or None when none was built."""
    key = page_key(product)
    return link(settings, product) if key in objects.keys(settings.bucket, key, limit=1) else None


def read_report(settings: Settings, product: str) -> bytes | None:
    """Return the page as it was stored, or None when none was built."""
    found = objects.read(settings.bucket, page_key(product))
    return found.body if found is not None else None
