"""The page about a product, built within a flow and linked from its run. Not a flow."""

from __future__ import annotations

from datetime import datetime

from prefect.artifacts import create_link_artifact

from lifecycle.settings import Settings
from tasks.step import Step


def show_page(step: Step, where: Settings, product: str, now: datetime) -> None:
    """Build a product's page and link it from the run. Done again, the page and the link are newer ones.

    Drawing is imported here: a look at a release that changes nothing need not wait for it.
    """
    from tasks import reports  # noqa: PLC0415  # heavy

    link = step("build page", reports.build_report, where, product, now)
    told = f"What serves {product}, its release, traffic, drift, performance, batches, trainings and cost."
    create_link_artifact(link.url, link_text=f"The page of {product}", key=f"page-{product}", description=told)
