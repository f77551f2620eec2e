"""Objects in a bucket or container: S3 and all that speaks it, Google Cloud Storage, Azure Blob.

Every object is stored by one request that the server carries out only if the name is free (If-None-Match): it is there
as a whole or not at all, and a writer that is killed leaves nothing behind. So there is nothing to clear. The library
repeats nothing: storage/retrying.py does, since only there a create of unknown outcome is resolved.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from neokeep.errors import AccessError, NeokeepError
from neokeep.storage.base import ObjectExists, ObjectMissing, Storage, StoredObject, TransientError, checked_name
from neokeep.storage.object_errors import explain, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from obstore import GetOptions, WritableFile
    from obstore.store import ObjectStore
    from typing_extensions import Buffer

    from neokeep.storage.object_lock import ObjectLock
    from neokeep.storage.retention import Retention

_LISTED_AT_ONCE = 1000
_PARTS_AT_ONCE = 2
_OUT_OF_RANGE = ("status code: 416", "Wanted range starting at")
_FAILURES = (BaseError, OSError, ValueError)


class ObjectStorage(Storage):
    """A bucket or container, below a prefix."""

    def __init__(
        self,
        store: ObjectStore,
        url: str,
        prefix: str = "",
        caveats: tuple[str, ...] = (),
        *,
        lock: ObjectLock | None = None,
        locked_until: Callable[[str], datetime | None] = lambda _key: None,
        retention: Retention | None = None,
        for_parts: Callable[[], ObjectStore] | None = None,
    ) -> None:
        self.url = url
        self._lock = lock
        self._locked_until = locked_until
        self._retention = retention
        self._store = store
        self._prefix = f"{prefix}/" if prefix else ""
        self._caveats = caveats
        self._for_parts = for_parts or (lambda: store)

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create."""
        key = self._key(name)
        locking = self._lock is not None and self._lock.applies_to(name)
        store = self._lock.store() if self._lock is not None and locking else self._store
        try:
            obstore.put(store, key, memoryview(data).cast("B"), mode="create", use_multipart=False)
        except AlreadyExistsError:
            self._require_existing(name)
            raise ObjectExists(f"{self.url}/{name} exists already", remedy="Nothing was overwritten.") from None
        except _FAILURES as problem:
            failure = explain(problem, f"store {name} in", self.url)
            if isinstance(failure, ObjectMissing):
                # There is nothing that could be missing: a bucket that is gone, told in words we do not know.
                failure = TransientError(failure.message, remedy="Check that the bucket is there.")
            if isinstance(failure, AccessError) and self._is_there(name):
                # Some servers look at the lock of what is there before they look at the condition.
                failure = ObjectExists(f"{self.url}/{name} exists already", remedy="Nothing was overwritten.")
            raise failure from None
        if self._lock is not None and locking:
            self._lock.prove(lambda: self._locked_until(key), self.url)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        key = self._key(name)
        if length == 0:
            self.stat(name)
            return b""
        options: GetOptions = {}
        if length is not None:
            options["range"] = (offset, offset + length)
        elif offset:
            options["range"] = {"offset": offset}
        try:
            return bytes(obstore.get(self._store, key, options=options).bytes())
        except _FAILURES as problem:
            if any(words in str(problem) for words in _OUT_OF_RANGE):
                return self._behind_the_end(name, offset)
            raise explain(problem, f"read {name} in", self.url) from None

    def stat(self, name: str) -> StoredObject:
        """See Storage.stat."""
        key = self._key(name)
        try:
            found = obstore.head(self._store, key)
        except _FAILURES:
            # The answer to a HEAD has no body that says why. A GET has one; it also finds what came meanwhile.
            try:
                found = obstore.get(self._store, key).meta
            except _FAILURES as problem:
                raise explain(problem, f"look at {name} in", self.url) from None
        return StoredObject(name, found["size"], found["last_modified"])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list."""
        key = self._key(prefix)
        try:
            for some in obstore.list(self._store, key, chunk_size=_LISTED_AT_ONCE):
                for item in some:
                    name = item["path"].removeprefix(self._prefix)
                    yield StoredObject(name, item["size"], item["last_modified"])
        except _FAILURES as problem:
            raise explain(problem, f"list {prefix} in", self.url) from None

    def delete(self, name: str) -> None:
        """See Storage.delete."""
        key = self._key(name)
        with suppress(ObjectMissing):
            try:
                obstore.delete(self._store, key)
            except _FAILURES as problem:
                failure = explain(problem, f"delete {name} in", self.url)
                until = self._locked_until(key) if isinstance(failure, AccessError) else None
                if until is not None:
                    raise locked(f"{self.url}/{name}", until) from None
                raise failure from None

    @property
    def locks(self) -> bool:
        """See ExtendsLocks.locks."""
        return self._lock is not None and self._retention is not None

    def extend_lock(self, name: str) -> bool:
        """See ExtendsLocks.extend_lock."""
        if self._lock is None or self._retention is None:
            raise AssertionError("no locks were asked for")
        key = self._key(name)
        later = self._lock.later(self._retention.until(key))
        if later is not None:
            self._retention.extend(key, later)
        return later is not None

    def large(self, name: str, part: int, *, overwrite: bool) -> LargeObject:  # noqa: ARG002
        """See TakesStreams.large: the library cannot ask for the name to be free at the end of a large object."""
        return LargeObject(self._for_parts(), self._key(name), part, f"store {name} in", self.url)

    def store_over(self, name: str, data: Buffer) -> None:
        """See StoresAtOnce.store_over."""
        try:
            obstore.put(self._for_parts(), self._key(name), memoryview(data).cast("B"), use_multipart=False)
        except _FAILURES as problem:
            raise explain(problem, f"store {name} in", self.url) from None

    def prepare(self) -> tuple[str, ...]:
        """See Storage.prepare: buckets are not made, since where and how is not for a backup tool to say."""
        try:
            found = obstore.list_with_delimiter(self._store, self._prefix or None)
        except _FAILURES as problem:
            raise explain(problem, "look into", self.url) from None
        paths = [*found["common_prefixes"], *(item["path"] for item in found["objects"])]
        return tuple(sorted(path.removeprefix(self._prefix).strip("/") for path in paths))

    def clear_abandoned(self) -> int:
        """See Storage.clear_abandoned: nothing can be left behind, see above."""
        return 0

    def caveats(self) -> tuple[str, ...]:
        """See Storage.caveats."""
        return self._caveats

    def free_bytes(self) -> int | None:
        """See Storage.free_bytes: buckets do not say."""
        return None

    def _key(self, name: str) -> str:
        return self._prefix + checked_name(name)

    def _is_there(self, name: str) -> bool:
        try:
            self.stat(name)
        except NeokeepError:
            return False
        return True

    def _require_existing(self, name: str) -> None:
        """Believe that a name is taken only when something is there.

        A server may answer 409 to all of several writers, or to one whose rival was removed in that moment.
        """
        try:
            self.stat(name)
        except ObjectMissing as problem:
            raise TransientError(
                f"{self.url} refused {name} as taken, but there is no such object", remedy="Try again."
            ) from problem

    def _behind_the_end(self, name: str, offset: int) -> bytes:
        size = self.stat(name).size
        if size > offset:
            raise TransientError(f"{self.url}/{name} changed its size while it was read", remedy="Try again.")
        return b""


class LargeObject:
    """An object that is sent in parts; see Stream. It is there when it is finished, and not before."""

    def __init__(self, store: ObjectStore, key: str, part: int, doing: str, url: str) -> None:
        self._doing, self._url = doing, url
        # Never as a context: the library would finish it whatever happened inside.
        self._file: WritableFile | None = obstore.open_writer(
            store, key, buffer_size=part, max_concurrency=_PARTS_AT_ONCE
        )

    def write(self, data: Buffer) -> None:
        """See Stream.write."""
        if self._file is None:
            raise AssertionError("nothing is written to what was finished or abandoned")
        try:
            self._file.write(bytes(data))
        except _FAILURES as problem:
            raise explain(problem, self._doing, self._url) from None

    def finish(self) -> None:
        """See Stream.finish."""
        if self._file is None:
            raise AssertionError("nothing is finished twice")
        try:
            self._file.close()
        except _FAILURES as problem:
            raise explain(problem, self._doing, self._url) from None
        self._file = None

    def abandon(self) -> None:
        """See Stream.abandon."""
        self._file = None
