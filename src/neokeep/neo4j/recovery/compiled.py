"""Functions that numba compiles: once for the types that their annotations name, when their module is first imported.

They take numbers, flags and arrays only, and are written without sets, `in` and keyword arguments: what compiles
quickly. They let other threads run. The machine code is kept in the user's cache under a digest of all the sources it
was made from: numba itself looks at the file of the outermost function only, not at what was compiled into it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from neokeep.neo4j.cache import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

_Function = TypeVar("_Function", bound=Callable[..., Any])

_numba: Any = numba
"""What is used of it is documented, but not in its type stubs."""

Bytes = NDArray[np.uint8]
"""Bytes that are only read."""
Output = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Rows = NDArray[np.int64]
"""Numbers in rows and columns."""
Longs = NDArray[np.uint64]
"""Longs of property records, a row of four each."""
ByteRows = NDArray[np.uint8]

_PACKAGE = Path(__file__).parents[2]
SOURCES = (
    "consistency.proof.bits",
    "consistency.proof.chains",
    "consistency.proof.entities",
    "consistency.proof.tallies",
    "consistency.proof.values",
    "neo4j.recovery.bits",
    "neo4j.recovery.compiled",
    "neo4j.recovery.images",
    "neo4j.recovery.layout",
    "neo4j.recovery.pages",
    "neo4j.recovery.walk",
    "neo4j.store.kernels",
    "neo4j.store.records",
    "neo4j.store.texts",
)
"""Modules below neokeep that compiled code is made from."""
_TYPES = {
    "int": types.int64,
    "bool": types.boolean,
    "None": types.void,
    "Bytes": types.Array(types.uint8, 1, "C", readonly=True),
    "Output": types.Array(types.uint8, 1, "C"),
    "Numbers": types.Array(types.int64, 1, "C"),
    "Rows": types.Array(types.int64, 2, "C"),
    "Longs": types.Array(types.uint64, 2, "C"),
    "ByteRows": types.Array(types.uint8, 2, "C"),
}


def compiled(function: _Function) -> _Function:
    """Compile a function that Python calls."""
    return _compile(function, inner=False)


def compiled_part(function: _Function) -> _Function:
    """Compile a function that only compiled code calls, which takes less time."""
    return _compile(function, inner=True)


def _compile(function: _Function, *, inner: bool) -> _Function:
    if function.__module__.removeprefix(f"{_PACKAGE.name}.") not in SOURCES:
        raise AssertionError(f"{function.__module__} has to be in SOURCES, or stale machine code would be used")
    named = dict(function.__annotations__)
    result = _TYPES[named.pop("return")]
    signature = result(*(_TYPES[name] for name in named.values()))
    with _kept() as keeping:
        compiler = _numba.njit(
            signature,
            cache=keeping,
            nogil=True,
            error_model="numpy",
            # They make no objects, so there are no references to count: that would take most of the time.
            _nrt=False,
            no_cpython_wrapper=inner,
            no_cfunc_wrapper=True,
        )
        return cast("_Function", compiler(function))


@contextmanager
def _kept() -> Iterator[bool]:
    """Have numba keep machine code where it belongs, if it can be kept at all."""
    place, usual = _place(), _numba.config.CACHE_DIR
    if place is not None:
        _numba.config.CACHE_DIR = str(place)
    try:
        yield place is not None
    finally:
        _numba.config.CACHE_DIR = usual


@cache
def _place() -> Path | None:
    digest = hashlib.blake2b(digest_size=16)
    try:
        for name in SOURCES:
            digest.update(_PACKAGE.joinpath(*name.split(".")).with_suffix(".py").read_bytes())
        place = cache_directory() / "compiled" / digest.hexdigest()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # No home, a disk that cannot be written to: then it is compiled each time.
        return None
    return place if os.access(place, os.W_OK | os.X_OK) else None
