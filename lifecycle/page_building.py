"""The whole page about a product, made of everything that is known. Pure: the same source, the same page."""

from __future__ import annotations

from lifecycle import (
    page_batches,
    page_cost,
    page_distributions,
    page_drift,
    page_outcomes,
    page_release,
    page_serving,
    page_traffic,
    page_trainings,
)
from lifecycle.page import Page
from lifecycle.page_source import Source


def page(source: Source) -> Page:
    """Return the page. Every panel is on it, an empty one with what is missing."""
    return Page(
        product=source.name,
        description=source.product.description,
        built_at=source.now,
        mood=page_serving.mood(source),
        word=page_serving.word(source),
        headline=page_serving.headline(source),
        notices=page_serving.notices(source),
        facts=page_serving.facts(source),
        panels=(
            page_release.panel(source),
            page_traffic.panel(source),
            page_outcomes.panel(source),
            page_distributions.panel(source),
            page_drift.panel(source),
            page_batches.panel(source),
            page_trainings.panel(source),
            page_cost.panel(source),
        ),
    )
