"""Where each record stands in its store file, and the numbers by which the compiled code calls the stores.

Formats `aligned` (records never cross a page of 8,192 bytes) and `standard` (records without gaps). Sizes of dynamic
records are told by the first bytes of their file. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PAGE = 8192


class Store(IntEnum):
    """The record stores; compiled code uses the numbers."""

    NODE = 0
    RELATIONSHIP = 1
    PROPERTY = 2
    GROUP = 3
    LABEL = 4
    TYPE = 5
    PROPERTY_KEY = 6
    SCHEMA = 7
    STRINGS = 8
    ARRAYS = 9
    NODE_LABELS = 10
    LABEL_NAMES = 11
    TYPE_NAMES = 12
    PROPERTY_KEY_NAMES = 13


FILES = {
    Store.NODE: "neostore.nodestore.db",
    Store.RELATIONSHIP: "neostore.relationshipstore.db",
    Store.PROPERTY: "neostore.propertystore.db",
    Store.GROUP: "neostore.relationshipgroupstore.db",
    Store.LABEL: "neostore.labeltokenstore.db",
    Store.TYPE: "neostore.relationshiptypestore.db",
    Store.PROPERTY_KEY: "neostore.propertystore.db.index",
    Store.SCHEMA: "neostore.schemastore.db",
    Store.STRINGS: "neostore.propertystore.db.strings",
    Store.ARRAYS: "neostore.propertystore.db.arrays",
    Store.NODE_LABELS: "neostore.nodestore.db.labels",
    Store.LABEL_NAMES: "neostore.labeltokenstore.db.names",
    Store.TYPE_NAMES: "neostore.relationshiptypestore.db.names",
    Store.PROPERTY_KEY_NAMES: "neostore.propertystore.db.index.keys",
}
RECORD_BYTES = {
    Store.NODE: 15,
    Store.RELATIONSHIP: 34,
    Store.PROPERTY: 41,
    Store.GROUP: 25,
    Store.LABEL: 5,
    Store.TYPE: 5,
    Store.PROPERTY_KEY: 9,
    Store.SCHEMA: 8,
}
DYNAMIC = tuple(store for store in Store if store not in RECORD_BYTES)
DYNAMIC_HEAD = 8
"""Bytes of a dynamic record before its data."""
WITH_HEADER = frozenset({*DYNAMIC, Store.GROUP})
"""Stores whose record 0 says something of the file."""

ID_BITS = {
    Store.NODE: 35,
    Store.RELATIONSHIP: 35,
    Store.PROPERTY: 36,
    Store.GROUP: 35,
    Store.LABEL: 31,
    Store.TYPE: 16,
    Store.PROPERTY_KEY: 24,
    Store.SCHEMA: 32,
    Store.STRINGS: 36,
    Store.ARRAYS: 36,
    Store.NODE_LABELS: 36,
    Store.LABEL_NAMES: 31,
    Store.TYPE_NAMES: 31,
    Store.PROPERTY_KEY_NAMES: 31,
}
"""Bits of the largest id that references to a store can hold."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the records of one store lie: bytes of a record, records of a page, bytes from page to page."""

    record_bytes: int
    per_page: int
    page_bytes: int

    @classmethod
    def of(cls, record_bytes: int, *, aligned: bool) -> Geometry:
        """Lay out records of a size in a format."""
        per_page = PAGE // record_bytes
        return cls(record_bytes, per_page, PAGE if aligned else per_page * record_bytes)

    def offset(self, record: int) -> int:
        """Give the offset of a record in the file."""
        return record // self.per_page * self.page_bytes + record % self.per_page * self.record_bytes

    def file_bytes(self, last_record: int) -> int:
        """Give the size of a file of whole pages that holds records up to this one."""
        return (last_record // self.per_page + 1) * self.page_bytes
