"""Where Neo4j's own check does not name what neokeep names of a broken store, and why neokeep is right.

The table in docs/consistency.md is made of it, and tests on real stores fail when something else is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from helpers.agreement import Outcome, broken_by
from helpers.breakings import WAYS
from helpers.indexed_store import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.neo4j.store.pages import StorePages

FAILS, OTHER, NONE, SILENT, SAME = Outcome.FAILS, Outcome.OTHER, Outcome.NOTHING_NAMED, Outcome.SILENT, Outcome.SAME
LAST = ("a rule of the schema loses its properties", "a leaf is a page of a list")
"""What Neo4j's check does not forget until its process ends: healthy stores too are broken to it after these.

After the first that of 4.4 waits for half a minute, and says that a token index is not online; after the second
those of 4.4 and 5 take all counts for 0.
"""
OF_TYPES = "a number has to be a text"
"""4.4 knows no constraints on types, so it cannot be broken so."""


@dataclass(frozen=True)
class Difference:
    """A way to break a store of which Neo4j's check does not name the same; in some versions otherwise."""

    name: str
    outcome: Outcome
    why: str
    otherwise: Mapping[str, Outcome] = field(default_factory=dict)

    def of(self, version: str) -> Outcome:
        """Tell what Neo4j's check of a version makes of it."""
        return self.otherwise.get(version, self.outcome)


OLD = VERSIONS[0]
DIFFERENCES = (
    Difference(
        "the number of relationships of a node is another one",
        SILENT,
        "The first relationship of a chain holds how many there are; following the chain gives another number.",
    ),
    Difference(
        "the number of relationships of a group is another one",
        SILENT,
        "The same, in the chain of a group.",
    ),
    Difference(
        "the sides of a loop differ",
        SILENT,
        "A loop is once in the chain of its node, and its two sides name different relationships as the next.",
    ),
    Difference(
        "a dense node loses its first group",
        SILENT,
        "The group is in use and names its node, and neither the node nor another group leads to it.",
    ),
    Difference(
        "a group loses its loops",
        SILENT,
        "The group begins with no loop, and a loop of its node and type says that it is the first.",
    ),
    Difference(
        "a first relationship is no more that of its group",
        SILENT,
        "The same bytes, looked at from the loop.",
    ),
    Difference(
        "many labels belong to another node",
        SILENT,
        "The list of labels begins with the number of its node, and that is another one.",
    ),
    Difference(
        "a node loses its properties",
        SILENT,
        "The records of its properties are in use, and no node or relationship leads to them.",
    ),
    Difference(
        "a value is of a type that is none",
        SILENT,
        "The four bits of the type are 15, which stands for none.",
        {OLD: SAME},
    ),
    Difference(
        "a text is in an unknown encoding",
        FAILS,
        "The five bits of the encoding are one that there is not. Neo4j's check ends without a report.",
    ),
    Difference(
        "a time is of a kind that is none",
        FAILS,
        "The four bits of the kind stand for none. Neo4j's check ends without a report.",
    ),
    Difference(
        "a value is longer than its record",
        OTHER,
        "The head of the value says that it takes more longs than are left in the record. Neo4j's check takes what is "
        "missing for zeros, and names the node, whose value it does not find in the indexes then.",
    ),
    Difference(
        "a long text begins in the middle of another",
        SILENT,
        "The record that it begins with has no mark of a first one, and another text goes through it.",
    ),
    Difference(
        "a long text loses its rest",
        SILENT,
        "The records of the rest are in use, and no text leads to them.",
    ),
    Difference(
        "a long text has a hole",
        NONE,
        "Neo4j's check gives the number of the dynamic record, and not of which store it is.",
    ),
    Difference(
        "a long text goes on in itself",
        SILENT,
        "The record names itself as the next one.",
    ),
    Difference(
        "two texts share their rest",
        SILENT,
        "Two records name the same one as the next.",
    ),
    Difference(
        "a name is not in use",
        OTHER,
        "The bit of the record with the name is what was changed. Neo4j's check names the label whose name it is.",
    ),
    Difference(
        "a name is not text",
        SILENT,
        "A name has the byte 255, which UTF-8 has not.",
    ),
    Difference(
        "two labels have one name",
        FAILS,
        "Two tokens lead to the same name. Neo4j's check ends without a report.",
    ),
    Difference(
        "a degree is one too few",
        SILENT,
        "The chain of the group has one relationship more.",
    ),
    Difference(
        "a degree is of another group",
        SILENT,
        "The group whose chain was counted has no degree there, and a group that there is not has one.",
    ),
    Difference(
        "the id of a node in use is free",
        SAME,
        "The record is in use, and its bit in the id file says that its id is free.",
        {OLD: SILENT},
    ),
    Difference(
        "a text in use is behind the highest id",
        SILENT,
        "The id file says that ids go on with 20, and records behind that are in use.",
    ),
    Difference(
        "a tree has no state",
        NONE,
        "Both pages that say where the tree begins are unreadable. Neo4j's check says that the file is broken.",
        {OLD: SAME},
    ),
    Difference(
        "a root leads out of the file",
        OTHER,
        "The root names page 9999, of a file with fewer. Neo4j's check names pages that are not reached then, and all "
        "counts as 0; that of 4.4.48 ends without a report.",
        {OLD: FAILS},
    ),
    Difference(
        "a key of an index is outside of its page",
        NONE,
        "Neo4j's check gives the offset, and names neither the index nor the page.",
    ),
    Difference(
        "a key of an index is of an unknown type",
        NONE,
        "Neo4j's check gives the type, and names neither the index nor the page.",
    ),
)


def differences(version: str) -> dict[str, Outcome]:
    """Give what Neo4j's check of a version makes of all that it does not name as neokeep does."""
    return {one.name: one.of(version) for one in DIFFERENCES if one.of(version) is not SAME}


def table(pages: StorePages) -> str:
    """Write the table of the docs; the codes are those of breaking this store."""
    codes = {way.name: broken_by(way, pages).code for way in WAYS}
    lines = [
        f"| what was done | code here | {' | '.join(VERSIONS)} | what the bytes say |",
        f"|{'---|' * (3 + len(VERSIONS))}",
    ]
    for one in DIFFERENCES:
        told = " | ".join(one.of(version) for version in VERSIONS)
        lines.append(f"| {one.name} | `{codes[one.name]}` | {told} | {one.why} |")
    return "\n".join(lines) + "\n"


MIXTURES = {
    "records": {
        "a node begins with a relationship of others",
        "the previous relationship of the end is another one",
        "the next relationship of the end is that before it",
        "the first relationship says that it is not",
        "a dense node begins with a group of nobody",
        "a group belongs to another node",
        "a group is of an unknown type",
        "there is no group for a type",
        "a group is followed by itself",
        "a group begins with a relationship of another kind",
        "a type is gone",
        "a key is gone",
        "a node has an unknown label",
        "a property names another one before it",
        "a chain of properties goes on in itself",
        "two nodes share their properties",
        "a key is there twice",
        "a point has a dimension too many",
        "a rule of the schema names a label that is gone",
        "the index of a constraint is gone",
    },
    "more records": {
        "a chain is cut",
        "a node loses its relationships",
        "labels are not in order",
        "a group is in two chains",
        "a property has an unknown key",
        "a record of a text is longer than records are",
        "a record of an array is not in use",
        "two people have one number",
        "a node loses its many labels",
    },
    "trees": {
        "a count of nodes is one too many",
        "a count of relationships of a label is none",
        "a count of relationships into a label is of another label",
        "a node is not in the index of its label",
        "a node is in the index of a label that it has not got",
        "a node gets a label that no index knows of",
        "a relationship is not in the index of its type",
        "a relationship that never was is in the index of a type",
        "the first entry of a token index is of no token",
        "two counts change places",
        "a leaf names no right neighbour",
        "an index holds another node",
        "an index does not hold a node",
        "an index holds a node under another number",
        "an index holds a node under another text",
        "an index on two properties holds a node under another second value",
        "a date in an index is another day",
        "a number in an index is a point",
        "a relationship has another value than in the index",
        "an index holds a node twice",
        "an index has texts out of order",
        "numbers are out of order where one leaf ends",
        "a node loses its label",
        "a relationship is of another type that there is",
        "an index holds a node that is not in use any more",
    },
}
"""Ways that change no byte twice and hide nothing: each is named by both beside all others."""
