"""What the trees of a store hold: their files, and their keys and values as columns of numbers.

Columns of keys are in the order by which Neo4j compares them. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.tree import Layout

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Bytes, Numbers

COUNTS_FILE = "neostore.counts.db"
DEGREES_FILE = "neostore.relationshipgroupstore.degrees.db"
LEGACY_TOKEN_FILES = {"NODE": "neostore.labelscanstore.db", "RELATIONSHIP": "neostore.relationshiptypescanstore.db"}
"""Where 4.4 keeps its token indexes."""

COUNTS = Layout(0x436F4C61000003DB, (0, 1), 13, 8)
IDS = Layout(0xDEADC15E, (1, 2), 8, 56)
TOKENS = Layout(0x4C534C00000040, (0, 1), 10, 8)

IDS_OF_A_RANGE = 128
"""Ids that one entry of an id file tells of."""
ENTITIES_OF_A_RANGE = 64
"""Nodes or relationships that one entry of a token index tells of."""
NODES, RELATIONSHIPS, DEGREE = 1, 2, 3
"""Kinds of counts."""


def counts_key(keys: Bytes) -> tuple[Numbers, Numbers, Numbers]:
    """Read keys of counts and degrees: the kind, a number of 64 bits and one of 32.

    Of nodes the first number is the label; of relationships the label of the start (upper half) and the type, and the
    second the label of the end; -1 is any. Of a degree it is the group and, in the lower two bits, the chain.
    """
    return signed(keys[:, :1]), signed(keys[:, 1:9]), signed(keys[:, 9:])


def token_key(keys: Bytes) -> tuple[Numbers, Numbers]:
    """Read keys of a token index: the token, and the number of the range of 64 entities."""
    return signed(keys[:, :4]), signed(keys[:, [8, 9, 4, 5, 6, 7]])


def entities(ranges: Numbers, values: Bytes) -> tuple[Numbers, Numbers]:
    """Give the entities of entries of a token index: the place of the entry, and the entity."""
    rows, bits = np.nonzero(np.unpackbits(values[:, ::-1], axis=1, bitorder="little"))
    return rows, ranges[rows] * ENTITIES_OF_A_RANGE + bits


def free_ids(keys: Bytes, values: Bytes) -> tuple[Numbers, Numbers]:
    """Give the ids that entries of an id file say to be unused: the place of the entry, and the id."""
    # Behind the generation: a bit for each id that is not used, then which of them may be given away.
    unused = np.ascontiguousarray(values[:, 8:24].reshape(-1, 2, 8)[:, :, ::-1]).reshape(-1, 16)
    rows, bits = np.nonzero(np.unpackbits(unused, axis=1, bitorder="little"))
    return rows, signed(keys)[rows] * IDS_OF_A_RANGE + bits


def signed(rows: Bytes) -> Numbers:
    """Read a number with sign from each row, the highest byte first."""
    value = rows[:, 0].view(np.int8).astype(np.int64)
    for step in range(1, rows.shape[1]):
        value = value << 8 | rows[:, step]
    return value
