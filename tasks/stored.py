"""How much of S3 a product takes up over a time: every version of every object, also what was overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from lifecycle.predictions import log_prefix
from tasks.clients import s3

__all__ = ["GIGABYTE", "average_gb", "log_prefix", "prefixes"]

GIGABYTE = 1024**3
_ZONES = ("landing", "validated", "quarantine", "ledger", "labels", "metrics", "reports", "scores", "mlflow")


def prefixes(product: str) -> tuple[str, ...]:
    """Return where a product's objects lie, the prediction log left out."""
    return (*(f"{zone}/{product}/" for zone in _ZONES), f"control/{product}.json", f"control/{product}/")


def average_gb(bucket: str, under: Iterable[str], since: datetime, now: datetime) -> float:
    """Return the gigabytes kept on average from `since` to `now`: sizes weighted by how long each was there.

    S3 does not list what was deleted for good meanwhile, and overwritten bytes are taken as kept, as they are until
    the bucket forgets them. Raises botocore's ClientError or BotoCoreError when S3 does not list.
    """
    span = now - since
    weighted = (size * min(span, max(now - written, timedelta(0))) / span for size, written in _versions(bucket, under))
    return sum(weighted) / GIGABYTE


def _versions(bucket: str, under: Iterable[str]) -> Iterator[tuple[int, datetime]]:
    for prefix in under:
        for page in s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Versions", []):
                yield item["Size"], item["LastModified"]
