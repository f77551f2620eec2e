from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.cli.output import write
from neokeep.cli.page import Page
from neokeep.cli.terminal import Bar, Lines, how_far, progress_shown
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL = "a-very-long-label-of-a-database-20260801-120000F"
HEADER: Sequence[str] = ("backup", "size")
ROWS: Sequence[Sequence[str]] = ((LABEL, "1.9 GiB"), ("neo4j", "12 B"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.moment = 0.0

    def __call__(self) -> float:
        return self.moment


def noon() -> datetime:
    return datetime(2026, 8, 1, 12, tzinfo=UTC)


def test_a_table_where_nobody_watches_is_plain_and_aligned() -> None:
    page = Page()
    page.table(HEADER, ROWS, right=("size",))
    lines = page.text.splitlines()
    assert lines[0] == f"{'BACKUP':<{len(LABEL)}}     SIZE"
    assert lines[2].endswith("     12 B")
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("width", [20, 57, 58, 60, 70, 200])
def test_a_table_never_cuts_or_wraps_a_label(width: int) -> None:
    page = Page(width)
    page.table(HEADER, ROWS, right=("size",))
    lines = page.text.splitlines()
    at = next(number for number, line in enumerate(lines) if LABEL in line)
    assert "1.9 GiB" in lines[at if width >= 57 else at + 1]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (30, ["NAME   FIRST TX  LAST TX  SIZE", "neo4j         9       12  1 B"]),
        (29, ["NAME   FIRST TX  LAST TX", "    SIZE", "neo4j         9       12", "    1 B"]),
    ],
)
def test_a_row_that_does_not_fit_goes_on_below_itself_column_by_column(width: int, lines: list[str]) -> None:
    page = Page(width)
    page.table(("name", "first tx", "last tx", "size"), (("neo4j", "9", "12", "1 B"),), right=("first tx", "last tx"))
    assert page.text.splitlines() == lines


WORDS = st.text("ab", min_size=1, max_size=20)


@given(st.integers(1, 60), st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4))
def test_a_table_is_as_narrow_as_the_terminal_and_holds_every_cell(
    width: int, rows: list[tuple[str, str, str]]
) -> None:
    page = Page(width)
    page.table(("x", "y", "z"), rows)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", page.text)
    cells = ["x", "y", "z", *(cell for row in rows for cell in row)]
    assert sorted(word.lower() for word in plain.split() if word[0].isalpha()) == sorted(cells)
    assert all(len(line) <= max(width, 4 + max(map(len, cells))) for line in plain.splitlines())


@pytest.mark.parametrize("width", range(40, 90))
def test_a_drawn_table_is_never_wider_than_the_terminal(width: int) -> None:
    page = Page(width)
    page.table(HEADER, ROWS, right=("size",))
    drawn = "\N{BOX DRAWINGS LIGHT HORIZONTAL}" in page.text
    assert drawn == (width >= len(LABEL) + 3 + len("1.9 GiB"))


def test_a_name_that_looks_like_markup_is_printed_as_it_is() -> None:
    page = Page(80)
    page.table(("database",), (("[red]x[/red]",),))
    assert "[red]x[/red]" in page.text


def test_a_terminal_that_cannot_show_a_letter_gets_a_question_mark() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write(stream, "größe\n")
    stream.seek(0)
    assert stream.read() == "gr??e\n"


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [
        (0, 1000, 0.0, "copy: 0%, 0 B of 1000 B, 0 B/s"),
        (2**20, 4 * 2**20, 1.0, "copy: 25%, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, 3.0s left"),
        (5 * 2**20, 4 * 2**20, 1.0, "copy: 100%, 5.0 MiB of 4.0 MiB, 5.0 MiB/s, 0.0s left"),
        (-5, 100, 1.0, "copy: 0%, -5 B of 100 B, 0 B/s"),
        (2048, 0, 2.0, "copy: 2.0 KiB, 1.0 KiB/s"),
    ],
)
def test_how_far_a_task_is(done: int, total: int, seconds: float, text: str) -> None:
    assert how_far("copy", done, total, seconds) == text


def test_lines_come_every_few_seconds_and_carry_the_time() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, clock=clock, today=noon)
    lines.begin("copy neo4j", 100 * 2**20)
    for _ in range(12):
        clock.moment += 1
        lines.advance(2**20)
    lines.say("log file 3 was rotated")
    lines.end()
    clock.moment += 60
    lines.advance(2**20)
    assert stream.getvalue().splitlines() == [
        "2026-08-01 12:00:00Z copy neo4j: 100 MiB",
        "2026-08-01 12:00:00Z copy neo4j: 5%, 5.0 MiB of 100 MiB, 1.0 MiB/s, 1m35s left",
        "2026-08-01 12:00:00Z copy neo4j: 10%, 10.0 MiB of 100 MiB, 1.0 MiB/s, 1m30s left",
        "2026-08-01 12:00:00Z log file 3 was rotated",
    ]


def test_a_log_that_nobody_can_write_to_does_not_stop_the_work() -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    Lines(Full()).say("anything")


def test_a_bar_is_shown_on_a_terminal_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with progress_shown(silent=False, stream=stream) as progress:
        assert isinstance(progress, Bar)
        progress.begin("copy [neo4j]", 4096)
        progress.advance(1024)
        progress.advance(-512)
        progress.say("a [bold] word")
        progress.end()
        progress.begin("follow the log", 0)
        progress.advance(10)
    assert "copy [neo4j]" in stream.getvalue()
    assert "a [bold] word" in stream.getvalue()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_without_powers_gets_lines(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)
    with progress_shown(silent=False, stream=Terminal()) as progress:
        assert isinstance(progress, Lines)


def test_silence_is_silent() -> None:
    with progress_shown(silent=True, stream=Terminal()) as progress:
        assert isinstance(progress, Silent)
