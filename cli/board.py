"""The lines that show followed files: one live line per file on a terminal, one line per change elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli import output

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from cli.follow import Sight


Line = tuple[str, str, str]  # a file's name, what it waits for, the page of the run that works on it


class Board:
    """Shows what is waited for on stderr."""

    def __init__(self, live: Live | None, *, silent: bool) -> None:
        """Take a terminal's live display, or None to print changes."""
        self._live, self._silent = live, silent
        self._lines: dict[str, Line] = {}

    def show(self, sight: Sight) -> None:
        """Show what is known of a delivery now; what was shown already is not repeated."""
        line = (
            sight.landed.path.name,
            sight.waiting or "has ended",
            sight.run.page if sight.run and sight.waiting else "",
        )
        before = self._lines.get(sight.landed.delivery_id, ("", "", ""))
        if self._silent or before == line:
            return
        self._lines[sight.landed.delivery_id] = line
        if self._live is not None:
            self._live.update(self._table())
        else:
            _print_change(before, line)

    def _table(self) -> Table:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        for name, waiting, page in self._lines.values():
            table.add_row(
                Spinner("dots"), Text(name), Text(waiting), Text(page, style=f"dim link {page}" if page else "")
            )
        return table


def _print_change(before: Line, line: Line) -> None:
    """Print what is new about a file: the state it is in, or the page of the run that works on it."""
    name, waiting, page = line
    if waiting != before[1]:
        print(f"  … {name} {waiting}", file=sys.stderr, flush=True)
    if page and page != before[2]:
        print(f"    {page}", file=sys.stderr, flush=True)


@contextmanager
def opened(*, silent: bool) -> Iterator[Board]:
    """Open a board; it leaves nothing behind on a terminal, since the answer is printed afterwards."""
    screen = output.console(stderr=True)
    if silent or not screen.is_terminal:
        yield Board(None, silent=silent)
        return
    from rich.live import Live

    with Live(console=screen, transient=True, refresh_per_second=8) as live:
        yield Board(live, silent=False)
