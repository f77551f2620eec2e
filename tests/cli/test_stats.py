"""What `neokeep stats` prints: columns in line, names that cannot harm a terminal, and what is not listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from helpers.statistics_report import RICH, SHORT
from neokeep.cli.page import Page
from neokeep.cli.stats import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work
    from neokeep.reports import StatisticsReport


def printed(report: StatisticsReport, width: int | None = None) -> str:
    page = Page(width)
    show(report, page)
    return page.text


def test_numbers_are_aligned_whatever_a_label_begins_with() -> None:
    labels = tuple(
        msgspec.structs.replace(one, label=label)
        for one, label in zip(RICH.nodes.labels, ("3D", "<b>", "x"), strict=False)
    )
    report = msgspec.structs.replace(RICH, nodes=msgspec.structs.replace(RICH.nodes, labels=labels))
    lines = printed(report).splitlines()
    start = lines.index("Nodes by label")
    assert lines[start + 1 : start + 5] == [
        "LABEL      NODES  SHARE",
        "3D     2,814,552  90.8%",
        "<b>      402,117  13.0%",
        "x         93,001   3.0%",
    ]


def test_no_name_moves_the_cursor_or_breaks_a_line() -> None:
    text = printed(RICH)
    assert "\\x1b[31mRED" in text
    assert "a\\nb" in text
    assert all(letter.isprintable() for letter in text.replace("\n", ""))


def test_long_names_are_cut_in_the_middle_so_that_tables_fit() -> None:
    text = printed(RICH)
    assert "AnExceedinglyLongLabelTh…eToBreakTheLine" in text
    assert max(map(len, text.splitlines())) < 120


def test_what_is_not_listed_is_told() -> None:
    text = printed(RICH)
    assert "and 131 more labels: 4,021 nodes\n" in text
    assert "and about 2,097,152 more combinations: 305,665 nodes; the list is of a random sample\n" in text
    assert "and 1 more key of a label: 1 value\n" in text
    assert "Many0:Many1:Many2:Many3:Many4:Many5 and 14 more" in text
    assert "LIST<STRING> >99.9%, LIST<NOTHING>, +1 " in text
    assert "used by nothing:  3 labels, 1 property key\n" in text
    assert "In 2 places something could not be read" in text


def test_an_empty_graph_is_told_in_few_words() -> None:
    nodes = msgspec.structs.replace(SHORT.nodes, count=0, labels=(), combinations=(), property_keys=())
    relationships = msgspec.structs.replace(SHORT.relationships, count=0, types=(), patterns=(), property_keys=())
    text = printed(msgspec.structs.replace(SHORT, nodes=nodes, relationships=relationships))
    assert "Nodes by label" not in text
    assert "Relationships by" not in text
    assert "Record stores" in text


@pytest.mark.parametrize("width", [60, 100, 200])
def test_a_terminal_of_any_width_shows_every_label(width: int) -> None:
    text = printed(RICH, width)
    for one in RICH.nodes.labels[:4]:
        assert one.label in text


def test_options_reach_the_work(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["describe_graph"] = SHORT
    assert run("stats neo4j --home /h --top 7 --jobs 2").status == 0
    (subject,) = work.arguments_of("describe_graph")
    assert (subject.database, subject.jobs) == ("neo4j", 2)
    assert work.options_of("describe_graph")["most"] == 7


@pytest.mark.parametrize("line", ["stats", "stats neo4j --home /h --top 0", "stats neo4j --home /h --top many"])
def test_what_makes_no_sense_is_refused(run: Callable[..., Ran], line: str) -> None:
    assert run(line).status == 2
