"""Charts drawn as SVG for a page: text stays text, colours are the page's, nothing outside is referred to.

Matplotlib draws. What a chart says is `lifecycle/charts.py`, how a drawing becomes part of a page `tasks/inlining.py`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from lifecycle.charts import Chart, Kind, Series
from tasks.inlining import GRID, INK, MUTED, TONES, inlined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT, _POINTS = 360, 210, 72  # points of the drawing; a card of the page is about as wide
_ROW, _MARGIN = 22, 66  # a chart on its side is as high as it has names
_LETTERS = 10.5
_STYLE: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tropism",
    "font.size": _LETTERS,
    "text.parse_math": False,  # a column may be called `$x$`
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.8,
    "lines.markersize": 3.5,
}
_MOST_TICKS, _MOST_NAMES, _MOST_LETTERS, _UPRIGHT = 6, 11, 16, 2
_MOST_POINTS, _FAR = 40, 4


def draw(chart: Chart, key: str) -> str:
    """Return the chart as an SVG element; `key` keeps its ids apart from other charts' and names its title.

    The same chart under the same key is the same text. Matplotlib's settings are changed while it draws.
    """
    import matplotlib as mpl  # noqa: PLC0415  # heavy
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    height = _MARGIN + _ROW * len(chart.places) if chart.kind == "across" else _HEIGHT
    out = io.StringIO()
    with mpl.rc_context(dict(_STYLE)), warnings.catch_warnings():
        # The reader's fonts show the text, whatever the one it is measured with lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(_WIDTH / _POINTS, height / _POINTS), layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        _KINDS[chart.kind](axes, chart)
        _limits(axes, chart)
        if chart.kind == "lines" and _from_zero(chart):
            axes.set_ylim(bottom=0)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel("" if chart.kind == "across" else chart.y_label)
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return inlined(out.getvalue(), chart, key)


def _bars(axes: Axes, chart: Chart) -> None:
    """Draw the series beside each other at each place."""
    places, width = np.arange(len(chart.places)), 0.8 / max(len(chart.series), 1)
    for order, one in enumerate(chart.series):
        shift = (order - (len(chart.series) - 1) / 2) * width
        axes.bar(places + shift, _filled(one), width, color=TONES[one.tone])
    _names(axes, chart)
    axes.grid(visible=False, axis="x")


def _stacked(axes: Axes, chart: Chart) -> None:
    """Draw the series on top of each other, with a bar an hour where places are hours."""
    places = _moments(chart.places) if chart.over_time else np.arange(len(chart.places), dtype=np.float64)
    width = 0.85 * (float(np.diff(places).min()) if len(places) > 1 else 1 / 24 if chart.over_time else 1.0)
    below = np.zeros(len(places))
    for one in chart.series:
        axes.bar(places, _filled(one), width, bottom=below, color=TONES[one.tone])
        below += _filled(one)
    if chart.over_time:
        _dates(axes, chart)
    else:
        axes.set_xticks([])
    axes.grid(visible=False, axis="x")
    axes.set_ylim(bottom=0)


def _lines(axes: Axes, chart: Chart) -> None:
    """Draw each series as a line, with its bounds as a band; points where they are few, or alone between gaps."""
    places = _moments(chart.places)
    for one in chart.series:
        values, color = _values(one.values), TONES[one.tone]
        known = np.isfinite(np.concatenate([[np.nan], values, [np.nan]]))
        alone, few = known[1:-1] & ~known[:-2] & ~known[2:], known.sum() <= _MOST_POINTS
        line, width = ("--", 1.1) if one.dashed else ("-", 1.8)
        axes.plot(places, values, line, color=color, linewidth=width)
        if not one.dashed:
            axes.plot(places, np.where(few | alone, values, np.nan), "o", color=color)
        if one.lower is not None and one.upper is not None:
            axes.fill_between(places, _values(one.lower), _values(one.upper), color=color, alpha=0.2, lw=0)
    _dates(axes, chart)


def _from_zero(chart: Chart) -> bool:
    """Say whether the scale begins at nothing: estimates and scores of a model do not, shares and times do."""
    found = [value for one in chart.series for value in one.values if value is not None]
    return bool(found) and min(found) >= 0 and not any(one.lower for one in chart.series)


def _points(axes: Axes, chart: Chart) -> None:
    """Draw each series as points with their intervals."""
    places = _moments(chart.places)
    for one in chart.series:
        values, color = _values(one.values), TONES[one.tone]
        if one.dashed:
            axes.plot(places, values, "--", color=color, lw=1.1)
            continue
        face = "none" if one.hollow else color
        bounds = None
        if one.lower is not None and one.upper is not None:
            bounds = np.maximum(0, np.stack([values - _values(one.lower), _values(one.upper) - values]))
        axes.errorbar(places, values, bounds, fmt="o", color=color, mfc=face, capsize=3, markersize=5, elinewidth=1.2)
    _dates(axes, chart)


def _across(axes: Axes, chart: Chart) -> None:
    """Draw names downwards and one series to the right; values far beyond the limits end at the edge."""
    values = _filled(chart.series[0])
    axes.barh(np.arange(len(values)), values, 0.62, color=TONES[chart.series[0].tone])
    axes.set_yticks(np.arange(len(values)), [_short(str(one), 30) for one in chart.places])
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=4)
    axes.grid(visible=False, axis="y")
    most = max((one.value for one in chart.limits), default=0.0)
    if 0 < most <= _FAR * max(map(abs, values), default=0.0):
        low, high = min(0.0, *values) if len(values) else 0.0, max(most, *values) if len(values) else most
        axes.set_xlim(max(low, -most), min(high, 3 * most) * 1.08)


_KINDS: Mapping[Kind, Callable[[Axes, Chart], None]] = {
    "bars": _bars,
    "stacked": _stacked,
    "lines": _lines,
    "points": _points,
    "across": _across,
}


def _limits(axes: Axes, chart: Chart) -> None:
    """Draw the limits; one far above everything is named in the legend only, or nothing else could be read."""
    found = [value for one in chart.series for value in one.values if value is not None]
    highest = max(found, default=0.0)
    for one in chart.limits:
        if one.value > _FAR * highest > 0:
            continue
        if chart.kind == "across":
            axes.axvline(one.value, color=TONES[one.tone], linestyle="--", linewidth=1.1)
        else:
            axes.axhline(one.value, color=TONES[one.tone], linestyle="--", linewidth=1.1)


def _names(axes: Axes, chart: Chart) -> None:
    """Name the places, or every n-th of many; names are slanted unless they are numbers."""
    step = max(1, -(-len(chart.places) // _MOST_NAMES))
    at = np.arange(0, len(chart.places), step)
    names = [_short(str(chart.places[place]), _MOST_LETTERS) for place in at]
    slanted = any(len(name) > _UPRIGHT for name in names)
    axes.set_xticks(at, names, rotation=45 if slanted else 0, ha="right" if slanted else "center")


def _dates(axes: Axes, chart: Chart) -> None:
    """Name moments on a scale of time that is never narrower than some hours."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415

    places = _moments(chart.places)
    margin = max(float(places[-1] - places[0]) * 0.03, 1 / 12)
    axes.set_xlim(float(places[0]) - margin, float(places[-1]) + margin)
    locator = AutoDateLocator(minticks=3, maxticks=_MOST_TICKS)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _moments(places: Sequence[datetime | str]) -> Any:  # noqa: ANN401  # matplotlib publishes no type for it
    from matplotlib.dates import date2num  # noqa: PLC0415

    return np.asarray(date2num(list(places)), dtype=np.float64)  # type: ignore[no-untyped-call]


def _values(values: Sequence[float | None]) -> Any:  # noqa: ANN401
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def _filled(series: Series) -> Any:  # noqa: ANN401
    return np.nan_to_num(_values(series.values), nan=0.0)


def _short(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
