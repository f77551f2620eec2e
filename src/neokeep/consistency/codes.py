"""The kinds of findings: each has a code that stays the same, what it means, and what is likely to come of it.

A test compares the table in docs/consistency.md with this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from neokeep.neo4j.store import damage


class Code(StrEnum):
    """Kinds of findings that only a look at several records shows; those of single values are in store/damage.py."""

    NODE_RELATIONSHIP = "node-relationship"
    NODE_GROUP = "node-group"
    NODE_LABEL = "node-label"
    RELATIONSHIP_NODE = "relationship-node"
    RELATIONSHIP_TYPE = "relationship-type"
    RELATIONSHIP_PREVIOUS = "relationship-previous"
    RELATIONSHIP_NEXT = "relationship-next"
    RELATIONSHIP_FIRST = "relationship-first"
    RELATIONSHIP_GROUP = "relationship-group"
    RELATIONSHIP_LOOP = "relationship-loop"
    RELATIONSHIP_COUNT = "relationship-count"
    GROUP_OWNER = "group-owner"
    GROUP_NEXT = "group-next"
    GROUP_TYPE = "group-type"
    GROUP_FIRST = "group-first"
    GROUP_SHARED = "group-shared"
    GROUP_ORPHAN = "group-orphan"
    PROPERTY_PREVIOUS = "property-previous"
    PROPERTY_KEY = "property-key"
    PROPERTY_KEY_TWICE = "property-key-twice"
    PROPERTY_ORPHAN = "property-orphan"
    DYNAMIC_ORPHAN = "dynamic-orphan"
    NAME_TWICE = "name-twice"
    RULE = "schema-rule"
    RULE_REFERENCE = "schema-rule-reference"
    RULE_INDEX = "schema-rule-index"
    COUNT = "count"
    DEGREE = "degree"
    INDEX_MISSING = "index-missing"
    INDEX_EXTRA = "index-extra"
    ID_FREE = "id-free"
    ID_HIGH = "id-high"
    TREE_ORDER = "tree-order"
    CONSTRAINT_UNIQUE = "constraint-unique"
    CONSTRAINT_EXISTENCE = "constraint-existence"
    CONSTRAINT_TYPE = "constraint-type"
    CONSTRAINT_LABEL = "constraint-label"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a kind of finding says, and what a user of the database is likely to see."""

    what: str
    consequence: str


_LOST = "Relationships are missing from some answers, or a query fails."
_VALUES = "Reading the properties of its owner fails, or gives values that nobody wrote."
_SPACE = "Space that is not used; nothing is missing from answers."
_OVERWRITTEN = "The next record that is made is written over it: data will be lost."
_PAGE_OVERWRITTEN = "When the tree changes, a page of it may be written over."
_TREE = "What the file is for fails or gives wrong answers."
_DEMAND = "Queries that rely on the constraint give wrong answers; it cannot be made again before this is mended."
_SCHEMA = "The index or constraint may not work, or the database may not start."

CODES: dict[str, Meaning] = {
    Code.NODE_RELATIONSHIP: Meaning("A node does not begin the chain of its relationships.", _LOST),
    Code.NODE_GROUP: Meaning("A dense node does not begin the chain of its relationship groups.", _LOST),
    Code.NODE_LABEL: Meaning("A node has a label that no token names.", "Asking for the labels of the node fails."),
    Code.RELATIONSHIP_NODE: Meaning("A relationship begins or ends at a node that is not in use.", _LOST),
    Code.RELATIONSHIP_TYPE: Meaning("A relationship has a type that no token names.", "Asking for its type fails."),
    Code.RELATIONSHIP_PREVIOUS: Meaning("The relationship before it in a chain does not lead to it.", _LOST),
    Code.RELATIONSHIP_NEXT: Meaning("The relationship behind it in a chain does not lead back to it.", _LOST),
    Code.RELATIONSHIP_FIRST: Meaning(
        "A relationship says that it begins a chain, and its node or group does not.", _LOST
    ),
    Code.RELATIONSHIP_GROUP: Meaning("A dense node has no group for the type of a relationship of it.", _LOST),
    Code.RELATIONSHIP_LOOP: Meaning("The two sides of a relationship from a node to itself differ.", _LOST),
    Code.RELATIONSHIP_COUNT: Meaning(
        "A chain has another number of relationships than it says.", "Degrees of nodes are wrong, and plans poor."
    ),
    Code.GROUP_OWNER: Meaning("A relationship group belongs to a node that is not in use, or not dense.", _LOST),
    Code.GROUP_NEXT: Meaning("Groups of a node are of several nodes, not in use, or not in the order of types.", _LOST),
    Code.GROUP_TYPE: Meaning("A relationship group has a type that no token names.", _LOST),
    Code.GROUP_FIRST: Meaning("A group does not begin the chain of its relationships.", _LOST),
    Code.GROUP_SHARED: Meaning("A relationship group is in more than one chain, or twice in one.", _LOST),
    Code.GROUP_ORPHAN: Meaning("A relationship group is in use, and in no chain.", _LOST),
    Code.PROPERTY_PREVIOUS: Meaning(
        "A property record names another as the one before it.", "A change of the properties may damage others."
    ),
    Code.PROPERTY_KEY: Meaning("A property has a key that no token names.", "Asking for the properties of it fails."),
    Code.PROPERTY_KEY_TWICE: Meaning("A node or relationship has two values of one key.", _VALUES),
    Code.PROPERTY_ORPHAN: Meaning("A property record is in use, and in no chain.", _SPACE),
    Code.DYNAMIC_ORPHAN: Meaning("A record of a long text, array, list of labels or name is in use by none.", _SPACE),
    Code.NAME_TWICE: Meaning(
        "Two labels, types or keys have the same name.", "Queries find only what has one of the two."
    ),
    Code.RULE: Meaning("A rule of the schema lacks what a rule has to say.", _SCHEMA),
    Code.RULE_REFERENCE: Meaning("A rule of the schema names a label, type or key that no token is.", _SCHEMA),
    Code.RULE_INDEX: Meaning("A constraint and its index do not name each other, or its kind has no index.", _SCHEMA),
    Code.COUNT: Meaning("The counts store has another number than the graph.", "Counting gives wrong answers."),
    Code.DEGREE: Meaning(
        "The degrees file has another number than the graph.", "Degrees of nodes are wrong, and plans poor."
    ),
    Code.INDEX_MISSING: Meaning("An index does not hold what it has to.", "Queries that use the index miss it."),
    Code.INDEX_EXTRA: Meaning(
        "An index holds what the graph has not got.", "Queries that use the index find what is not so."
    ),
    Code.ID_FREE: Meaning("The id of a record in use is marked as free.", _OVERWRITTEN),
    Code.ID_HIGH: Meaning("A record in use is behind the highest id.", _OVERWRITTEN),
    Code.TREE_ORDER: Meaning("Entries of a tree are not in order, or twice there.", _TREE),
    damage.TreeCode.STATE: Meaning("A tree does not say where it begins.", _TREE),
    damage.TreeCode.NODE: Meaning("A page of a tree is none, or is not of its level.", _TREE),
    damage.TreeCode.POINTER: Meaning("A page of a tree leads to none, or to one that is elsewhere in it.", _TREE),
    damage.TreeCode.SIBLING: Meaning("A page of a tree does not name the one beside it.", _TREE),
    damage.TreeCode.ENTRY: Meaning("An entry of a tree cannot be read.", _TREE),
    damage.TreeCode.SEPARATOR: Meaning("A key in a page of a tree does not separate the pages below it.", _TREE),
    damage.TreeCode.FREE: Meaning(
        "The list of free pages of a tree is broken, or a page is in it that is in use.", _PAGE_OVERWRITTEN
    ),
    damage.TreeCode.LOST: Meaning("A page of a tree is neither in use nor free.", _SPACE),
    Code.CONSTRAINT_UNIQUE: Meaning(
        "A node or relationship has the values of another, which a constraint does not allow.", _DEMAND
    ),
    Code.CONSTRAINT_EXISTENCE: Meaning("A node or relationship lacks a property that a constraint demands.", _DEMAND),
    Code.CONSTRAINT_TYPE: Meaning("A property is of a type that a constraint does not allow.", _DEMAND),
    Code.CONSTRAINT_LABEL: Meaning(
        "A node, or a node at an end of a relationship, lacks a label that a constraint demands.", _DEMAND
    ),
    damage.Code.PROPERTY_NOT_IN_USE: Meaning(
        "A chain of properties goes through a record that is not in use.", _VALUES
    ),
    damage.Code.PROPERTY_CHAIN_CYCLE: Meaning("A chain of properties comes to a record again.", "Queries do not end."),
    damage.Code.PROPERTY_SHARED: Meaning("More than one chain of properties goes through a record.", _VALUES),
    damage.Code.PROPERTY_BLOCK: Meaning("A value does not fit into its property record.", _VALUES),
    damage.Code.PROPERTY_VALUE: Meaning("A value cannot be read.", _VALUES),
    damage.Code.DYNAMIC_NOT_IN_USE: Meaning(
        "A long text, array, list of labels or name goes through a record that is not in use.", _VALUES
    ),
    damage.Code.DYNAMIC_CHAIN_CYCLE: Meaning("A dynamic chain comes to a record again.", "Queries do not end."),
    damage.Code.DYNAMIC_NOT_FIRST: Meaning("A dynamic record is not where in a chain it says that it is.", _VALUES),
    damage.Code.DYNAMIC_NOT_FULL: Meaning("A dynamic record is not full, and another follows.", _VALUES),
    damage.Code.DYNAMIC_LENGTH: Meaning("A dynamic record says that it is longer than a record can be.", _VALUES),
    damage.Code.DYNAMIC_SHARED: Meaning("More than one dynamic chain goes through a record.", _VALUES),
    damage.Code.LABEL_FIELD: Meaning(
        "The labels of a node cannot be read, or are not in order.", "Nodes are missing from answers."
    ),
    damage.Code.UNREADABLE_NAME: Meaning("The name of a token is not UTF-8.", "The database may not start."),
}
"""Every kind of finding."""

TREE_KINDS = frozenset(
    {
        Code.COUNT,
        Code.DEGREE,
        Code.INDEX_MISSING,
        Code.INDEX_EXTRA,
        Code.ID_FREE,
        Code.ID_HIGH,
        Code.TREE_ORDER,
        *damage.TreeCode,
    }
)
"""Kinds that are found where a store was closed in order only."""
