"""Writing one large object piece by piece, of a size that is not known before: for archives, which are streams.

Repositories never need this: their objects are small and stored by one request. What is written is there as a whole
after `finish`, or not at all. In a bucket a large object is sent in parts, which no reader sees; the request at the end
cannot be made to fail where the name is taken, so that is looked at right before it. Parts of an upload that was not
finished stay hidden in the bucket until its rule for them removes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from neokeep.errors import UsageError
from neokeep.storage.base import ObjectExists, ObjectMissing, Storage
from neokeep.storage.layer import Layer, innermost
from neokeep.storage.throttled import Throttled

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

PART = 16 * 1024 * 1024
_MOST_PARTS = 9_000
_MIB = 1024 * 1024


class Stream(Protocol):
    """An object on its way."""

    def write(self, data: Buffer) -> None:
        """Add bytes."""

    def finish(self) -> None:
        """Make it exist.

        Raises:
            ObjectExists: its name is taken, and it is not to be replaced.
        """

    def abandon(self) -> None:
        """Have nothing come of it."""


@runtime_checkable
class TakesStreams(Protocol):
    """A storage that can be written to in this way."""

    def large(self, name: str, part: int, *, overwrite: bool) -> Stream:
        """Begin an object that is sent in parts of so many bytes.

        Where it can be told only by looking whether the name is taken, `finish` does not look.
        """


@runtime_checkable
class StoresAtOnce(TakesStreams, Protocol):
    """One where small objects are better stored by one request, which fails where the name is taken."""

    def store_over(self, name: str, data: Buffer) -> None:
        """Store a small object, over any other of its name."""


def open_stream(storage: Storage, name: str, *, largest: int, overwrite: bool) -> Stream:
    """Begin an object of at most `largest` bytes.

    Raises:
        UsageError: the storage cannot be written to in this way.
    """
    backend = innermost(storage)
    if not isinstance(backend, TakesStreams):
        raise UsageError(f"{storage.url} takes no streams", remedy="Write to a file.")
    # Parts are held in memory until they are sent, and their number has a limit.
    part = max(PART, -(-largest // _MOST_PARTS // _MIB) * _MIB)
    if isinstance(backend, StoresAtOnce):
        return _Held(storage, backend, name, part, overwrite=overwrite)
    return _Paid(backend.large(name, part, overwrite=overwrite), _payment(storage))


class _Paid:
    """Passes everything on, at the rate that a storage is held to."""

    def __init__(self, stream: Stream, pay: Callable[[int], None]) -> None:
        self._stream, self._pay = stream, pay

    def write(self, data: Buffer) -> None:
        """See Stream.write."""
        self._pay(memoryview(data).nbytes)
        self._stream.write(data)

    def finish(self) -> None:
        """See Stream.finish."""
        self._stream.finish()

    def abandon(self) -> None:
        """See Stream.abandon."""
        self._stream.abandon()


class _Held:
    """Holds the first part: what is no larger is stored by one request, which fails where the name is taken."""

    def __init__(self, storage: Storage, backend: StoresAtOnce, name: str, part: int, *, overwrite: bool) -> None:
        self._storage, self._backend = storage, backend
        self._name, self._part, self._overwrite = name, part, overwrite
        self._held = bytearray()
        self._large: Stream | None = None

    def write(self, data: Buffer) -> None:
        """See Stream.write."""
        view = memoryview(data).cast("B")
        if self._large is None and len(self._held) + len(view) <= self._part:
            self._held += view
            return
        if self._large is None:
            begun = self._backend.large(self._name, self._part, overwrite=self._overwrite)
            self._large = _Paid(begun, _payment(self._storage))
            self._large.write(self._held)
            self._held = bytearray()
        self._large.write(view)

    def finish(self) -> None:
        """See Stream.finish."""
        if self._large is None and not self._overwrite:
            self._storage.create(self._name, self._held)
        elif self._large is None:
            self._backend.store_over(self._name, self._held)
        else:
            if not self._overwrite:
                require_free(self._storage, self._name)
            self._large.finish()

    def abandon(self) -> None:
        """See Stream.abandon."""
        if self._large is not None:
            self._large.abandon()


def require_free(storage: Storage, name: str) -> None:
    """Look whether a name is free.

    Raises:
        ObjectExists: it is not.
    """
    try:
        storage.stat(name)
    except ObjectMissing:
        return
    raise ObjectExists(f"{storage.url}/{name} exists already", remedy="Nothing was overwritten.")


def _payment(storage: Storage) -> Callable[[int], None]:
    """Find who holds the storage to a rate, if anybody does."""
    while isinstance(storage, Layer):
        if isinstance(storage, Throttled):
            return storage.pay
        storage = storage.inner
    return lambda _: None
