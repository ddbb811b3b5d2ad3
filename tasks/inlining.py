"""A drawing of Matplotlib's made part of a page: without what belongs to a file of its own, in the page's colours.

Its colours are stand-ins that become the page's variables, so that one drawing is read by day and by night.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from lifecycle.charts import Chart, Tone

# Colours nobody else uses; each becomes a variable of the page.
INK, MUTED, GRID = "#0a0b01", "#0a0b02", "#0a0b03"
TONES: Mapping[Tone, str] = {
    "first": "#0a0b11",
    "second": "#0a0b12",
    "third": "#0a0b13",
    "fourth": "#0a0b14",
    "muted": "#0a0b15",
    "ok": "#0a0b16",
    "warn": "#0a0b17",
    "bad": "#0a0b18",
}
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--soft)",
    GRID: "var(--line)",
    **{color: f"var(--{tone})" for tone, color in TONES.items()},
}
_SVG, _HREF = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


def inlined(text: str, chart: Chart, key: str) -> str:
    """Return the drawing without what belongs to a file of its own, under ids of its own, with title and sentence."""
    root = ET.fromstring(text)  # noqa: S314  # written by matplotlib a moment ago
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    used = {name for one in root.iter() for value in one.attrib.values() for name in re.findall(r"#([\w.-]+)", value)}
    for one in root.iter():
        one.tag = one.tag.removeprefix(_SVG)
        one.attrib = {
            ("href" if name == _HREF else name): _valued(name, value, key)
            for name, value in one.attrib.items()
            if name != "id" or value in used
        }
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{key}-title {key}-desc",
        "class": f"chart {chart.kind}",
    }
    for position, (tag, said) in enumerate((("title", chart.title), ("desc", f"{chart.y_label}. {chart.caption}"))):
        named = ET.Element(tag, {"id": f"{key}-{tag}"})
        named.text = said
        root.insert(position, named)
    return ET.tostring(root, encoding="unicode")


def _valued(name: str, value: str, key: str) -> str:
    """Return an attribute with the page's colours and this chart's ids."""
    if name == "id":
        return f"{key}-{value}"
    value = re.sub(r"font:[^;]*?([\d.]+px)[^;]*", r"font-size: \1", value)
    value = re.sub(r"font-family:[^;]*;?", "", value)
    value = re.sub(r"#0a0b[01][0-9a-f]", lambda found: _VARIABLES[found[0]], value)
    if name == _HREF:
        return f"#{key}-{value.removeprefix('#')}"
    return re.sub(r"url\(#", f"url(#{key}-", value)
