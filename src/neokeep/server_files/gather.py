"""Reading the server's other files, once for all backups of a run, and storing them with each.

Small files are read whole, and kept until the run ends; plugins are read to their end for their hash, and once more
when they are stored. Whatever cannot be read is told and left out: it never keeps a database from being backed up.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import NeokeepError
from neokeep.neo4j.configuration import read_configuration
from neokeep.repository.block import ID_SIZE, block_id, block_size
from neokeep.repository.blocklist import make_block_list
from neokeep.repository.manifest import LeftOut, ServerFile, ServerFiles
from neokeep.server_files.certificates import Ends, ends_of
from neokeep.server_files.listing import Candidate, list_files
from neokeep.server_files.places import configuration_directory_of, find_places
from neokeep.server_files.plugins import plugin_of
from neokeep.server_files.secrets import CERTIFICATES, PLUGINS, is_plain_by_name, public_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from neokeep.neo4j.source import Source
    from neokeep.repository.manifest import BlockList
    from neokeep.repository.repository import Repository
    from neokeep.repository.writer import LendsWorkers, TakesBlocks

NONE, CONFIG, ALL = "none", "config", "all"
MODES = (NONE, CONFIG, ALL)
WHOLE, REDACTED, LISTED, LEFT_OUT = "whole", "redacted", "listed", "left_out"
LARGEST = 16 * 1024 * 1024
"""No file but a plugin has more bytes."""
LARGEST_TOGETHER = 128 * 1024 * 1024
_PIECE = 4 * 1024 * 1024
_CHANGED = "the file changed while it was read"


@dataclass(frozen=True, slots=True)
class Read:
    """A file as it was found, and the content of a small one."""

    candidate: Candidate
    file: ServerFile
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The server's other files as they were at the begin of a run, and the certificates among them."""

    mode: str
    files: tuple[Read, ...]
    certificates: tuple[Ends, ...]
    problems: tuple[str, ...]


def gather(source: Source, mode: str) -> Gathered | None:
    """Read the other files of a server; None where there are none, or none are wanted."""
    if mode == NONE:
        return None
    conf = configuration_directory_of(source.home, source.configuration)
    try:
        configuration = read_configuration(source.home, source.configuration.parent if source.configuration else None)
    except NeokeepError as problem:
        return Gathered(mode, (), (), (problem.message,))
    places = find_places(configuration, conf)
    found, passed = list_files(places, (source.home, source.data_directory))
    files: list[Read] = []
    room = LARGEST_TOGETHER
    for candidate in found:
        one = _read(candidate, room)
        room -= len(one.content or b"")
        files.append(one)
    for over in passed:
        candidate = Candidate(over.area, over.path, over.origin, private=False)
        files.append(Read(candidate, _left_out(candidate, over.reason)))
    if not files:
        return None
    certificates = [
        end
        for one in files
        if one.file.area == CERTIFICATES and one.content is not None
        for end in ends_of(f"{one.file.area}/{one.file.path}", one.content)
    ]
    return Gathered(mode, tuple(files), tuple(certificates), places.problems)


def keeps_secrets(repository: Repository) -> bool:
    """Tell whether secrets may be stored in a repository: whether what it stores is sealed."""
    return repository.storage.content_keys is not None


def store(gathered: Gathered, lender: LendsWorkers, *, encrypted: bool) -> ServerFiles:
    """Give the files to a writer, secrets only where the repository is encrypted; return what the manifest says."""
    with lender.worker() as worker:
        files = [_stored(one, gathered.mode, worker, encrypted=encrypted) for one in gathered.files]
        return described(files, gathered.mode, worker, gathered.problems)


def described(files: Sequence[ServerFile], mode: str, worker: TakesBlocks, problems: Sequence[str] = ()) -> ServerFiles:
    """Store the list of files, and say of them what a manifest says."""
    unclear = [LeftOut(path="conf", reason=problem, rebuilt=False) for problem in problems]
    left_out = [
        LeftOut(path=f"{file.area}/{file.path}".removesuffix("/."), reason=file.reason, rebuilt=False)
        for file in files
        if file.state == LEFT_OUT
    ]
    return ServerFiles(
        mode=mode,
        files=worker.put_bytes(msgspec.json.encode(files)),
        count=sum(file.content is not None for file in files),
        redacted=tuple(f"{file.area}/{file.path}" for file in files if file.state == REDACTED),
        left_out=(*unclear, *left_out),
    )


class NamesOnly:
    """Takes blocks like a writer and stores none: to find out what a repository would call them."""

    def __init__(self, repository: Repository) -> None:
        self._key = repository.naming or None

    @contextmanager
    def worker(self) -> Iterator[NamesOnly]:
        """See LendsWorkers."""
        yield self

    def put(self, contents: Sequence[memoryview], record_size: int = 0) -> bytes:  # noqa: ARG002
        """See TakesBlocks."""
        return b"".join(block_id(content, self._key) for content in contents)

    def put_bytes(self, data: bytes) -> BlockList:
        """See TakesBlocks."""
        size = block_size(len(data))
        view = memoryview(data)
        names = [self.put([view[at : at + size]]) for at in range(0, len(data), size)]
        return self.block_list(len(data), size, b"".join(names))

    def block_list(self, size: int, size_of_block: int, ids: bytes) -> BlockList:
        """See TakesBlocks."""
        return make_block_list(size, size_of_block, ids, lambda content: self.put([content]))


def listed(file: ServerFile, *, encrypted: bool) -> ServerFile:
    """Tell of a file without its content; a hash would let everybody try out what a secret in it may be."""
    return file if encrypted or is_plain_by_name(file.area, file.path) else msgspec.structs.replace(file, hash=None)


def without_secrets(
    file: ServerFile, read: Callable[[], bytes], worker: TakesBlocks, *, private: bool = False
) -> ServerFile:
    """Store what of a file may be public; what may not be whatever it holds is not read."""
    if file.area == PLUGINS:
        return _kept_secret(file, "neokeep does not know what it is, so it may hold a secret")
    public = public_part(file.area, file.path, read(), private=private)
    if public.content is None:
        return _kept_secret(file, public.reason)
    return msgspec.structs.replace(
        file,
        state=REDACTED if public.redacted else WHOLE,
        secret=False,
        redacted=public.redacted,
        size=len(public.content),
        hash=hashlib.sha256(public.content).hexdigest(),
        content=worker.put_bytes(public.content),
    )


def _kept_secret(file: ServerFile, reason: str) -> ServerFile:
    reason = f"{reason}, and the repository is not encrypted"
    return msgspec.structs.replace(file, state=LEFT_OUT, reason=reason, secret=True, size=None, hash=None, content=None)


def _stored(one: Read, mode: str, worker: TakesBlocks, *, encrypted: bool) -> ServerFile:
    file = one.file
    if file.state != WHOLE or (file.area == PLUGINS and mode != ALL):
        return file if file.state != WHOLE else listed(msgspec.structs.replace(file, state=LISTED), encrypted=encrypted)
    if file.area == PLUGINS:
        return _stored_plugin(one, worker, encrypted=encrypted)
    content, private = one.content or b"", one.candidate.private
    if not encrypted:
        return without_secrets(file, lambda: content, worker, private=private)
    public = public_part(file.area, file.path, content, private=private)
    secret = public.content is None or bool(public.redacted)
    return msgspec.structs.replace(file, secret=secret, content=worker.put_bytes(content))


def _stored_plugin(one: Read, worker: TakesBlocks, *, encrypted: bool) -> ServerFile:
    """Store a plugin piece by piece, and only as it was when it was listed."""
    file = one.file
    open_to_all = is_plain_by_name(file.area, file.path)
    if not encrypted and not open_to_all:
        return without_secrets(file, bytes, worker)
    size, digest, names, read = file.size or 0, hashlib.sha256(), bytearray(), 0
    length = block_size(size)
    try:
        with _opened(one.candidate.origin) as descriptor:
            while read <= size and (piece := _read_up_to(descriptor, length)):
                names += worker.put([memoryview(piece)])
                digest.update(piece)
                read += len(piece)
    except OSError as problem:
        return _unreadable(file, problem)
    if (read, digest.hexdigest()) != (size, file.hash) or len(names) != -(-size // length) * ID_SIZE:
        return msgspec.structs.replace(file, state=LEFT_OUT, reason=_CHANGED, size=None, hash=None)
    return msgspec.structs.replace(file, secret=not open_to_all, content=worker.block_list(size, length, bytes(names)))


def _read(candidate: Candidate, room: int) -> Read:
    blank = _left_out(candidate, "")
    try:
        with _opened(candidate.origin) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return Read(candidate, _left_out(candidate, "it is no regular file"))
            file = _known(blank, candidate, status)
            if candidate.area == PLUGINS:
                return Read(candidate, _inventoried(file, descriptor))
            if status.st_size > min(LARGEST, room):
                return Read(candidate, _left_out(candidate, f"it has {status.st_size} bytes, too many"))
            content = _read_up_to(descriptor, min(LARGEST, room) + 1)
    except OSError as problem:
        return Read(candidate, _unreadable(blank, problem))
    if len(content) > min(LARGEST, room):
        return Read(candidate, _left_out(candidate, _CHANGED))
    digest = hashlib.sha256(content).hexdigest()
    return Read(candidate, msgspec.structs.replace(file, size=len(content), hash=digest), content)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file for reading; a pipe that has nobody at its other end does not make us wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_up_to(descriptor: int, length: int) -> bytes:
    parts: list[bytes] = []
    while length > 0 and (part := os.read(descriptor, min(length, _PIECE))):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _inventoried(file: ServerFile, descriptor: int) -> ServerFile:
    digest, size = hashlib.sha256(), 0
    while piece := os.read(descriptor, _PIECE):
        digest.update(piece)
        size += len(piece)
    plugin = None
    if is_plain_by_name(file.area, file.path):
        with os.fdopen(os.dup(descriptor), "rb") as opened:
            opened.seek(0)
            plugin = plugin_of(file.path, opened)
    return msgspec.structs.replace(file, size=size, hash=digest.hexdigest(), plugin=plugin)


def _known(file: ServerFile, candidate: Candidate, status: os.stat_result) -> ServerFile:
    owner = group = link = None
    with suppress(KeyError):
        owner = pwd.getpwuid(status.st_uid).pw_name
    with suppress(KeyError):
        group = grp.getgrgid(status.st_gid).gr_name
    with suppress(OSError):
        link = _text(os.readlink(candidate.origin))
    return msgspec.structs.replace(
        file,
        link=link,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        owner=owner,
        group=group,
        modified=datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC),
        state=WHOLE,
    )


def _left_out(candidate: Candidate, reason: str) -> ServerFile:
    return ServerFile(
        area=candidate.area, path=candidate.path, origin=_text(candidate.origin), link=None, mode=0, uid=0, gid=0,
        owner=None, group=None, modified=datetime.fromtimestamp(0, UTC), state=LEFT_OUT, reason=reason, secret=False,
        redacted=(), size=None, hash=None, plugin=None, content=None,
    )  # fmt: skip


def _text(path: Path | str) -> str:
    """Write a path as text; what is none in it is replaced."""
    return os.fsencode(path).decode(errors="replace")


def _unreadable(file: ServerFile, problem: OSError) -> ServerFile:
    reason = f"it cannot be read: {problem.strerror or problem}"
    return msgspec.structs.replace(file, state=LEFT_OUT, reason=reason, size=None, hash=None)
