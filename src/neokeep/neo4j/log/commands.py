"""The commands of one transaction: what it did to each record, without copying the records.

Commands have no length, so every layout of the record engine is walked: kernel versions 2 to 32, docs/neo4j-formats.md.
A walk that meets anything not known, or does not end exactly at the commit entry, raises `UnknownCommand`: there is no
guessing. Images stay where they are; a `Command` says at which offsets of the given bytes they stand. The bytes are
those between two boundaries of `scan_log`, which has checked their CRC-32C; it is not checked again here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from neokeep.errors import SourceError
from neokeep.neo4j.log import entries
from neokeep.neo4j.log.checkpoint import LogPosition

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_IMAGE: Final = -1


class UnknownCommand(SourceError):
    """A transaction holds something that neokeep does not understand; `position` is where."""

    def __init__(self, position: LogPosition, reason: str) -> None:
        super().__init__(
            f"the transaction log cannot be understood at {position}: {reason}",
            remedy="Use a neokeep that supports this Neo4j version and edition; see docs/versions.md.",
        )
        self.position = position
        self.reason = reason


class Kind(IntEnum):
    """What a command is about."""

    NODE = 0
    RELATIONSHIP = 1
    PROPERTY = 2
    GROUP = 3
    LABEL = 4
    TYPE = 5
    PROPERTY_KEY = 6
    SCHEMA = 7
    NODE_COUNTS = 8
    RELATIONSHIP_COUNTS = 9
    DEGREES = 10
    METADATA = 11


class Change(IntEnum):
    """What became of a record. Bit 0: in use before; bit 1: in use after."""

    UNUSED = 0
    """Made and removed by the same transaction."""
    DELETED = 1
    CREATED = 2
    CHANGED = 3


class Command(NamedTuple):
    """One command. Offsets count from the first byte of the transaction; `NO_IMAGE` where there is none.

    `id` is the record's id or the token's; of counts the label (or relationship type), of degrees the combined key, of
    metadata the key. The image before ends where the one after begins, that one at `end`, but a schema rule's is
    followed by the rule as a map. Counts and degrees have no images: `after` is where their body begins.

    A named tuple, not a frozen data class: a log holds millions, and these take a fifth of the time to make.
    """

    kind: Kind
    change: Change
    id: int
    before: int
    after: int
    end: int

    @property
    def in_use_before(self) -> bool:
        """Whether the record was in use before the transaction."""
        return self.change & 1 != 0

    @property
    def in_use_after(self) -> bool:
        """Whether the record is in use after the transaction."""
        return self.change & 2 != 0


@dataclass(frozen=True, slots=True)
class Frame:
    """The start and commit entries of a transaction; times are ms since the epoch.

    Its commands stand from `first_command` up to `commit`, the offset of the commit entry.
    """

    kernel_version: int
    transaction: int
    started: int
    committed: int
    additional_header: bytes
    first_command: int
    commit: int


def read_frame(data: bytes, position: LogPosition) -> Frame:
    """Read the entries around the commands of one whole transaction, whose first byte stands at `position`.

    Raises:
        UnknownCommand: the bytes are not a transaction from its start entry to its commit entry.
    """
    commit = len(data) - entries.COMMIT_SIZE
    if commit < 2 or not entries.is_known(data[0]):
        raise UnknownCommand(position, f"kernel version {data[0]}" if data else "nothing there")
    kernel_version = data[0]
    if data[1] != entries.START:
        raise UnknownCommand(position, f"a transaction starts with {_entry_name(data[1])}")
    layout = entries.start_layout(kernel_version)
    if commit < layout.size:
        raise UnknownCommand(position, "the transaction is too short")
    values = layout.fields.unpack_from(data, 2)
    first_command = layout.size + values[-1]
    if not 0 <= values[-1] <= commit - layout.size:
        raise UnknownCommand(position, f"an additional header of {values[-1]} bytes")
    closing = entries.commit_layout(kernel_version)
    if not data.startswith(closing.prefix, commit):
        raise UnknownCommand(_moved(position, commit), "there is no commit entry at the end of the transaction")
    transaction, committed, _ = closing.fields.unpack_from(data, commit + 2)
    header = data[layout.size : first_command]
    return Frame(kernel_version, transaction, values[0], committed, header, first_command, commit)


def commands(data: bytes, position: LogPosition, frame: Frame | None = None) -> Iterator[Command]:
    """Walk the commands of one whole transaction, whose first byte stands at `position`.

    Raises:
        UnknownCommand: something is not known; the commands before it have been given by then.
    """
    frame = frame or read_frame(data, position)
    kernel_version, at, commit = frame.kernel_version, frame.first_command, frame.commit
    layout = layout_of(kernel_version)
    head, table, new = layout.head, layout.table, tuple.__new__
    try:
        while at < commit:
            version, entry, number, record, flags = head(data, at)
            if entry != entries.COMMAND or version != kernel_version:
                _refuse(f"{_entry_name(entry)} of kernel version {version} among the commands")
            kind, shape, skip = table[number]
            before = after = at + 11
            if shape is _PAIR:
                after = skip(data, before, flags)
                flags_after = data[after]
                end = skip(data, after, flags_after)
                change = _CHANGES[flags & 1 | (flags_after & 1) << 1]
            elif shape is _CREATE:
                before, end, change = NO_IMAGE, skip(data, after, flags), _CHANGES[(flags & 1) << 1]
            elif shape is _DELETE:
                after, end, change = NO_IMAGE, skip(data, before, flags), _CHANGES[flags & 1]
            else:
                record, change, before, after, end = _other(layout, data, at, shape, skip)
            if end > commit:
                _refuse(f"a command of type {number} runs into the commit entry")
            yield new(Command, (kind, change, record, before, after, end))
            at = end
    except _Malformed as malformed:
        raise UnknownCommand(_moved(position, at), str(malformed)) from None
    except KeyError:
        reason = f"a command of type {data[at + 2]}, which is not known in kernel version {kernel_version}"
        raise UnknownCommand(_moved(position, at), reason) from None
    except (struct.error, IndexError):
        raise UnknownCommand(_moved(position, at), "a command runs past the end of its transaction") from None


Skip = Callable[[bytes, int, int], int]
"""Give the end of an image from the offset where it begins and the flags that are its first byte."""
Read = Callable[[bytes, int], tuple[int, ...]]


class _Malformed(Exception):
    """The bytes are no command that is known."""


def _refuse(reason: str) -> NoReturn:
    raise _Malformed(reason)


class _Shape(IntEnum):
    """How the body of a command is laid out."""

    PAIR = 0
    """Id, image before, image after."""
    CREATE = 1
    """Id, image after."""
    DELETE = 2
    """Id, image before."""
    TOKEN = 3
    """Like PAIR, with an id of 4 bytes."""
    RULE = 4
    """Like PAIR, with a byte after the id that tells whether a map follows."""
    COUNTS = 5
    """Keys and a delta; no images."""


_PAIR, _CREATE, _DELETE = _Shape.PAIR, _Shape.CREATE, _Shape.DELETE
_CHANGES = tuple(Change)
_BLOCK_SIZES = frozenset((8, 16, 24, 32))


@dataclass(frozen=True, slots=True)
class Layout:
    """How to walk the commands of one kernel version: `table` goes by their type numbers.

    `head` unpacks what nearly every command begins with: version, entry type, command type, id, flags of an image.
    `chain` passes over dynamic records, and takes how many in the place of flags.
    """

    int4: Read
    int8: Read
    chain: Skip
    head: Read
    table: dict[int, tuple[Kind, _Shape, Skip]]


@cache
def layout_of(kernel_version: int) -> Layout:
    """Give the layouts of a known kernel version."""
    old = kernel_version < 5
    order = ">" if old else "<"
    int4, int8 = struct.Struct(order + "i").unpack_from, struct.Struct(order + "q").unpack_from
    chain = _chain(int4)
    node = _chained(_sizes(26, 1, old=old), int4, chain)
    relationship = _plain(_sizes(62, 5, old=old))
    properties = _property(int4, chain, 8 if old else 0)
    token = _chained((5,) * 10, int4, chain)
    table = {
        1: (Kind.NODE, _PAIR, node),
        2: (Kind.PROPERTY, _PAIR, properties),
        3: (Kind.RELATIONSHIP, _PAIR, relationship),
        4: (Kind.TYPE, _Shape.TOKEN, token),
        5: (Kind.PROPERTY_KEY, _Shape.TOKEN, _chained((9,) * 10, int4, chain)),
        8: (Kind.LABEL, _Shape.TOKEN, token),
        9: (Kind.GROUP, _PAIR, _group(43 if old else 46)),
        16: (Kind.RELATIONSHIP_COUNTS, _Shape.COUNTS, _plain((20,) * 10)),
        17: (Kind.NODE_COUNTS, _Shape.COUNTS, _plain((12,) * 10)),
        18: (Kind.SCHEMA, _Shape.RULE, _plain(_sizes(10, 1, old=True) if old else (1, 10) * 5)),
        19: (Kind.METADATA, _PAIR, _plain((9,) * 10)),
        20: (Kind.DEGREES, _Shape.COUNTS, _plain((16,) * 10)),
    }
    if old:
        table[21] = (Kind.GROUP, _PAIR, _group(44))
    if kernel_version >= 10:
        table[22], table[23] = (Kind.NODE, _CREATE, node), (Kind.NODE, _DELETE, node)
        table[24], table[25] = (Kind.PROPERTY, _CREATE, properties), (Kind.PROPERTY, _DELETE, properties)
        table[26], table[27] = (Kind.RELATIONSHIP, _CREATE, relationship), (Kind.RELATIONSHIP, _DELETE, relationship)
    return Layout(int4, int8, chain, struct.Struct(order + "BBBqB").unpack_from, table)


def _sizes(in_use: int, unused: int, *, old: bool) -> tuple[int, ...]:
    """Sizes by flags & 9: bit 0 says in use, bit 3 that a secondary unit's id follows (in 4.x only when in use)."""
    spare = 0 if old else 8
    return (unused, in_use, *(0,) * 6, unused + spare, in_use + 8)


def _plain(sizes: tuple[int, ...]) -> Skip:
    def skip(_data: bytes, at: int, flags: int) -> int:
        return at + sizes[flags & 9]

    return skip


def _group(size: int) -> Skip:
    # A group is written in full even when it is not in use, its secondary unit too.
    return _plain((size, size, *(0,) * 6, size + 8, size + 8))


def _chained(sizes: tuple[int, ...], int4: Read, chain: Skip) -> Skip:
    """An image that ends in dynamic records."""

    def skip(data: bytes, at: int, flags: int) -> int:
        at += sizes[flags & 9]
        (count,) = int4(data, at)
        return chain(data, at + 4, count) if count else at + 4

    return skip


def _chain(int4: Read) -> Skip:
    def skip(data: bytes, at: int, count: int) -> int:
        if count < 0:
            _refuse(f"{count} dynamic records")
        for _ in range(count):
            if data[at + 12] & 1:
                (length,) = int4(data, at + 13)
                if length < 0:
                    _refuse(f"a dynamic record of {length} bytes")
                at += 25 + length
            else:
                at += 13
        return at

    return skip


def _property(int4: Read, chain: Skip, spare: int) -> Skip:
    def skip(data: bytes, at: int, flags: int) -> int:
        at += 25
        if flags & 8:
            at += spare
        blocks = data[at]
        if blocks > 4:
            _refuse(f"{blocks} blocks in a property record")
        at += 1
        for _ in range(blocks):
            size = data[at]
            if size not in _BLOCK_SIZES:
                _refuse(f"a property block of {size} bytes")
            at += 1 + size
            (count,) = int4(data, at)
            at = chain(data, at + 4, count) if count else at + 4
        (count,) = int4(data, at)
        return chain(data, at + 4, count) if count else at + 4

    return skip


def _other(layout: Layout, data: bytes, at: int, shape: _Shape, skip: Skip) -> tuple[int, Change, int, int, int]:
    """Take what is no plain record: id, change, offsets of the images, end."""
    body = at + 3
    if shape is _Shape.COUNTS:
        # Of the three keys of relationship counts the second, the type, says the most.
        number = data[at + 2]
        (key,) = layout.int8(data, body) if number == 20 else layout.int4(data, body + (4 if number == 16 else 0))
        return key, Change.CHANGED, NO_IMAGE, body, skip(data, body, 0)
    wide = shape is _Shape.RULE
    (key,) = layout.int8(data, body) if wide else layout.int4(data, body)
    before = body + (9 if wide else 4)
    after = skip(data, before, data[before])
    end = skip(data, after, data[after])
    change = _CHANGES[data[before] & 1 | (data[after] & 1) << 1]
    if wide and data[before - 1]:
        end = _map(layout.int4, data, end) if data[before - 1] == 1 else _refuse("a schema rule in an unknown form")
    return key, change, before, after, end


_SCALARS = {0: 0, 1: 0, 3: 1, 4: 2, 5: 4, 6: 8, 7: 4, 8: 8, 10: 4}
_ELEMENTS = {2: 1, 3: 1, 4: 2, 5: 4, 6: 8, 7: 4, 8: 8, 10: 4}
_TEXT, _ARRAY = 9, 11


def _map(int4: Read, data: bytes, at: int) -> int:
    """Pass over the map that a schema rule is written as."""
    count = _length(int4, data, at)
    at += 4
    for _ in range(count):
        at += 4 + _length(int4, data, at)
        tag, at = data[at], at + 1
        if tag == _TEXT:
            at += 4 + _length(int4, data, at)
        elif tag == _ARRAY:
            at = _array(int4, data, at)
        elif tag in _SCALARS:
            at += _SCALARS[tag]
        else:
            _refuse(f"a value of type {tag} in a schema rule")
    return at


def _array(int4: Read, data: bytes, at: int) -> int:
    count, tag = _length(int4, data, at), data[at + 4]
    at += 5
    if tag in _ELEMENTS:
        return at + count * _ELEMENTS[tag]
    if tag != _TEXT:
        _refuse(f"an array of type {tag} in a schema rule")
    for _ in range(count):
        at += 4 + _length(int4, data, at)
    return at


def _length(int4: Read, data: bytes, at: int) -> int:
    (length,) = int4(data, at)
    if length < 0:
        _refuse(f"a length of {length} in a schema rule")
    return length


def _entry_name(entry: int) -> str:
    return f"an entry of type {entry} ({entries.ENTRY_NAMES.get(entry, 'not known')})"


def _moved(position: LogPosition, by: int) -> LogPosition:
    return LogPosition(position.version, position.offset + by)
