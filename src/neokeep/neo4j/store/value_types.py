"""The types that values have in Cypher, and of which of them stored values are by their kinds.

What the kind alone does not tell (arrays, and times until their own kind is read) is in neither mapping.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from neokeep.neo4j.store.values import Kind, TemporalKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.neo4j.store.pages import Numbers

_Number = TypeVar("_Number", bound=int)


class ValueType(IntEnum):
    """What a single value can be; names are those of property type constraints in the schema store (since 5.9)."""

    BOOLEAN = 1
    INTEGER = 2
    FLOAT = 3
    STRING = 4
    POINT = 5
    DATE = 6
    LOCAL_TIME = 7
    LOCAL_DATETIME = 8
    ZONED_TIME = 9
    ZONED_DATETIME = 10
    DURATION = 11


OF_KINDS = {
    Kind.BOOLEAN: ValueType.BOOLEAN,
    Kind.BYTE: ValueType.INTEGER,
    Kind.SHORT: ValueType.INTEGER,
    Kind.CHARACTER: ValueType.STRING,
    Kind.INTEGER: ValueType.INTEGER,
    Kind.LONG: ValueType.INTEGER,
    Kind.FLOAT: ValueType.FLOAT,
    Kind.DOUBLE: ValueType.FLOAT,
    Kind.STRING: ValueType.STRING,
    Kind.SHORT_STRING: ValueType.STRING,
    Kind.POINT: ValueType.POINT,
}
OF_TEMPORAL_KINDS = {
    TemporalKind.DATE: ValueType.DATE,
    TemporalKind.LOCAL_TIME: ValueType.LOCAL_TIME,
    TemporalKind.LOCAL_DATE_TIME: ValueType.LOCAL_DATETIME,
    TemporalKind.TIME: ValueType.ZONED_TIME,
    TemporalKind.DATE_TIME: ValueType.ZONED_DATETIME,
    TemporalKind.DURATION: ValueType.DURATION,
}


def by_number(meanings: Mapping[_Number, int]) -> Numbers:
    """Make a column of meanings for the 16 numbers that four bits can be; 0 of those that have none."""
    found = np.zeros(16, np.int64)
    for number, meaning in meanings.items():
        found[number] = meaning
    return found
