"""Twelve tables nobody has described: from the file to the verdict on a first model, by `tropism init` alone.

    python benchmarks/own_data.py [NAME ...] [--write docs/own_data_table.md]

Each table runs in a process of its own: init, the gate on the very files, training, the promotion gate. No cloud and
no edits. Seconds are wall time on this machine; `make bench` prints the table, `--write` keeps it for the docs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_tables import Table, tables

if TYPE_CHECKING:
    from flows.rehearsal import Rehearsal
    from lifecycle.metrics import Metric

HEAD = ("table", "rows", "special", "task", "features", "judged by", "first model", "would serve", "seconds")


@dataclass(frozen=True)
class Line:
    """One table's line: what was understood and what became of a first model."""

    table: str
    rows: str
    special: str
    task: str = ""
    features: str = ""
    metric: str = ""
    found: str = ""
    serves: str = "no"
    seconds: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the cells in the order of the head."""
        return astuple(self)


def main() -> int:
    """Run the tables asked for and print a line each. Exit code 1 when more than one in twelve would not serve."""
    wanted = _arguments()
    if wanted.inside:
        print("\t".join(_run(next(one for one in tables() if one.name == wanted.inside)).cells))
        return 0
    found = []
    print(_line(HEAD), _line(("---",) * len(HEAD)), sep="\n", flush=True)
    for table in tables():
        if not wanted.names or table.name in wanted.names:
            found.append(_apart(table))
            print(_line(found[-1]), flush=True)
    if wanted.write:
        text = "\n".join([_line(HEAD), _line(("---",) * len(HEAD)), *map(_line, found)])
        wanted.write.write_text(text + "\n", encoding="utf-8")
    return int(sum(cells[7] != "yes" for cells in found) > len(found) // 12)


def _apart(table: Table) -> tuple[str, ...]:
    """Run one table in a process of its own, so that nothing is warm and memory comes back."""
    command = [sys.executable, __file__, "--inside", table.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return Line(table.name, "", table.about, found=done.stderr[-300:]).cells
    return tuple(done.stdout.strip().splitlines()[-1].split("\t"))


def _run(table: Table) -> Line:
    from flows.rehearsal import rehearse  # noqa: PLC0415  heavy
    from lifecycle.batch import Limits  # noqa: PLC0415
    from lifecycle.errors import TropismError  # noqa: PLC0415
    from tasks.drafting import Wanted, draft  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        paths = table.write(root)
        begun = time.monotonic()
        try:
            drawn = draft(table.name, paths, table.target, Wanted(), Limits())
            for name, body in drawn.files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(body)
            seen = rehearse(root, table.name, paths)
        except TropismError as error:
            return Line(table.name, "", table.about, found=str(error))
        seconds = time.monotonic() - begun
    known = drawn.understood
    return Line(
        table=table.name,
        rows=f"{drawn.rows.received:,}",
        special=table.about,
        task=known.task.task,
        features=str(sum(column.input for column in known.columns)),
        metric=known.sizing.evaluation.metric,
        found=_told(seen, known.sizing.evaluation.floors),
        serves="yes" if seen.would_serve else "no",
        seconds=f"{seconds:.0f}",
    )


def _told(seen: Rehearsal, floors: Mapping[Metric, float]) -> str:
    """Say how the model did beside its floors, or what is in the way."""
    told = [
        f"{name} {seen.metrics[name]:.3g} (floor {floor:.3g})" for name, floor in floors.items() if name in seen.metrics
    ]
    refused = [str(reason) for one in seen.taken if one.state == "quarantined" for reason in one.reasons]
    why = refused or ([] if seen.would_serve else [str(reason) for reason in seen.reasons])
    return ", ".join([*told, *why])


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="From a file to a verdict, for twelve tables.")
    parser.add_argument("names", nargs="*", help="tables to run; all without")
    parser.add_argument("--write", type=Path, help="keep the table as Markdown")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
