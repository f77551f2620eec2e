"""`neokeep stats`: what is in a graph, and how full its record stores are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.cli.subject import DATABASE, subject_of
from neokeep.statistics.wording import number, percent, printable, several
from neokeep.units import format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.cli.page import Page
    from neokeep.reports import (
        DegreeStatistics,
        NodeStatistics,
        OtherEntries,
        PropertyStatistics,
        RelationshipStatistics,
        StatisticsReport,
    )

NO_LABEL = "(no label)"
MOST_LABELS = 6
"""Labels of one node that the terminal shows."""
MOST_LETTERS, FEWER_LETTERS = 40, 24
"""Letters of a name that the terminal shows; fewer where several names stand in a line."""
_SMALL = 0.01
"""Stores that take less of the whole are shown as one."""
_TITLES = {"out": "outgoing", "in": "incoming", "all": "all"}


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    path = settings.path("html")
    report = api.stats(subject_of(call), most=settings.number("top") or 1, html_path=path, progress=call.progress)
    return Outcome(report, partial(show, report), answer=True)


def show(report: StatisticsReport, page: Page) -> None:
    state = "" if report.last_transaction is None else f", as of transaction {report.last_transaction}"
    page.line(f"Statistics of {report.database}{state}, read in {format_duration(report.seconds)}")
    page.line(f"  {report.subject}")
    page.line()
    nodes, relationships = report.nodes, report.relationships
    page.facts(
        [
            ("nodes", f"{number(nodes.count)}, {number(nodes.without_label)} of them without label"),
            ("relationships", f"{number(relationships.count)}, {number(relationships.loops)} of them loops"),
            (
                "properties",
                f"{number(nodes.properties)} of nodes, {number(relationships.properties)} of relationships",
            ),
            ("record stores", f"{format_size(report.store_bytes)}; a copy would free {format_size(report.copy_frees)}"),
            *_unused(report),
        ]
    )
    if report.damages:
        page.line()
        page.line(f"In {several(report.damages, 'place')} something could not be read, and is not counted.")
        page.line("'neokeep check-consistency' names them.")
    _show_nodes(nodes, page)
    _show_relationships(relationships, page)
    _show_degrees(report, page)
    _show_stores(report, page)


def _unused(report: StatisticsReport) -> list[tuple[str, str]]:
    counts = (
        (report.nodes.unused_labels, "label"),
        (report.relationships.unused_types, "relationship type"),
        (report.unused_property_keys, "property key"),
    )
    found = [several(count, noun) for count, noun in counts if count]
    return [("used by nothing", ", ".join(found))] if found else []


def _show_nodes(nodes: NodeStatistics, page: Page) -> None:
    rows = [(_name(one.label), number(one.nodes), percent(one.share)) for one in nodes.labels]
    _table(page, "Nodes by label", ["label"], ["nodes", "share"], rows)
    _rest(page, nodes.other_labels, "label", "labels", "node")
    if any(len(one.labels) > 1 for one in nodes.combinations):
        combined = [(_joined(one.labels), number(one.nodes), percent(one.share)) for one in nodes.combinations]
        _table(page, "Nodes by all of their labels", ["labels"], ["nodes", "share"], combined)
        _rest(page, nodes.other_combinations, "combination", "combinations", "node")
    _show_keys("Properties of nodes", "label", nodes.property_keys, page)
    _rest(page, nodes.other_property_keys, "key of a label", "keys of labels", "value")


def _show_relationships(relationships: RelationshipStatistics, page: Page) -> None:
    if not relationships.count:
        return
    rows = [(_name(one.type), number(one.relationships), percent(one.share)) for one in relationships.types]
    _table(page, "Relationships by type", ["type"], ["relationships", "share"], rows)
    _rest(page, relationships.other_types, "type", "types", "relationship")
    patterns = [
        (
            _end(one.start),
            _name(one.type, FEWER_LETTERS),
            _end(one.end),
            number(one.relationships),
            percent(one.share),
        )
        for one in relationships.patterns
    ]
    _table(page, "Relationships by labels and type", ["from", "type", "to"], ["relationships", "share"], patterns)
    _rest(page, relationships.other_patterns, "pattern", "patterns", "relationship")
    _show_keys("Properties of relationships", "type", relationships.property_keys, page)
    _rest(page, relationships.other_property_keys, "key of a type", "keys of types", "value")


def _show_keys(title: str, what: str, keys: Sequence[PropertyStatistics], page: Page) -> None:
    rows = [
        (
            _end(one.of),
            _name(one.key, FEWER_LETTERS),
            one.types[0].type if len(one.types) == 1 else _mixed(one),
            number(one.count),
            percent(one.share),
        )
        for one in keys
    ]
    _table(page, title, [what, "key", "type"], ["values", "have it"], rows)


def _mixed(one: PropertyStatistics) -> str:
    first, second, *more = one.types
    rest = f", +{len(more)}" if more else ""
    return f"{first.type} {percent(first.count / one.count)}, {second.type}{rest}"


def _show_degrees(report: StatisticsReport, page: Page) -> None:
    if not report.relationships.count:
        return
    percents = [one.percent for one in report.degrees[0].percentiles]
    header = ["mean", *(f"{percent:g}%" for percent in percents), "largest"]
    rows = [
        (
            _TITLES[one.direction],
            f"{one.mean:,.2f}",
            *(number(each.degree) for each in one.percentiles),
            number(one.largest),
        )
        for one in report.degrees
    ]
    _table(page, "Relationships of a node (of so many percent of the nodes at most)", ["relationships"], header, rows)
    widest = max(report.degrees, key=lambda one: len(one.buckets))
    counts = [dict(enumerate(one.buckets)) for one in report.degrees]
    buckets = [
        (
            _range(bucket.least, bucket.most),
            *(number(own[place].nodes) if place in own else "0" for own in counts),
        )
        for place, bucket in enumerate(widest.buckets)
    ]
    _table(
        page,
        "Nodes by number of relationships",
        [],
        ["relationships", *(_TITLES[one.direction] for one in report.degrees)],
        buckets,
    )
    _show_largest(report.degrees[-1], page)


def _show_largest(degrees: DegreeStatistics, page: Page) -> None:
    rows = [(_joined(one.labels), str(one.node), number(one.degree)) for one in degrees.nodes if one.degree]
    _table(page, "Nodes with the most relationships", ["labels"], ["node id", "relationships"], rows)


def _show_stores(report: StatisticsReport, page: Page) -> None:
    large = [one for one in report.stores if one.bytes >= _SMALL * report.store_bytes]
    small = [one for one in report.stores if one.bytes < _SMALL * report.store_bytes]
    rows = [
        (
            one.file.removeprefix("neostore."),
            format_size(one.bytes),
            number(one.in_use),
            number(one.free + one.unused),
            "" if one.slack_bytes is None else format_size(one.slack_bytes),
            format_size(one.copy_frees),
        )
        for one in sorted(large, key=lambda one: -one.bytes)
    ]
    if small:
        size, freed = sum(one.bytes for one in small), sum(one.copy_frees for one in small)
        rows.append((several(len(small), "smaller one"), format_size(size), "", "", "", format_size(freed)))
    header = ["size", "in use", "free", "slack", "copy frees"]
    _table(page, "Record stores", ["record store"], header, rows)


def _table(page: Page, title: str, left: Sequence[str], right: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Put a table below its title: columns of text, and columns of numbers, which are aligned to the right."""
    if rows:
        page.line()
        page.line(title)
        page.table((*left, *right), rows, right=right)


def _rest(page: Page, rest: OtherEntries, one: str, many: str, what: str) -> None:
    if rest.entries:
        about = "about " if rest.estimated else ""
        sample = "; the list is of a random sample" if rest.estimated else ""
        more = several(rest.entries, f"more {one}", f"more {many}")
        page.line(f"and {about}{more}: {several(rest.count, what)}{sample}")


def _joined(labels: Sequence[str]) -> str:
    shown = ":".join(map(_name, labels[:MOST_LABELS])) or NO_LABEL
    return shown if len(labels) <= MOST_LABELS else f"{shown} and {len(labels) - MOST_LABELS} more"


def _end(label: str | None) -> str:
    return NO_LABEL if label is None else _name(label, FEWER_LETTERS)


def _name(name: str, most: int = MOST_LETTERS) -> str:
    """Show a name; of a long one the middle is left out, so that tables stay tables. JSON has all of it."""
    shown = printable(name)
    behind = most * 3 // 8
    return shown if len(shown) <= most else f"{shown[: most - behind - 1]}…{shown[-behind:]}"


def _range(least: int, most: int) -> str:
    return number(least) if least == most else f"{number(least)} to {number(most)}"


COMMANDS = (
    Command(
        "stats",
        "Tell what is in the graph of a database, a backup or an archive.",
        "Tell what is in a graph: nodes by label, relationships by type and by the labels at their ends, property keys "
        "with the types of their values, how many relationships nodes have, and how full the record stores are. Of a "
        "stopped database at --home; with --backup or --from-source, of a backup; with --archive, of a .dump or full "
        ".backup. A log that is not in the store yet, as with backups and after a crash, is applied in scratch first. "
        "No Neo4j and no Java are needed, and nothing is changed. What the numbers mean is told in docs/statistics.md.",
        (
            "neokeep stats neo4j --home /var/lib/neo4j",
            "neokeep stats neo4j --backup neo4j-20261122-173015F --repo /backup/neo4j --html stats.html",
            "neokeep stats --archive /backup/neo4j.dump",
        ),
        run,
        (DATABASE,),
    ),
)
