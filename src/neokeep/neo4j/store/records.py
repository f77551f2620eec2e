"""Records of a store as columns: what the fields of nodes, relationships, properties, groups, tokens and rules say.

Each function takes records (uint8, a row each) and gives arrays with an element a record: references are int64, -1 for
none, flags are bool. Nothing is checked: damaged bytes give other numbers. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers

NONE = -1
LONGS = 4
"""Longs of a property record."""

_NO_REFERENCE = 0xFFFFFFFF

Longs = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Nodes:
    """`relationship` is a group where the node is dense; `labels` is the field of 40 bits."""

    used: Flags
    relationship: Numbers
    property: Numbers
    labels: Numbers
    dense: Flags


@dataclass(frozen=True, slots=True)
class Relationships:
    """Index 0 is the side of the first node, 1 that of the second, in `node`, `previous`, `next` and `is_first`.

    `previous` of the first in a chain is the number of relationships in it.
    """

    used: Flags
    type: Numbers
    property: Numbers
    node: tuple[Numbers, Numbers]
    previous: tuple[Numbers, Numbers]
    next: tuple[Numbers, Numbers]
    is_first: tuple[Flags, Flags]


@dataclass(frozen=True, slots=True)
class PropertyRecords:
    """`longs` are the four of each record, of which blocks are made."""

    used: Flags
    previous: Numbers
    next: Numbers
    longs: Longs


@dataclass(frozen=True, slots=True)
class Groups:
    """`first` and `external` are of outgoing relationships, incoming ones and loops, in this order.

    The degree is in another file where it is external.
    """

    used: Flags
    type: Numbers
    next: Numbers
    owner: Numbers
    first: tuple[Numbers, Numbers, Numbers]
    external: tuple[Flags, Flags, Flags]


@dataclass(frozen=True, slots=True)
class DynamicRecords:
    """`data` holds the bytes of each record, of which `length` count; `starts` tells the first of a chain."""

    used: Flags
    starts: Flags
    length: Numbers
    next: Numbers
    data: Bytes


@dataclass(frozen=True, slots=True)
class Tokens:
    """Labels, relationship types and property keys: `name` is the first record of the name."""

    used: Flags
    internal: Flags
    name: Numbers


@dataclass(frozen=True, slots=True)
class SchemaRules:
    """Rules of the schema: `property` is the first property record of the rule."""

    used: Flags
    property: Numbers


def nodes(records: Bytes) -> Nodes:
    """Read records of nodes."""
    head = _byte(records, 0)
    return Nodes(
        used=head & 1 != 0,
        relationship=_reference(_int4(records, 1), head >> 1 & 7),
        property=_reference(_int4(records, 5), head >> 4),
        labels=node_labels(records),
        dense=_byte(records, 14) & 1 != 0,
    )


def node_labels(records: Bytes) -> Numbers:
    """Read the fields of labels of nodes."""
    return _int4(records, 9) | _byte(records, 13) << 32


def nodes_in_use(records: Bytes) -> tuple[Flags, Flags]:
    """Tell which records of nodes are in use, and which are dense."""
    return records[:, 0] & 1 != 0, records[:, 14] & 1 != 0


def relationships(records: Bytes) -> Relationships:
    """Read records of relationships."""
    head, word, flags = _byte(records, 0), _int4(records, 9), _byte(records, 33)
    return Relationships(
        used=head & 1 != 0,
        type=word & 0xFFFF,
        property=_reference(_int4(records, 29), head >> 4),
        node=(_reference(_int4(records, 1), head >> 1 & 7), _reference(_int4(records, 5), word >> 28 & 7)),
        previous=(_reference(_int4(records, 13), word >> 25 & 7), _reference(_int4(records, 21), word >> 19 & 7)),
        next=(_reference(_int4(records, 17), word >> 22 & 7), _reference(_int4(records, 25), word >> 16 & 7)),
        is_first=(flags & 1 != 0, flags & 2 != 0),
    )


def properties(records: Bytes) -> PropertyRecords:
    """Read records of properties."""
    head = _byte(records, 0)
    longs = np.ascontiguousarray(records[:, 9:41]).view(">u8").astype(np.uint64)
    return PropertyRecords(
        used=records[:, 13] & 15 != 0,  # the type of the first block
        previous=_reference(_int4(records, 1), head >> 4),
        next=_reference(_int4(records, 5), head & 15),
        longs=longs,
    )


def groups(records: Bytes) -> Groups:
    """Read records of relationship groups."""
    first, second = _byte(records, 0), _byte(records, 1)
    return Groups(
        used=first & 1 != 0,
        type=_byte(records, 2) << 8 | _byte(records, 3),
        next=_reference(_int4(records, 4), first >> 1 & 7),
        owner=_reference(_int4(records, 20), _byte(records, 24)),
        first=(
            _reference(_int4(records, 8), first >> 4 & 7),
            _reference(_int4(records, 12), second >> 1 & 7),
            _reference(_int4(records, 16), second >> 4 & 7),
        ),
        external=(first & 128 != 0, second & 1 != 0, second & 128 != 0),
    )


def dynamic(records: Bytes) -> DynamicRecords:
    """Read dynamic records."""
    head = _int4(records, 0)
    return DynamicRecords(
        used=head & 1 << 28 != 0,
        starts=head & 1 << 31 == 0,
        length=head & 0xFF_FFFF,
        next=_reference(_int4(records, 4), head >> 24 & 15),
        data=records[:, 8:],
    )


def tokens(records: Bytes) -> Tokens:
    """Read records of labels, relationship types (5 bytes) or property keys (9 bytes)."""
    head = _byte(records, 0)
    return Tokens(head & 1 != 0, head & 2 != 0, _reference(_int4(records, records.shape[1] - 4), 0))


def schema_rules(records: Bytes) -> SchemaRules:
    """Read records of the schema store."""
    head = _byte(records, 0)
    low = _int4(records, 4) | _int4(records, 0) << 32 & 0xFF_FFFF << 32
    return SchemaRules(head & 1 != 0, np.where(head & 2 != 0, low, NONE))


def _byte(records: Bytes, at: int) -> Numbers:
    return records[:, at].astype(np.int64)


def _int4(records: Bytes, at: int) -> Numbers:
    """Read four bytes of each record, without sign."""
    return np.ascontiguousarray(records[:, at : at + 4]).view(">u4")[:, 0].astype(np.int64)


def _reference(low: Numbers, high: Numbers | int) -> Numbers:
    """Put a reference together; 32 ones without high bits are none."""
    whole = low | high << 32
    return np.where(whole == _NO_REFERENCE, NONE, whole)
