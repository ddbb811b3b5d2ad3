"""Twelve tables nobody has described: from files to a model that answers, by `tropism init` and `tropism drop`.

    python benchmarks/own_data.py [NAME ...] [--rehearse] [--write docs/own_data_table.md]

One local cloud in a temporary home takes them all, one after the other; it is started before the first and ended
after the last. Nothing is edited and nothing is deployed in between. Seconds are wall time on this machine. With names,
only their lines of a page that exists are written anew. With `--rehearse` there is no cloud: `init --rehearse` tells
what ingest and training would make of the files.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_cloud import SECONDS, cloud_of, deployed, house, rehearse, serve
from benchmarks.own_lines import HEAD, Line, cells_of, row
from benchmarks.own_tables import Table, tables

_MAY_FAIL = 12  # one table in twelve
_SERVES = HEAD.index("serves")
_PAGE = """# Twelve tables, from files to a model that answers

{said} Written by

```
python benchmarks/own_data.py --write docs/own_data_table.md
```

One local cloud takes them all. Each goes by `tropism init NAME --data FILE… --target COLUMN --yes` and
`tropism drop NAME FILE… --wait`: nothing is edited, and nothing is deployed in between. What serves and what it
answers is the endpoint's own word, asked for the sample that `init` wrote; seconds are from `init` to that answer.

Tables come from installed packages (`benchmarks/own_tables.py`). Their columns are chosen, joined or summed up by day,
their values stay as published; one is made, where no installed table has what is special about it.

{rows}
"""


def main() -> int:
    """Run the tables asked for and print a line each. Exit code 1 when more than one in twelve serves too late."""
    signal.signal(signal.SIGTERM, _stop)  # else nobody would end the cloud
    wanted = _arguments()
    chosen = [table for table in tables() if not wanted.names or table.name in wanted.names]
    print(row(HEAD), row(("---",) * len(HEAD)), sep="\n", flush=True)
    found = []
    for one in _lines(chosen, rehearsed=wanted.rehearse):
        found.append(one)
        print(row(one.cells), flush=True)
    if wanted.write:
        before = wanted.write.read_text(encoding="utf-8") if wanted.write.is_file() else ""
        wanted.write.write_text(_page(found, before), encoding="utf-8")
    late = sum(not one.ended.serves or one.ended.seconds > SECONDS for one in found)
    return int(late > len(found) // _MAY_FAIL)


def _lines(chosen: Sequence[Table], *, rehearsed: bool) -> Iterator[Line]:
    """Yield a line per table. Raises RuntimeError when a product needed a deployment of its own."""
    with ExitStack() as stack:
        made = stack.enter_context(house())
        cloud = None if rehearsed else stack.enter_context(cloud_of(made))
        before = deployed(cloud) if cloud else ()
        for table in chosen:
            with tempfile.TemporaryDirectory() as folder:
                yield serve(made, cloud, table, Path(folder)) if cloud else rehearse(made, table, Path(folder))
        if cloud and deployed(cloud) != before:
            raise RuntimeError("A product was added, and a deployment changed.")


def _page(found: Sequence[Line], before: str) -> str:
    """Return the page for the docs; lines of tables that were not run stay as they were `before`."""
    rows = {cells[0]: cells for cells in map(cells_of, before.splitlines())} | {one.table: one.cells for one in found}
    kept = [rows[table.name] for table in tables() if table.name in rows]
    serving, slowest = sum(cells[_SERVES] != "no" for cells in kept), max(int(cells[-1]) for cells in kept)
    said = f"{serving} of {len(kept)} serve, the slowest after {slowest} s ({datetime.now(UTC):%Y-%m-%d}, 2 cores)."
    return _PAGE.format(said=said, rows="\n".join(map(row, (HEAD, ("---",) * len(HEAD), *kept))))


def _stop(*_: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="From a file to a model that answers, for twelve tables.")
    parser.add_argument("names", nargs="*", help="tables to run; all without")
    parser.add_argument("--rehearse", action="store_true", help="without a cloud")
    parser.add_argument("--write", type=Path, help="keep the table as Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
