"""Objects as files below a directory of an SFTP server.

As on a local disk, an object is written to `tmp/`, synced, and linked to its name: `hardlink@openssh.com` fails when
the name is taken, and the name appears with the whole content or not at all. A server without it gets SFTP's own
rename, which must not replace. Directories cannot be synced over SFTP; the file is synced once more after it was
linked, and the journals of ext4, xfs, btrfs and zfs write its names with it.
"""

from __future__ import annotations

import asyncio
import secrets
import stat as modes
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import asyncssh

from neokeep.errors import NeokeepError, RepositoryError, UnreachableError
from neokeep.storage.base import ObjectExists, ObjectMissing, Storage, StoredObject, checked_name
from neokeep.storage.sftp_connection import SftpConnection
from neokeep.storage.sftp_errors import FAILURES, NOT_THERE, explain, no_space

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from typing_extensions import Buffer

    from neokeep.storage.address import Address
    from neokeep.storage.place import StorageOptions

_SCRATCH = "tmp"
_ABANDONED_AFTER = 24 * 3600
_DIRECTORIES_AT_ONCE = 16
_FILE = asyncssh.SFTPAttrs(permissions=0o640)
_DIRECTORY = asyncssh.SFTPAttrs(permissions=0o750)
_NOT_SYNCED = "the SFTP server cannot sync files: a power loss there may take the newest backups"

Result = TypeVar("Result")


class SftpStorage(Storage):
    """A directory of an SFTP server, on a file system with hard links."""

    def __init__(self, address: Address, options: StorageOptions) -> None:
        self.url = address.url
        self._root = address.path.rstrip("/")
        self._expected = ""
        self._syncs = True
        self._connection = SftpConnection(address, options)

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create."""
        checked_name(name)
        view = memoryview(data).cast("B")
        self.run(f"store {name} in", lambda sftp: self._create(sftp, name, view))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        path = self.path_of(checked_name(name))

        async def work(sftp: asyncssh.SFTPClient) -> bytes:
            async with sftp.open(path, "rb") as file:
                wanted = length
                if wanted is None:
                    wanted = max(0, ((await file.stat()).size or 0) - offset)
                return cast("bytes", await file.read(wanted, offset)) if wanted else b""

        return self.run(f"read {name} in", work)

    def stat(self, name: str) -> StoredObject:
        """See Storage.stat."""
        path = self.path_of(checked_name(name))

        async def work(sftp: asyncssh.SFTPClient) -> StoredObject:
            found = await sftp.stat(path)
            if modes.S_ISDIR(found.permissions or 0):
                raise ObjectMissing(f"there is no object {name} in {self.url}", remedy="Check the name.")
            return _describe(name, found)

        return self.run(f"look at {name} in", work)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list."""
        checked_name(prefix)
        yield from self.run(f"list {prefix} in", lambda sftp: self._walk(sftp, prefix))

    def delete(self, name: str) -> None:
        """See Storage.delete."""
        path = self.path_of(checked_name(name))
        with suppress(ObjectMissing):
            self.run(f"delete {name} in", lambda sftp: sftp.remove(path))

    def large(self, name: str, part: int, *, overwrite: bool) -> LargeFile:
        """See TakesStreams.large."""
        return LargeFile(self, name, part, overwrite=overwrite)

    def clear_abandoned(self) -> int:
        """See Storage.clear_abandoned: scratch files older than a day by the server's clock."""
        return self.run("clear", self._clear)

    def expect(self, name: str) -> None:
        """See Storage.expect: a mount point whose disk is not mounted is a directory too, and could be written to."""
        self._expected = checked_name(name)

    def caveats(self) -> tuple[str, ...]:
        """See Storage.caveats. What the server cannot do is known when it was asked once."""
        return () if self._syncs else (_NOT_SYNCED,)

    def free_bytes(self) -> int | None:
        """See Storage.free_bytes."""

        async def work(sftp: asyncssh.SFTPClient) -> int | None:
            try:
                return _free(await sftp.statvfs(self._root))
            except asyncssh.SFTPOpUnsupported:
                return None

        return self.run("look at", work)

    def prepare(self) -> tuple[str, ...]:
        """See Storage.prepare."""

        async def work(sftp: asyncssh.SFTPClient) -> tuple[str, ...]:
            await sftp.makedirs(self._root, _DIRECTORY, exist_ok=True)
            names = [str(name) for name in await sftp.listdir(self._root)]
            return tuple(sorted(name for name in names if name not in {".", ".."}))

        return self.run("make", work)

    def run(self, doing: str, work: Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, Result]]) -> Result:
        """Do something with the connection; what fails is explained as failing to do `doing`."""
        try:
            return self._connection.run(work)
        except FAILURES as problem:
            raise explain(problem, doing, self.url) from None

    async def _create(self, sftp: asyncssh.SFTPClient, name: str, view: memoryview) -> None:
        scratch = self.path_of(f"{_SCRATCH}/{secrets.token_hex(8)}")
        try:
            file = await self.begin(sftp, scratch)
            try:
                if view:
                    await self.write_into(sftp, file, view, name)
                await self.sync(file)
                await self.claim(sftp, scratch, name)
                await self.sync(file)
            finally:
                with suppress(*FAILURES):
                    await file.close()
        finally:
            with suppress(*FAILURES):
                await sftp.remove(scratch)

    async def begin(self, sftp: asyncssh.SFTPClient, scratch: str) -> asyncssh.SFTPClientFile:
        """Make a new file, and its directory where that is missing."""
        try:
            return await sftp.open(scratch, "xb", _FILE)
        except NOT_THERE:
            await self._ensure_directory(sftp, scratch.rpartition("/")[0])
            return await sftp.open(scratch, "xb", _FILE)

    async def write_into(
        self, sftp: asyncssh.SFTPClient, file: asyncssh.SFTPClientFile, view: memoryview, name: str, offset: int = 0
    ) -> None:
        """Write bytes of an object at an offset of a file."""
        try:
            # The library slices what it is given, so a view spares a copy of the pack.
            await file.write(cast("bytes", view), offset)
        except asyncssh.SFTPFailure as problem:
            # The protocol has no word for a full disk.
            what = f"cannot store {name} in {self.url}"
            with suppress(asyncssh.SFTPError):
                if _free(await sftp.statvfs(self._root)) < len(view):
                    raise no_space(what) from None
            raise RepositoryError(f"{what}: {problem.reason}", remedy="Check disk and quota of that server.") from None

    async def sync(self, file: asyncssh.SFTPClientFile) -> None:
        """Have the server write a file to its disk, where it can."""
        try:
            await file.fsync()
        except asyncssh.SFTPOpUnsupported:
            self._syncs = False

    async def claim(self, sftp: asyncssh.SFTPClient, scratch: str, name: str) -> None:
        """Give the scratch file its name, if that is free."""
        target = self.path_of(name)
        try:
            await self._link(sftp, scratch, target)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
            # The protocol's usual word says no more than that it failed.
            await self._require_taken(sftp, target)
            raise ObjectExists(f"{self.url}/{name} exists already", remedy="Nothing was overwritten.") from None

    async def _link(self, sftp: asyncssh.SFTPClient, scratch: str, target: str) -> None:
        """Give the scratch file its name; SFTPFailure where that is taken, or cannot be given."""
        try:
            await _link_or_rename(sftp, scratch, target)
        except NOT_THERE:
            await self._ensure_directory(sftp, target.rpartition("/")[0])
            await _link_or_rename(sftp, scratch, target)

    async def _require_taken(self, sftp: asyncssh.SFTPClient, target: str) -> None:
        """Find out whether a link failed because the name is taken. Then it must be durable, as callers count on it."""
        try:
            async with sftp.open(target, "rb") as file:
                await self.sync(file)
        except NOT_THERE:
            raise RepositoryError(
                f"the server of {self.url} can neither link nor rename without replacing",
                remedy="Keep the repository on a file system with hard links, such as ext4, xfs, btrfs or zfs.",
            ) from None

    async def _walk(self, sftp: asyncssh.SFTPClient, prefix: str) -> Sequence[StoredObject]:
        found = []
        at_once = asyncio.Semaphore(_DIRECTORIES_AT_ONCE)

        async def walk(level: str) -> None:
            below = []
            async with at_once:
                async for entry in sftp.scandir(self.path_of(level)):
                    name = f"{level}/{entry.filename!s}"
                    if entry.filename in {".", ".."}:
                        continue
                    if modes.S_ISDIR(entry.attrs.permissions or 0):
                        below.append(name)
                    else:
                        found.append(_describe(name, entry.attrs))
            await asyncio.gather(*map(walk, below))

        try:
            await walk(prefix)
        except NOT_THERE:
            await self._require_place(sftp)
        return found

    async def _clear(self, sftp: asyncssh.SFTPClient) -> int:
        left = await self._walk(sftp, _SCRATCH)
        if not left:
            return 0
        stamp = self.path_of(f"{_SCRATCH}/{secrets.token_hex(8)}")
        async with sftp.open(stamp, "xb", _FILE):
            now = (await sftp.stat(stamp)).mtime or 0
        await sftp.remove(stamp)
        freed = 0
        for item in left:
            if now - item.created.timestamp() > _ABANDONED_AFTER:
                with suppress(*NOT_THERE):
                    await sftp.remove(self.path_of(item.name))
                    freed += item.size
        return freed

    async def _ensure_directory(self, sftp: asyncssh.SFTPClient, path: str) -> None:
        if await sftp.isdir(path):
            return
        await self._require_place(sftp)
        await sftp.makedirs(path, _DIRECTORY, exist_ok=True)

    async def _require_place(self, sftp: asyncssh.SFTPClient) -> None:
        """Tell a place that is empty from one that is gone, before that is believed or made anew."""
        if not await sftp.isdir(self._root):
            raise UnreachableError(
                f"the directory of {self.url} is gone", remedy="Mount or create it again, then repeat the command."
            )
        if self._expected and not await sftp.exists(self.path_of(self._expected)):
            raise UnreachableError(
                f"the content of {self.url} is gone: {self._expected} is not there any more",
                remedy="If it is a mount point, mount it again; nothing was written to the directory below it.",
            )

    def path_of(self, name: str) -> str:
        """Say which file an object is."""
        return f"{self._root}/{name}"


class LargeFile:
    """A file that is written piece by piece beside its place, under a name of our own; see Stream."""

    def __init__(self, storage: SftpStorage, name: str, part: int, *, overwrite: bool) -> None:
        self._storage, self._name, self._part = storage, checked_name(name), part
        self._overwrite = overwrite
        self._scratch = storage.path_of(f".neokeep-{secrets.token_hex(8)}.part")
        self._held = bytearray()
        self._size = 0
        self._file: asyncssh.SFTPClientFile | None = self._do(lambda sftp: storage.begin(sftp, self._scratch))

    def write(self, data: Buffer) -> None:
        """See Stream.write."""
        self._held += memoryview(data).cast("B")
        if len(self._held) >= self._part:
            self._send()

    def finish(self) -> None:
        """See Stream.finish."""
        self._send()
        file = self._opened()

        async def work(sftp: asyncssh.SFTPClient) -> None:
            await self._storage.sync(file)
            if self._overwrite:
                await sftp.posix_rename(self._scratch, self._storage.path_of(self._name))
            else:
                await self._storage.claim(sftp, self._scratch, self._name)
            await self._storage.sync(file)

        self._do(work)
        self.abandon()

    def abandon(self) -> None:
        """See Stream.abandon."""
        file, self._file = self._file, None
        if file is None:
            return

        async def work(sftp: asyncssh.SFTPClient) -> None:
            with suppress(*FAILURES):
                await file.close()
            await sftp.remove(self._scratch)

        with suppress(NeokeepError):
            self._do(work)

    def _send(self) -> None:
        file, data = self._opened(), bytes(self._held)
        self._held = bytearray()
        if data:
            self._do(lambda sftp: self._storage.write_into(sftp, file, memoryview(data), self._name, self._size))
            self._size += len(data)

    def _opened(self) -> asyncssh.SFTPClientFile:
        if self._file is None:
            raise AssertionError("nothing is written to what was finished or abandoned")
        return self._file

    def _do(self, work: Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, Result]]) -> Result:
        return self._storage.run(f"store {self._name} in", work)


async def _link_or_rename(sftp: asyncssh.SFTPClient, scratch: str, target: str) -> None:
    try:
        await sftp.link(scratch, target)
    except asyncssh.SFTPOpUnsupported:
        await sftp.rename(scratch, target)


def _free(status: asyncssh.SFTPVFSAttrs) -> int:
    return status.bavail * status.frsize


def _describe(name: str, attributes: asyncssh.SFTPAttrs) -> StoredObject:
    created = datetime.fromtimestamp(attributes.mtime or 0, UTC)
    return StoredObject(name, attributes.size or 0, created)
