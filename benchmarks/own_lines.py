"""What is told of a table nobody has described: a line of `docs/own_data_table.md`. Used by `own_data.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from benchmarks.own_tables import Table
from cli.initialised import Initialised
from cli.predict import figure

HEAD = (
    *("table", "rows", "what is special", "from", "task", "features", "judged by", "first model"),
    *("serves", "its answer to the sample", "seconds"),
)
_FEW_CLASSES = 3


@dataclass(frozen=True)
class Ended:
    """Which model answers, what it says of the sample, and the seconds of wall time from `init` to there."""

    serves: str = ""
    answer: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Line:
    """One table's line: what was understood, what became of a first model, or what is in the way."""

    table: str
    rows: str
    about: str
    source: str
    task: str
    features: str
    metric: str
    found: str
    ended: Ended = Ended()

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the cells in the order of the head."""
        *cells, _ = astuple(self)
        return (*cells, self.ended.serves or "no", self.ended.answer, f"{self.ended.seconds:.0f}")


def line(table: Table, drawn: Initialised, metrics: Mapping[str, float], reasons: Sequence[str], ended: Ended) -> Line:
    """Return a table's line from what `init` understood, the first model's metrics, and what is in the way."""
    floors = drawn.floors.items()
    told = [f"{name} {metrics[name]:.3g} (floor {floor:.3g})" for name, floor in floors if name in metrics]
    return Line(
        table=table.name,
        rows=f"{drawn.rows:,}",
        about=table.about,
        source=table.source,
        task=drawn.task,
        features=str(len(drawn.features)),
        metric=drawn.metric,
        found="; ".join([*told, *reasons]),
        ended=ended,
    )


def failed(table: Table, sentence: str) -> Line:
    """Return the line of a table for which a command ended with a sentence."""
    return Line(table.name, "", table.about, table.source, "", "", "", sentence)


def row(cells: Sequence[str]) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |"


def cells_of(written: str) -> tuple[str, ...]:
    """Return the cells of a row of a Markdown table, of another line the line itself."""
    return tuple(written.removeprefix("| ").removesuffix(" |").split(" | "))


def answered(predictions: Sequence[float | tuple[float, ...]]) -> str:
    """Return the prediction of one row for people; of many classes, only the chance of the likeliest."""
    (one,) = predictions
    if isinstance(one, tuple) and len(one) > _FEW_CLASSES:
        return f"{len(one)} classes, the likeliest {max(one):.4f}"
    return figure(one)
