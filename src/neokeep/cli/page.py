"""A page of text for people: lines, facts and tables that fit where they are printed.

Where nobody watches, or where a table is wider than the terminal, it is plain aligned text, there with each row on
several lines: a label is never cut or wrapped, so that it can be copied into the next command.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import TextIO

Row = Sequence[str]

_GAP = "  "
_GOES_ON = "    "


class Page:
    """Collects text. `width` is that of the terminal, None where the output is no terminal."""

    def __init__(self, width: int | None = None) -> None:
        self.width = width
        self._parts: list[str] = []

    @classmethod
    def for_stream(cls, stream: TextIO) -> Page:
        """Make a page that fits a stream."""
        watched = stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}
        return cls(shutil.get_terminal_size().columns if watched else None)

    @property
    def text(self) -> str:
        """All that was put on the page."""
        return "".join(self._parts)

    def line(self, text: str = "") -> None:
        """Put a line."""
        self._parts.append(f"{text}\n")

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Put names and values below each other."""
        widest = max((len(name) for name, _ in facts), default=0)
        for name, value in facts:
            self.line(f"{name + ':':<{widest + 1}}  {value}".rstrip())

    def table(self, header: Row, rows: Sequence[Row], *, right: Sequence[str] = ()) -> None:
        """Put a table; the columns named by `right` are aligned to the right."""
        plain = plain_table(header, rows, right, self.width)
        # Between its columns, a drawn table has one blank more than plain text.
        widest = max(len(line) for line in plain) + len(header) - 1
        if self.width is None or widest > self.width or len(plain) > len(rows) + 1:
            self._parts += [f"{line}\n" for line in plain]
        else:
            self._parts.append(_drawn_table(header, rows, right, self.width))


def plain_table(header: Row, rows: Sequence[Row], right: Sequence[str], limit: int | None = None) -> list[str]:
    """Align columns by blanks, as programs that read lines like it; a row longer than `limit` goes on below itself."""
    table = [[name.upper() for name in header], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    parts = _fold(widths, limit)
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(header, row, widths, strict=True)
        ]
        for part in parts:
            begin = _GOES_ON if part.start else ""
            lines.append(f"{begin}{_GAP.join(cells[part])}".rstrip())
    return lines


def _fold(widths: Sequence[int], limit: int | None) -> list[slice]:
    """Decide which columns stand on one line: all, or as many as fit."""
    parts: list[slice] = []
    start, used = 0, 0
    for column, width in enumerate(widths):
        if limit is not None and column > start and used + len(_GAP) + width > limit:
            parts.append(slice(start, column))
            start, used = column, len(_GOES_ON) + width
        else:
            used += width if column == start else len(_GAP) + width
    return [*parts, slice(start, len(widths))]


def _drawn_table(header: Row, rows: Sequence[Row], right: Sequence[str], width: int) -> str:
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for name in header:
        table.add_column(Text(name), justify="right" if name in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    drawn = StringIO()
    Console(file=drawn, force_terminal=True, width=width).print(table)
    return "".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines())
