"""The page about a product: panels of facts, tables and charts, as values. Pure.

What each panel says is the business of the `page_*` modules; how it looks is the template's. Everything here is plain
text: whoever renders it escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lifecycle.charts import Chart, Table

Mood = Literal["ok", "noted", "warned", "breached", "undecidable"]

# How a product is, in a word.
MOODS: Mapping[Mood, str] = {
    "ok": "well",
    "noted": "well",
    "warned": "warned",
    "breached": "in breach",
    "undecidable": "undecidable",
}


@dataclass(frozen=True)
class Fact:
    """A name and what it is; `note` explains it in small."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Empty:
    """What is missing, and the command that brings it."""

    missing: str
    command: str


@dataclass(frozen=True)
class Stage:
    """One step of a release. `state`: behind it, at it, or still to come."""

    label: str
    state: Literal["done", "now", "next"]
    note: str = ""


@dataclass(frozen=True)
class Notice:
    """Something to know before all else."""

    mood: Mood
    text: str


@dataclass(frozen=True)
class Panel:
    """One part of the page. `empty` says what is missing where there is nothing, or not everything, to show."""

    key: str
    title: str
    lead: str = ""
    notices: tuple[Notice, ...] = ()
    facts: tuple[Fact, ...] = ()
    stages: tuple[Stage, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    empty: Empty | None = None


@dataclass(frozen=True)
class Page:
    """Everything that is shown of a product at a moment.

    `headline`: what serves, in a sentence; `word`: how the product is.
    """

    product: str
    description: str
    built_at: datetime
    mood: Mood
    word: str
    headline: str
    notices: tuple[Notice, ...]
    facts: tuple[Fact, ...]
    panels: tuple[Panel, ...]


def page_key(product: str) -> str:
    """Return where a product's page lies in the bucket."""
    return f"reports/{product}/index.html"
