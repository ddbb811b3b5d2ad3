"""How answers look: tables, bars and links for people, JSON for scripts.

Colour, live progress and links appear on a terminal only; elsewhere the same words come as plain lines, so a
CI log stays readable. It decides nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.shapes import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

PLAIN_WIDTH = 160  # a log has no width of its own; rich would assume 80 and break every path


def emit(value: object) -> None:
    """Print a shape as JSON on stdout."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr; without a terminal it writes plain lines."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """Print lines for people; square brackets are text, not markup, and no file's name commands the terminal."""
    print(_harmless(text), flush=True)


def heading(text: str) -> None:
    """Print a line that starts something, apart from what came before."""
    from rich.text import Text

    console().print(Text(f"\n{text}", style="bold"))


def warn(text: str) -> None:
    """Print one loud line on stderr, so that it is seen beside `--json` as well."""
    from rich.text import Text

    console(stderr=True).print(Text(f"Warning: {text}", style="bold yellow"))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows under headings; the columns named in `right` are numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        out.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        out.add_row(*(Text(_harmless(cell)) for cell in row))
    console().print(out)


def _harmless(text: str) -> str:
    """Return text whose control signs are blanks; lines and tabs stay."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else " " for sign in text)


def facts(pairs: Sequence[tuple[str, str]], *, indent: int = 0) -> None:
    """Print names and values, one a line, the values aligned."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        say(f"{' ' * indent}{name.ljust(width)}  {value}".rstrip())


@contextmanager
def progress(text: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Show what is being waited for: one live line on a terminal, a line per change elsewhere, nothing when quiet."""
    screen = console(stderr=True)
    if quiet:
        yield Progress(None, silent=True)
    elif screen.is_terminal:
        with screen.status(text) as live:
            yield Progress(live, silent=False)
    else:
        line = Progress(None, silent=False)
        line.update(text)
        yield line


class Progress:
    """The line that says what is being waited for."""

    def __init__(self, live: Status | None, *, silent: bool) -> None:
        """Take the live line of a terminal, or None to print changes as lines."""
        self._live, self._silent, self._last = live, silent, ""

    def update(self, text: str) -> None:
        """Say what is being waited for now; the same text again says nothing."""
        if self._silent or text == self._last:
            return
        self._last = text
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(text))
        else:
            print(f"  … {text}", file=sys.stderr, flush=True)


def moment(at: datetime | None) -> str:
    """Return a time for people, in UTC to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at is not None else "never"


def stamp(at: datetime) -> str:
    """Return a time for scripts: ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def short(identity: str) -> str:
    """Shorten a sha256 to the twelve characters people are shown."""
    return identity[:12]


def number(value: int | None) -> str:
    """Return a count with thousands apart."""
    return "" if value is None else f"{value:,}"


def duration(seconds: float) -> str:
    """Return a length of time for people."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"  # noqa: PLR2004
