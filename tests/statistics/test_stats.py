"""Statistics of a stopped database where it lies: names, shares, what is left out, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.database import Synthetic, log_files, make_logs, neostore_bytes, read_tree
from helpers.flipped import FlippedPages
from helpers.small_store import MANY_LABELS, PEOPLE, SPOKES, unpack
from neokeep import api
from neokeep.cli.main import main
from neokeep.errors import AccessError, LockedError, RepositoryError
from neokeep.graph.opened import OpenedStore
from neokeep.neo4j import locks
from neokeep.neo4j.recovery.layout import FILES, RECORD_BYTES, Store
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.progress import Silent
from neokeep.reports import OtherEntries, PropertyStatistics, StatisticsReport, ValueTypeStatistics
from neokeep.statistics import stats as stating
from neokeep.statistics.describe import report_of
from neokeep.statistics.gather import Passes, gather

if TYPE_CHECKING:
    from pathlib import Path

KERNEL, ENDS = 20, 4
KNOWN = 2 * PEOPLE - 4

TYPES = {
    "yes": "BOOLEAN", "small": "INTEGER", "big": "INTEGER", "negative": "INTEGER", "float": "FLOAT", "short": "STRING",
    "long": "STRING", "empty": "STRING", "none": "LIST<NOTHING>", "european": "STRING", "booleans": "LIST<BOOLEAN>",
    "ints": "LIST<INTEGER>", "many": "LIST<INTEGER>", "floats": "LIST<FLOAT>", "texts": "LIST<STRING>",
    "bytes": "LIST<INTEGER>", "flat": "POINT", "high": "POINT", "globe": "POINT", "points": "LIST<POINT>",
    "date": "DATE", "dates": "LIST<DATE>", "clock": "LOCAL TIME", "time": "ZONED TIME", "local": "LOCAL DATETIME",
    "offset": "ZONED DATETIME", "zone": "ZONED DATETIME", "duration": "DURATION",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    directory = tmp_path_factory.mktemp("stats")
    store = read_tree(unpack(directory / "unpacked")) | {"neostore": neostore_bytes(KERNEL)}
    logs = make_logs(KERNEL, files=1, each=ENDS)
    return Synthetic(directory / "home", KERNEL, "neo4j", store, logs, log_files(logs, checkpoint_at=ENDS)).write()


@pytest.fixture(scope="module")
def report(made: Synthetic) -> StatisticsReport:
    before = read_tree(made.home)
    found = api.stats(api.subject("NEO4J", home=made.home, jobs=2))
    assert read_tree(made.home) == before
    return found


def test_labels_types_and_patterns_are_named_and_counted(report: StatisticsReport) -> None:
    nodes, relationships = report.nodes, report.relationships
    assert (report.database, report.label, report.damages) == ("neo4j", None, 0)
    assert nodes.count == 3 + PEOPLE + 3 + 2 * SPOKES
    assert [(one.label, one.nodes) for one in nodes.labels[:2]] == [("X", 3 + 2 * SPOKES), ("Person", PEOPLE)]
    assert (nodes.other_labels, nodes.unused_labels) == (OtherEntries(entries=0, count=0, estimated=False), 1)
    assert {one.labels for one in nodes.combinations} == {
        ("X",), ("Person",), ("Every",), ("Hub",), tuple(sorted(MANY_LABELS))
    }  # fmt: skip
    assert {one.type: one.relationships for one in relationships.types} == {
        "KNOWS": KNOWN, "A": SPOKES, "B": SPOKES, "C": SPOKES, "D": 3, "LIKES": 1
    }  # fmt: skip
    assert {(one.start, one.type, one.end): one.relationships for one in relationships.patterns} == {
        ("Person", "KNOWS", "Person"): KNOWN, ("Person", "LIKES", "Person"): 1, ("Hub", "A", "X"): SPOKES,
        ("X", "B", "Hub"): SPOKES, ("Hub", "C", "Hub"): SPOKES, ("Hub", "D", "X"): 3,
    }  # fmt: skip
    assert relationships.loops == SPOKES + 1
    assert report.unused_property_keys == 0


def test_properties_are_told_with_their_share_and_types(report: StatisticsReport) -> None:
    found = {(one.of, one.key): one for one in report.nodes.property_keys}
    assert found["X", "i"] == PropertyStatistics(
        of="X", key="i", count=SPOKES, share=round(SPOKES / (3 + 2 * SPOKES), 6),
        types=(ValueTypeStatistics(type="INTEGER", count=SPOKES),),
    )  # fmt: skip
    assert found["Person", "about"].share == 1
    types = {key: one.types[0].type for (owner, key), one in found.items() if owner == "Every"}
    assert types == {key: TYPES[key] for key in types}
    # One label has more keys than are listed.
    assert len(types) == 25
    assert report.nodes.other_property_keys == OtherEntries(entries=3, count=3, estimated=False)


def test_degrees_count_a_loop_once_among_all(report: StatisticsReport) -> None:
    out, incoming, every = report.degrees
    assert (out.direction, incoming.direction, every.direction) == ("out", "in", "all")
    assert (out.largest, incoming.largest, every.largest) == (2 * SPOKES + 3, 2 * SPOKES, 3 * SPOKES + 3)
    assert every.nodes[0].labels == ("Hub",)
    assert len(every.nodes) == 10
    for one in report.degrees:
        assert sum(bucket.nodes for bucket in one.buckets) == report.nodes.count
        assert [each.degree for each in one.percentiles] == sorted(each.degree for each in one.percentiles)
    assert every.mean == round((2 * report.relationships.count - report.relationships.loops) / report.nodes.count, 3)


def test_stores_are_told_with_their_room(report: StatisticsReport) -> None:
    stores = {one.file: one for one in report.stores}
    nodes, strings = stores[FILES[Store.NODE]], stores[FILES[Store.STRINGS]]
    assert nodes.in_use == report.nodes.count
    assert nodes.in_use + nodes.free + nodes.unused == nodes.bytes // 8192 * (8192 // RECORD_BYTES[Store.NODE])
    assert (nodes.value_bytes, nodes.slack_bytes, nodes.copy_frees) == (None, None, 0)
    assert strings.slack_bytes == strings.in_use * 120 - (strings.value_bytes or 0)
    assert report.store_bytes == sum(one.bytes for one in report.stores)


def test_what_is_not_listed_is_summed(made: Synthetic, report: StatisticsReport) -> None:
    short = api.stats(api.subject("neo4j", home=made.home), most=1)
    nodes, relationships = short.nodes, short.relationships
    assert (len(nodes.labels), len(nodes.combinations), len(relationships.types)) == (1, 1, 1)
    assert nodes.other_labels.entries + 1 == len(report.nodes.labels)
    assert nodes.other_labels.count == sum(one.nodes for one in report.nodes.labels[1:])
    assert nodes.other_combinations.count == nodes.count - nodes.combinations[0].nodes
    assert relationships.other_patterns.entries + 1 == len(report.relationships.patterns)
    assert relationships.other_types.count == relationships.count - relationships.types[0].relationships
    assert nodes.other_property_keys.count == report.nodes.properties + len(MANY_LABELS) - 1 - SPOKES


def test_a_copy_would_free_the_places_between_and_behind_records(tmp_path: Path) -> None:
    path = unpack(tmp_path) / FILES[Store.NODE]
    path.write_bytes(path.read_bytes().ljust(5 * 8192, b"\0"))
    with DirectoryPages(tmp_path) as pages:
        store = OpenedStore("it", "neo4j", pages, aligned=True)
        reader = store.reader()
        report = report_of(gather(reader, Passes(1, Silent())), reader, store, most=5, seconds=0.0)
    nodes = next(one for one in report.stores if one.file == FILES[Store.NODE])
    assert (nodes.copy_frees, report.copy_frees) == (4 * 8192, 4 * 8192)
    assert nodes.free + nodes.unused == 5 * 546 - nodes.in_use


def test_what_has_no_name_is_called_by_its_number(tmp_path: Path) -> None:
    # The tokens of labels, types and keys are gone.
    gone = {(FILES[store], at): 0 for store in (Store.LABEL, Store.TYPE, Store.PROPERTY_KEY) for at in range(8192)}
    with DirectoryPages(unpack(tmp_path)) as pages:
        store = OpenedStore("it", "neo4j", FlippedPages(pages, gone), aligned=True)
        reader = store.reader()
        report = report_of(gather(reader, Passes(1, Silent())), reader, store, most=5, seconds=0.0)
    assert all(one.label.startswith("label ") for one in report.nodes.labels)
    assert all(one.type.startswith("type ") for one in report.relationships.types)
    assert all(one.key.startswith("key ") for one in report.nodes.property_keys)


def test_an_open_database_is_refused(made: Synthetic) -> None:
    with locks.hold(made.opened.lock_path), pytest.raises(LockedError, match="open in a running server"):
        api.stats(api.subject("neo4j", home=made.home))


def test_the_command_prints_tables_and_writes_the_page(
    made: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "stats.html"
    assert main(["stats", "neo4j", "--home", str(made.home), "--html", str(page), "--top", "3"]) == 0
    printed = capsys.readouterr().out
    assert f"Person     {PEOPLE}  24.1%" in printed
    assert "and 21 more labels: 21 nodes" in printed
    assert "used by nothing:  1 label\n" in printed
    assert "Person" in page.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_told_before_the_work(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stating, "gather", lambda *_, **__: pytest.fail("it worked first"))
    with pytest.raises((AccessError, RepositoryError)):
        api.stats(api.subject("neo4j", home=made.home), html_path=tmp_path / "nowhere" / "page.html")
