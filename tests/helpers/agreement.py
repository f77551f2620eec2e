"""Comparing what neokeep finds in a broken store with what Neo4j's own check reports of it, record by record."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from helpers.breaking_trees import PAGE, TreeBreaker
from helpers.neo4j_report import told_by
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.tree_layouts import COUNTS, COUNTS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from helpers.breaking import Breaking
    from helpers.breaking_trees import TreeBreaking
    from helpers.neo4j_report import CountsKey, Named, Told
    from neokeep.consistency.findings import Finding
    from neokeep.neo4j.store.pages import StorePages

STORE_OF = {name: store for store, name in FILES.items()}


class Outcome(StrEnum):
    """What Neo4j's check makes of a broken store, beside what neokeep does."""

    SAME = "names the same"
    OTHER = "names others"
    NOTHING_NAMED = "reports it, and names none"
    FAILS = "fails"
    SILENT = "finds nothing"


@dataclass(frozen=True)
class Broken:
    """A store broken in one way: the bytes that change, the records and pages that they are of, what is to be found."""

    name: str
    flips: dict[tuple[str, int], int]
    records: frozenset[Named]
    code: str
    record: Named
    counts: dict[CountsKey, int]


def broken_by(way: Breaking | TreeBreaking, pages: StorePages) -> Broken:
    """Break a store in one way; nothing is written."""
    breaker = TreeBreaker(pages)
    counts = {}
    for entry in breaker.entries(COUNTS_FILE, COUNTS):
        kind, first, second = struct.unpack(">bqi", entry.key)
        counts[kind, first, second] = entry.page
    code, store, record = way.apply(breaker)
    named = (FILES[store] if isinstance(store, Store) else store, record)
    changed = frozenset(record_at(breaker, *place) for place in breaker.flips)
    return Broken(way.name, breaker.flips, changed, str(code), named, counts)


def record_at(breaker: TreeBreaker, file: str, offset: int) -> Named:
    """Tell the record, or the page of a tree, that a byte is of."""
    if file not in STORE_OF:
        return file, offset // PAGE
    geometry = breaker.reader.tables[STORE_OF[file]].geometry
    page, place = divmod(offset, geometry.page_bytes)
    return file, page * geometry.per_page + place // geometry.record_bytes


def together(ways: Iterable[Breaking | TreeBreaking], pages: StorePages) -> list[Broken]:
    """Break a store in several ways at once, as many of them as change no byte that another does."""
    taken: list[Broken] = []
    for way in ways:
        broken = broken_by(way, pages)
        if not any(broken.flips.keys() & other.flips.keys() for other in taken):
            taken.append(broken)
    return taken


def named_by_neokeep(findings: Iterable[Finding], broken: Broken) -> set[Named]:
    """Give the record that neokeep has to name, and what it says of it in the same findings; empty if it does not."""
    own = [one for one in findings if (one.code, (one.store, one.record)) == (broken.code, broken.record)]
    return {named for one in own for named in ((one.store, one.record), *_context(one))}


def _context(finding: Finding) -> Iterator[Named]:
    for kind, number in re.findall(r"\b(node|relationship|record) (\d+)", finding.detail):
        file = FILES[Store[kind.upper()]] if kind != "record" else finding.store.removesuffix(".id")
        yield file, int(number)


def outcome(report: str | None, broken: Broken, ours: set[Named]) -> Outcome:
    """Compare the report of Neo4j's check with what neokeep names and with what was broken."""
    if report is None:
        return Outcome.SILENT
    told = told_by(report)
    if not told:
        return Outcome.FAILS
    theirs = named_by_neo4j(told, broken.counts)
    if theirs & (ours | broken.records):
        return Outcome.SAME
    return Outcome.OTHER if theirs else Outcome.NOTHING_NAMED


def named_by_neo4j(told: Iterable[Told], counts: dict[CountsKey, int]) -> set[Named]:
    """Give all records and pages that a report names; of counts the page in which they stand."""
    entries = list(told)
    pages = {(COUNTS_FILE, counts[key]) for one in entries for key in one.counts if key in counts}
    return pages | {named for one in entries for named in one.named}
