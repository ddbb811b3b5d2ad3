"""What is declared sensitive stays in the data zones: no reason, record, page, event or log tells a value of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from lifecycle.batch import codes
from lifecycle.delivery import to_markdown
from tests.ingest import parts

CANARY, NUMBER = "canary-of-ulm", 31337
ZONES = ("landing/", "validated/", "quarantine/")


def declare(shop: Any, *columns: str) -> None:
    path: Path = shop.root / "products/parts/product.yaml"
    text = path.read_text().replace("evaluation:", "predictions: { features: digest }\nevaluation:")
    for column in columns:
        text = text.replace(f"name: {column}, ", f"name: {column}, sensitive: true, ")
    path.write_text(text)
    named = parts.rule("column_values_to_be_in_set", "warning", column="name", value_set=[f"{CANARY}-known"])
    parts.suite(shop.root, parts.rows(100), parts.sizes(NUMBER), named)


def delivered(shop: Any) -> Any:
    names = [f"{CANARY}-{'known' if number else 'strange'}" for number in range(50)]
    sizes = [NUMBER + (number == 3) for number in range(50)]
    records = [f"{n},{names[n]},{sizes[n]},{n / 4},2024-01-01T00:00:00Z" for n in range(50)]
    return shop.deliver(parts.csv(records), "may.csv")


def told(shop: Any, record: Any) -> dict[str, str]:
    """Return all that is told of a delivery outside the data zones, and the reasons kept with its rows."""
    found = {key: shop.bytes_of(key).decode(errors="replace") for key in shop.keys("") if not key.startswith(ZONES)}
    kept = [key for key in shop.keys("quarantine/") if key.endswith(".json")]
    found |= {key: shop.bytes_of(key).decode() for key in kept}
    found |= {"page": to_markdown(record), "message": record.message()}
    return found | {"events": str([event.payload for event in shop.events])}


def leaks(out: dict[str, str]) -> set[str]:
    """Return where a planted value is told, however its thousands are written."""
    return {name for name, text in out.items() if any(one in text for one in (CANARY, "31337", "31,337", "31,338"))}


def test_nothing_that_is_told_of_a_delivery_holds_a_sensitive_value(
    shop: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "tropism")
    declare(shop, "name", "size")
    record = delivered(shop)
    assert (codes(record.reasons), record.rows.quarantined) == (("RANGE", "CATEGORY"), 2)
    assert str(record.reasons[0]) == (
        "RANGE size: found values of a sensitive column, expected what the suite says (1 row)."
    )
    out = {**told(shop, record), "log": "".join(one.getMessage() for one in caplog.records if "tropism" in one.name)}
    out["printed"] = "".join(capfd.readouterr())
    assert leaks(out) == set()


def test_the_same_values_are_told_when_nothing_is_declared(shop: Any) -> None:
    """The search would see them."""
    declare(shop)
    record = delivered(shop)
    assert leaks(told(shop, record)) >= {"page", "message"}
