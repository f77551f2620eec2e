"""The page needs nothing but itself, takes no name for markup, and shows what the report has."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import examples
from helpers.statistics_report import EVIL, RICH, SHORT
from neokeep.errors import AccessError, ConfigurationError, RepositoryError
from neokeep.reports import DegreeBucket, DegreeStatistics, LabelStatistics, StatisticsReport, StoreStatistics
from neokeep.statistics.html import page_of, write_page
from neokeep.statistics.plots import histogram, short, store_bars
from neokeep.statistics.wording import percent, printable

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "rect", "line", "br"}


class Read(HTMLParser):
    """Collects the tags and the text of a page, and sees that tags are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def labelled(label: str) -> StatisticsReport:
    labels = (LabelStatistics(label=label, nodes=1, share=0.5),)
    return msgspec.structs.replace(SHORT, nodes=msgspec.structs.replace(SHORT.nodes, labels=labels))


def test_a_page_needs_nothing_but_itself() -> None:
    page = Read(page_of(RICH))
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert not {"src", "href", "srcset"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "url(" not in page_of(RICH)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_a_label_that_looks_like_a_script_is_text() -> None:
    assert EVIL not in page_of(RICH)
    assert EVIL in Read(page_of(RICH)).text


@examples(100)
@given(st.text(min_size=1, max_size=30))
def test_any_name_is_shown_and_changes_nothing_else(name: str) -> None:
    page, plain = Read(page_of(labelled(name))), Read(page_of(labelled("plain")))
    assert (page.tags, page.attributes) == (plain.tags, plain.attributes)
    assert any(printable(name) == word for word in page.words)


def test_a_page_has_the_numbers_of_the_report() -> None:
    text = Read(page_of(RICH)).text
    for word in ("3,100,000", "1,204 without label", "9,120,554", "78.9%", "ZONED DATETIME", "82,899", "122 MiB"):
        assert word in text
    assert "and about 2,097,152 more combinations: 305,665 nodes; the list is of a random sample" in text
    assert "In 2 places something could not be read" in text


def test_an_empty_graph_has_a_page() -> None:
    nodes = msgspec.structs.replace(RICH.nodes, count=0, labels=(), combinations=(), property_keys=())
    relationships = msgspec.structs.replace(RICH.relationships, count=0, types=(), patterns=(), property_keys=())
    empty = msgspec.structs.replace(RICH, nodes=nodes, relationships=relationships)
    assert Read(page_of(empty)).text.count("There are none.") == 2


def test_a_page_is_written_in_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("x" * 1_000_000)
    write_page(SHORT, path)
    assert path.read_text(encoding="utf-8") == page_of(SHORT)
    with pytest.raises((AccessError, RepositoryError), match="cannot write"):
        write_page(SHORT, tmp_path / "nowhere" / "page.html")


def test_a_page_without_jinja2_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "neokeep.statistics.html")
    with pytest.raises(ConfigurationError, match="needs jinja2") as refused:
        import neokeep.statistics.html  # noqa: F401
    assert "neokeep[html]" in refused.value.remedy


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40))
def test_columns_stand_in_their_frame_and_higher_for_more(nodes: list[int]) -> None:
    edges = [(0, 0), *((1 << power, (2 << power) - 1) for power in range(len(nodes) - 1))]
    plot = histogram(
        DegreeStatistics(
            direction="all", mean=0, largest=0, percentiles=(), nodes=(),
            buckets=tuple(
                DegreeBucket(least=least, most=most, nodes=count)
                for (least, most), count in zip(edges, nodes, strict=True)
            ),
        )
    )  # fmt: skip
    previous = plot.left
    for column, count in zip(plot.columns, nodes, strict=True):
        assert previous <= column.x + 0.01
        assert column.x + column.width <= plot.right + 1
        assert plot.top - 0.01 <= column.y <= plot.bottom
        assert abs(column.y + column.height - plot.bottom) < 0.02
        assert (column.height > 0) == (count > 0)
        previous = column.x
    heights = [column.height for column in plot.columns]
    for one, first in enumerate(nodes):
        for other, second in enumerate(nodes):
            assert first <= second or heights[one] >= heights[other]
    assert 1 <= sum(bool(column.name) for column in plot.columns) <= 9
    assert 2 <= len(plot.ticks) <= 8


@given(st.integers(0, 10**15))
def test_short_numbers_are_short_and_near(number: int) -> None:
    written = short(number)
    assert len(written) <= 5 if number >= 10**15 - 10**12 else len(written) <= 4
    digits, unit = re.fullmatch(r"([\d.]+)([kMGT]?)", written).groups()  # type: ignore[union-attr]
    meant = float(digits) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}[unit]
    assert abs(meant - number) <= 0.051 * number


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 10**7))
def test_the_parts_of_a_store_are_its_whole(in_use: int, slack: int, room: int) -> None:
    store = StoreStatistics(
        file="f", bytes=in_use * 32 + room, record_bytes=32, in_use=in_use, free=0, unused=0, value_bytes=0,
        slack_bytes=min(slack, in_use * 24), copy_frees=0,
    )  # fmt: skip
    (bar,), others = store_bars((store,))
    assert others == []
    assert min(bar.filled, bar.slack, bar.free) >= 0
    assert abs(bar.filled + bar.slack + bar.free - 100) < 0.1


@pytest.mark.parametrize(
    ("share", "written"),
    [(0, "0.0%"), (1e-9, "<0.1%"), (0.001, "0.1%"), (0.5, "50.0%"), (0.99951, ">99.9%"), (1, "100.0%")],
)
def test_shares_are_never_nothing_or_all_by_rounding(share: float, written: str) -> None:
    assert percent(share) == written
