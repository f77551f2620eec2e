"""Reading the report of Neo4j's own check: which records, pages and counts each of its entries names.

An entry is a line with a time and a level, and lines under it that begin with a tab: the record, and what it disagrees
with. 4.4.48, 5.26.30 and 2026.08.1 write alike. What is not understood names nothing; no report makes reading fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.tree_layouts import COUNTS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

Named = tuple[str, int]
"""A store file and a record of it, or the file of a tree and a page of it."""
CountsKey = tuple[int, int, int]

STORES = {
    "Node": Store.NODE,
    "Relationship": Store.RELATIONSHIP,
    "RelationshipGroup": Store.GROUP,
    "Property": Store.PROPERTY,
    "PropertyRecord": Store.PROPERTY,
    "SchemaRecord": Store.SCHEMA,
    "Label": Store.LABEL,
    "RelationshipType": Store.TYPE,
    "PropertyKey": Store.PROPERTY_KEY,
}
# A dynamic record does not tell of which store it is: the words above it do, or the record that leads to it.
DYNAMIC = {"string block": Store.STRINGS, "array block": Store.ARRAYS, "dynamic label record": Store.NODE_LABELS}
NAMES = {"Label": Store.LABEL_NAMES, "RelationshipType": Store.TYPE_NAMES, "PropertyKey": Store.PROPERTY_KEY_NAMES}

_HEADING = re.compile(r"\d{4}-\d\d-\d\d \S+ (?:ERROR|WARN)\s+(.*)")
_RECORD = re.compile(r"\b(\w+)\[(\d+),")
_ENTRY = re.compile(r"IndexEntry\[(node|relationship)Id=(\d+),")
_COUNT = re.compile(r"CountsKey\[type:(-?\d+), first:(-?\d+), second:(-?\d+)\]")
_FILE = re.compile(r"Index file: \S*?/databases/[^/]+/([^\s]+?)\.?$", re.MULTILINE)
_PAGE = re.compile(
    r"tree node (\d+)|Page: (\d+)|pageId=(\d+)|on page (\d+)|(?:view: +|<-\(\d+\)-)\{(\d+)|sibling but was (\d+)"
)


@dataclass(frozen=True)
class Told:
    """One entry: its words, the records and pages that it names, and the keys of counts."""

    words: str
    named: frozenset[Named]
    counts: frozenset[CountsKey] = frozenset()


def told_by(report: str) -> list[Told]:
    """Read a report; the summary at its end is left out."""
    entries: list[list[str]] = []
    for line in report.splitlines():
        if found := _HEADING.match(line):
            entries.append([found[1]])
        elif entries:
            entries[-1].append(line)
    return [_told(lines) for lines in entries if not lines[0].startswith("Inconsistencies found")]


def _told(lines: list[str]) -> Told:
    text = "\n".join(lines)
    counts = {(int(kind), int(first), int(second)) for kind, first, second in _COUNT.findall(text)}
    return Told(lines[0], frozenset({*_records(lines), *_pages(text)}), frozenset(counts))


def _records(lines: list[str]) -> Iterator[Named]:
    heading, leads = lines[0], ""
    for line in lines[1:]:
        for entity, number in _ENTRY.findall(line):
            yield FILES[STORES[entity.title()]], int(number)
        for kind, number in _RECORD.findall(line):
            store = STORES.get(kind)
            if kind == "DynamicRecord":
                store = next((one for words, one in DYNAMIC.items() if words in heading), NAMES.get(leads))
            if store is not None:
                yield FILES[store], int(number)
            leads = kind


def _pages(text: str) -> Iterator[Named]:
    for file in _FILE.findall(text):
        for found in _PAGE.findall(text):
            yield file, int("".join(found))
    if text.startswith("Counts store is missing, broken"):
        for page in re.findall(r"STATE_\w\[pageId=(\d+)", text):
            yield COUNTS_FILE, int(page)
