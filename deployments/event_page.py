"""The table of `docs/events.md`, written from the code: `python -m deployments.event_page` brings the page up to date.

A page that is out of date fails its test, so it is never corrected by hand.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from deployments.manifest import Manifest, load
from deployments.samples import events
from lifecycle.events import Event, EventName

PAGE = Path("docs/events.md")
_BEGIN, _END = "<!-- table: python -m deployments.event_page -->", "<!-- end of table -->"
_COMMON = {field.name for field in dataclasses.fields(Event)}


def table(manifest: Manifest) -> str:
    """Return the table: one row per event, in the order of their names' definition."""
    examples = {event.name: event for event in events()}
    rows = [
        "| event | sent when | about | payload beside `product`, `attempt`, `retry_of` | id from | starts |",
        "|---|---|---|---|---|---|",
        *(_row(examples[name], manifest) for name in EventName),
    ]
    return "\n".join(rows)


def page(text: str, manifest: Manifest) -> str:
    """Return the page with the table between its two marks replaced."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table(manifest)}\n{_END}{after}"


def main() -> None:
    """Write the page of the current folder."""
    manifest = load(Path("prefect.yaml"), os.environ)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), manifest), encoding="utf-8")


def _row(event: Event, manifest: Manifest) -> str:
    payload = ", ".join(f"`{name}`" for name in sorted(event.payload.keys() - _COMMON))
    cells = (
        f"`{event.name}`",
        _sentence(event),
        f"`{_about(event)}`",
        payload,
        ", ".join(f"`{name}`" for name in event.identified_by),
        ", ".join(_started(event.name, manifest)) or "nothing",
    )
    return f"| {' | '.join(cells)} |"


def _sentence(event: Event) -> str:
    """Return the first sentence of the event's docstring."""
    return " ".join((type(event).__doc__ or "").split()).split(". ")[0].split(" Wakes ")[0].rstrip(".") + "."


def _about(event: Event) -> str:
    """Return the form of the resource's id."""
    forms = {
        "tropism.batch": "tropism.batch.<product>.<batch_id>",
        "tropism.model": "tropism.model.<product>.<version>",
        "tropism.product": "tropism.product.<product>",
        "prefect.flow-run": "prefect.flow-run.<flow_run_id>",
    }
    return forms[".".join(event.resource.split(".")[:2])]


def _started(name: str, manifest: Manifest) -> Iterator[str]:
    """Yield the deployments that the event starts."""
    for deployment in manifest.deployments:
        if any(name in trigger.expect for trigger in deployment.triggers):
            yield f"`{deployment.name}`"


if __name__ == "__main__":
    main()
