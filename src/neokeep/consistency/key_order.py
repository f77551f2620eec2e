"""The order of keys in an index of properties: by the values, then by the entity.

Where it is not known how two values compare, as of points or of times in several zones, nothing is said of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.index_keys import NOT_A_NUMBER, NumberType, ValueType, chunks

if TYPE_CHECKING:
    from neokeep.neo4j.store.index_keys import Keys, Values
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers

_LESS, _SAME, _MORE, _UNKNOWN = -1, 0, 1, 2
_HIGH_BITS = np.uint64(0x8080808080808080)
_ARRAYS_FIRST = 20
_EXACT = {
    ValueType.BOOLEAN: 1,
    ValueType.DATE: 1,
    ValueType.LOCAL_TIME: 1,
    ValueType.LOCAL_DATE_TIME: 2,
}
"""How many numbers tell all of a value, the first before the next."""


def behind(keys: Keys, may_be_same: Flags | bool = False) -> Flags:  # noqa: FBT001, FBT002 -- a column, one for each
    """Tell of each key but the first whether it may stand behind the one before it, or be the same."""
    count = max(0, len(keys.entities) - 1)
    order = np.full(count, _SAME)
    for values in keys.values:
        rows = np.flatnonzero(order == _SAME)
        order[rows] = _compared(values, keys.content, rows)
    more, same = keys.entities[1:] > keys.entities[:-1], keys.entities[1:] == keys.entities[:-1]
    good: Flags = (order == _MORE) | (order == _UNKNOWN) | ((order == _SAME) & (more | same & may_be_same))
    return good


def _compared(values: Values, content: Bytes, rows: Numbers) -> Numbers:
    """Compare the value behind each row with that of the row: less, same, more or unknown."""
    mine, theirs = values.types[rows + 1], values.types[rows]
    order = _signs(_rank(mine), _rank(theirs))
    order[(order == _SAME)] = _UNKNOWN
    for kind, exact in _EXACT.items():
        own = np.flatnonzero((mine == kind) & (theirs == kind))
        found = np.full(len(own), _SAME)
        for number in values.numbers[:exact]:
            found = np.where(found == _SAME, _signs(number[rows[own] + 1], number[rows[own]]), found)
        order[own] = found
    own = np.flatnonzero((mine == ValueType.NUMBER) & (theirs == ValueType.NUMBER))
    order[own] = _numbers(values, rows[own])
    own = np.flatnonzero((mine == ValueType.TEXT) & (theirs == ValueType.TEXT))
    order[own] = _texts(values, content, rows[own])
    return order


def _rank(types: Numbers) -> Numbers:
    return np.where(types >= ValueType.FIRST_ARRAY, types - _ARRAYS_FIRST, types)


def _signs(one: Numbers, other: Numbers) -> Numbers:
    return np.where(one > other, _MORE, np.where(one < other, _LESS, _SAME))


def _numbers(values: Values, rows: Numbers) -> Numbers:
    kinds, bits = values.numbers[0], values.numbers[1]
    mine, theirs = (_as_floats(kinds, bits, of) for of in (rows + 1, rows))
    whole = (kinds[rows] <= NumberType.LONG) & (kinds[rows + 1] <= NumberType.LONG)
    found = np.where(mine > theirs, _MORE, np.where(mine < theirs, _LESS, _UNKNOWN))
    return np.where(whole, _signs(bits[rows + 1], bits[rows]), found)


def _as_floats(kinds: Numbers, bits: Numbers, rows: Numbers) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    kind, raw = kinds[rows], bits[rows]
    found = raw.astype(np.float64)
    for own, bytes_of, type_of in (
        (NumberType.FLOAT, np.uint32, np.float32),
        (NumberType.DOUBLE, np.int64, np.float64),
    ):
        # What is no number has these bits here, which compare as it does.
        at = np.flatnonzero((kind == own) & (raw != NOT_A_NUMBER))
        found[at] = raw[at].astype(bytes_of).view(type_of)
        found[(kind == own) & (raw == NOT_A_NUMBER)] = np.nan
    return found


def _texts(values: Values, content: Bytes, rows: Numbers) -> Numbers:
    """Compare texts by their bytes; where those are not ASCII it is not known how."""
    begins, lengths = values.begins, values.numbers[1]
    order = np.full(len(rows), _SAME)
    left, step = np.arange(len(rows)), 0
    while len(left):
        mine, theirs = (chunks(content, begins[of] + step, lengths[of] - step) for of in (rows[left] + 1, rows[left]))
        found = np.where(mine > theirs, _MORE, np.where(mine < theirs, _LESS, _SAME))
        found[(found != _SAME) & ((mine | theirs) & _HIGH_BITS != 0)] = _UNKNOWN
        order[left] = found
        step += 8
        longer = np.minimum(lengths[rows[left] + 1], lengths[rows[left]]) > step
        left = left[(found == _SAME) & longer]
    ties = order == _SAME
    order[ties] = _signs(lengths[rows[ties] + 1], lengths[rows[ties]])
    return order
