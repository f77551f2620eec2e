"""What reading a store may come upon: each kind of damage has a code that stays the same, and names the record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neokeep.neo4j.recovery.layout import Store


class Code(StrEnum):
    """Kinds of damage that a reader tells."""

    PROPERTY_NOT_IN_USE = "property-not-in-use"
    PROPERTY_CHAIN_CYCLE = "property-chain-cycle"
    PROPERTY_SHARED = "property-shared"
    PROPERTY_BLOCK = "property-block"
    PROPERTY_VALUE = "property-value"
    DYNAMIC_NOT_IN_USE = "dynamic-not-in-use"
    DYNAMIC_CHAIN_CYCLE = "dynamic-chain-cycle"
    DYNAMIC_NOT_FIRST = "dynamic-not-first"
    DYNAMIC_NOT_FULL = "dynamic-not-full"
    DYNAMIC_LENGTH = "dynamic-length"
    DYNAMIC_SHARED = "dynamic-shared"
    LABEL_FIELD = "label-field"
    UNREADABLE_NAME = "unreadable-name"


@dataclass(frozen=True, slots=True)
class Damage:
    """One place that does not hold what it has to: a store, the id of a record in it, and what is wrong there."""

    code: Code
    store: Store
    record: int
    detail: str


class TreeCode(StrEnum):
    """Kinds of damage in the files that are trees: indexes, counts, degrees and id files."""

    STATE = "tree-state"
    NODE = "tree-node"
    POINTER = "tree-pointer"
    SIBLING = "tree-sibling"
    ENTRY = "tree-entry"
    SEPARATOR = "tree-separator"
    FREE = "tree-free"
    LOST = "tree-lost"


@dataclass(frozen=True, slots=True)
class TreeDamage:
    """One page of a tree that does not hold what it has to: the file, the number of the page, and what is wrong."""

    code: TreeCode
    file: str
    page: int
    detail: str
