"""Several breakings of one store at once, and what a check has to find of each.

Breakings choose the first record that fits, so some are of the same node or value, and one may take away what another
broke: of a node that has lost its properties, no value is wrong. `HIDES` names these; everything else has to be found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.breaking import Breaker, Expected
from helpers.breakings import BREAKINGS, Breaking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.neo4j.store.pages import StorePages

BY_NAME = {one.name: one for one in BREAKINGS}

_FIRST_OF_NODE = {"the number of relationships of a node is another one"}
_LONG_TEXTS = {
    "a long text goes on in itself",
    "a long text has a hole",
    "a record of a text is longer than records are",
    "two texts share their rest",
}
_BEHIND_THE_SECOND_RECORD = _LONG_TEXTS | {
    "a property has an unknown key",
    "a record of an array is not in use",
    "a value is longer than its record",
    "a value is of a type that is none",
}
_OF_THE_TIE = {
    "a relationship in the middle says that it is the first",
    "the next relationship is not in use",
    "the previous relationship is another one",
}
HIDES: dict[str, set[str]] = {
    "a node begins with a relationship of others": _FIRST_OF_NODE,
    "a node loses its relationships": _FIRST_OF_NODE,
    "a node begins in the middle of its chain": _FIRST_OF_NODE,
    "a first relationship is no more that of its node": _FIRST_OF_NODE,
    "the first relationship says that it is not": {
        *_FIRST_OF_NODE,
        "a first relationship is no more that of its node",
    },
    "a node is not in use any more": {
        *_OF_THE_TIE,
        "a chain is cut",
        "a relationship is not in use any more",
    },
    "a relationship is not in use any more": {
        *_OF_THE_TIE,
        "a node is not in use any more",
        "a relationship ends at a node that never was",
        "a relationship is of an unknown type",
    },
    "a relationship in the middle says that it is the first": {"the previous relationship is another one"},
    "a dense node begins with a group of nobody": {"a group is in two chains"},
    "a group is in two chains": {"a dense node loses its first group"},
    "a dense node loses its first group": {"a group is in two chains"},
    "a record of labels is not in use": {"many labels belong to another node", "a node loses its many labels"},
    "a node loses its many labels": {"a record of labels is not in use", "many labels belong to another node"},
    "a node loses its properties": {
        *_BEHIND_THE_SECOND_RECORD,
        "a chain of properties goes on in itself",
        "a chain of properties goes through a free record",
        "a key is there twice",
        "a point has a dimension too many",
        "a property names another one before it",
        "a text is in an unknown encoding",
        "a time is of a kind that is none",
        "two nodes share their properties",
    },
    "a chain of properties goes on in itself": _BEHIND_THE_SECOND_RECORD,
    "a chain of properties goes through a free record": _BEHIND_THE_SECOND_RECORD,
    "two nodes share their properties": {
        "a long text begins in the middle of another",
        "a node loses its properties",
    },
    "a value is of a type that is none": _LONG_TEXTS,
    "a value is longer than its record": {"a record of an array is not in use"},
    "a long text loses its rest": {"a long text goes on in itself", "a long text has a hole"},
    "a long text has a hole": {"a long text goes on in itself", "two texts share their rest"},
    "a record of a text is longer than records are": {"a long text goes on in itself", "two texts share their rest"},
    "two texts share their rest": {"a long text goes on in itself"},
    "a record of an array is not in use": {"a number has to be a text"},
    "a name is not in use": {"two labels have one name"},
    "a rule of the schema names a label that is gone": {"a name is not in use", "two labels have one name"},
    "a rule of the schema loses its properties": {"a rule of the schema names a label that is gone"},
    "a number has to be a text": {"two people have one number"},
    "the index of a constraint is of one that has none": {"two people have one number"},
    "the index of a constraint is gone": {"the index of a constraint is of one that has none"},
}
"""Of each breaking those that are not seen any more beside it."""


def mixed(pages: StorePages, ways: Sequence[Breaking]) -> tuple[dict[tuple[str, int], int], list[Expected]] | None:
    """Break a store in several ways: the bytes that change, and what has to be found; None where two change one."""
    flips: dict[tuple[str, int], int] = {}
    expected: list[Expected] = []
    hidden = {name for way in ways for name in HIDES.get(way.name, ())}
    for way in ways:
        breaker = Breaker(pages)
        found = way.apply(breaker)
        if flips.keys() & breaker.flips.keys():
            return None
        flips |= breaker.flips
        if way.name not in hidden:
            expected.append(found)
    return flips, expected
