"""When two values are one to a uniqueness constraint, as real servers decide it; and their fingerprints.

Numbers are equal whatever their types, exactly: 1 and 1.0 are, 2^53 + 1 and 2.0^53 are not, nor are 0 and -0.0. NaN is
unlike itself, but not in arrays. Texts are compared by their characters. A flag is no number, an array no single value.
Temporal values and points are compared by all of their parts: noon in Paris is not noon in Berlin.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.consistency.claims import Fingerprints, fingerprints
from neokeep.neo4j.store.values import Kind, Point

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from neokeep.neo4j.store.blocks import Column
    from neokeep.neo4j.store.pages import Flags

_WHOLE, _FRACTION, _FLAG, _TEXT, _OTHER = range(5)
_FLAGS, _NUMBERS, _EACH, _SPECIAL = "flags", "numbers", "each", "special"


def canonical(value: Any) -> Hashable:
    """Give what is equal, and has the same hash, for values that are equal to Neo4j."""
    if isinstance(value, np.ndarray):
        return (_FLAGS if value.dtype == np.bool_ else _NUMBERS, tuple(map(canonical, value.tolist())))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return (_EACH, tuple(map(canonical, value)))
    if isinstance(value, Point):
        return (Point, value.system, canonical(value.coordinates))
    if isinstance(value, float) and (math.isnan(value) or (value == 0 and math.copysign(1, value) < 0)):
        return (_SPECIAL, repr(value))
    # Python takes True for 1.
    return (_FLAGS, value) if isinstance(value, bool) else value


def is_like_itself(column: Column) -> Flags:
    """Tell which values are equal to others of their bits: all but NaN."""
    if column.values.dtype.kind != "f":
        return np.ones(len(column.rows), np.bool_)
    like: Flags = ~np.isnan(column.values)
    return like


def fingerprints_of(column: Column) -> Fingerprints:
    """Give a number of 64 bits for each value: the same for equal ones, within one process."""
    values = column.values
    if column.kind == Kind.BOOLEAN:
        return fingerprints(_FLAG, values)
    if values.dtype != np.object_:
        return _of_numbers(values)
    if column.kind in (Kind.STRING, Kind.SHORT_STRING, Kind.CHARACTER):
        return fingerprints(_TEXT, np.fromiter(map(hash, values), np.int64, len(values)))
    hashes = (hash(canonical(value)) for value in values)
    return fingerprints(_OTHER, np.fromiter(hashes, np.int64, len(values)))


def _of_numbers(values: NDArray[Any]) -> Fingerprints:
    if values.dtype.kind == "i":
        return fingerprints(_WHOLE, values)
    numbers = values.astype(np.float64)
    whole = (np.floor(numbers) == numbers) & (np.abs(numbers) < 2.0**63) & ((numbers != 0) | ~np.signbit(numbers))
    return np.where(
        whole,
        fingerprints(_WHOLE, np.where(whole, numbers, 0).astype(np.int64)),
        fingerprints(_FRACTION, numbers.view(np.int64)),
    )
