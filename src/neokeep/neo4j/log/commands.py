"""The commands of one transaction: what it did to each record, without copying the records.

Commands have no length, so each layout of the record engine is walked (kernel versions 2 to 32; docs/formats.md). A
walk that meets anything not known, or does not end exactly at the commit entry, raises `UnknownCommand`: there is no
guessing. Images stay where they are; a `Command` says at which offsets of the given bytes they stand. The bytes are
those between two boundaries of `scan_log`, which has checked their CRC-32C; it is not checked again here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from neokeep.errors import SourceError
from neokeep.neo4j.log import entries, images
from neokeep.neo4j.log.images import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.log.checkpoint import LogPosition

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
    head, table = _head(kernel_version), _table(kernel_version)
    new, kinds = tuple.__new__, _CHANGES
    try:
        while at < commit:
            version, entry, number, record, flags = head(data, at)
            if entry != entries.COMMAND or version != kernel_version:
                raise Malformed(f"{_entry_name(entry)} of kernel version {version} among the commands")
            kind, shape, skip = table[number]
            before = after = at + 11
            if shape is _PAIR:
                after = skip(data, before, flags)
                flags_after = data[after]
                end = skip(data, after, flags_after)
                change = kinds[flags & 1 | (flags_after & 1) << 1]
            elif shape is _CREATE:
                before, end, change = NO_IMAGE, skip(data, after, flags), kinds[(flags & 1) << 1]
            elif shape is _DELETE:
                after, end, change = NO_IMAGE, skip(data, before, flags), kinds[flags & 1]
            else:
                record, change, before, after, end = _other(kernel_version, data, at, shape, skip)
            if end > commit:
                raise Malformed(f"a command of type {number} runs into the commit entry")
            yield new(Command, (kind, change, record, before, after, end))
            at = end
    except Malformed as malformed:
        raise UnknownCommand(_moved(position, at), str(malformed)) from None
    except (struct.error, IndexError):
        raise UnknownCommand(_moved(position, at), "a command runs past the end of its transaction") from None


class _Shape(IntEnum):
    """How the body of a command is laid out."""

    PAIR = 0
    """Id, image before, image after."""
    CREATE = 1
    """Id, image after."""
    DELETE = 2
    """Id, image before."""
    TOKEN = 3
    """Like PAIR, with a 4-byte id."""
    RULE = 4
    """Like PAIR, with a byte after the id that tells whether a map follows."""
    COUNTS = 5
    """Keys and a delta."""
    UNKNOWN = 6


_PAIR, _CREATE, _DELETE = _Shape.PAIR, _Shape.CREATE, _Shape.DELETE
_CHANGES = tuple(Change)
_Row = tuple[Kind, _Shape, images.Skip]


@cache
def _head(kernel_version: int) -> Callable[[bytes, int], tuple[int, ...]]:
    """Unpack what nearly every command begins with: version, entry type, command type, id, flags of an image."""
    return struct.Struct(("<" if kernel_version >= 5 else ">") + "BBBqB").unpack_from


@cache
def _table(kernel_version: int) -> tuple[_Row, ...]:
    """How to take each command type, by its number."""
    skips = images.skips(kernel_version)
    table: list[_Row] = [(Kind.METADATA, _Shape.UNKNOWN, skips.fixed(0))] * 256
    table[1] = (Kind.NODE, _PAIR, skips.node)
    table[2] = (Kind.PROPERTY, _PAIR, skips.property)
    table[3] = (Kind.RELATIONSHIP, _PAIR, skips.relationship)
    table[4] = (Kind.TYPE, _Shape.TOKEN, skips.token)
    table[5] = (Kind.PROPERTY_KEY, _Shape.TOKEN, skips.property_key)
    table[8] = (Kind.LABEL, _Shape.TOKEN, skips.token)
    table[9] = (Kind.GROUP, _PAIR, skips.group)
    table[16] = (Kind.RELATIONSHIP_COUNTS, _Shape.COUNTS, skips.fixed(20))
    table[17] = (Kind.NODE_COUNTS, _Shape.COUNTS, skips.fixed(12))
    table[18] = (Kind.SCHEMA, _Shape.RULE, skips.schema)
    table[19] = (Kind.METADATA, _PAIR, skips.fixed(9))
    table[20] = (Kind.DEGREES, _Shape.COUNTS, skips.fixed(16))
    if kernel_version < 5:
        table[21] = (Kind.GROUP, _PAIR, skips.large_group)
    if kernel_version >= 10:
        for number, kind, skip in (
            (22, Kind.NODE, skips.node),
            (24, Kind.PROPERTY, skips.property),
            (26, Kind.RELATIONSHIP, skips.relationship),
        ):
            table[number] = (kind, _CREATE, skip)
            table[number + 1] = (kind, _DELETE, skip)
    return tuple(table)


def _other(
    kernel_version: int, data: bytes, at: int, shape: _Shape, skip: images.Skip
) -> tuple[int, Change, int, int, int]:
    """Take a command that is not a record's: id, change, offsets of the images, end."""
    order = "<" if kernel_version >= 5 else ">"
    body = at + 3
    if shape is _Shape.COUNTS:
        # Where two keys come before it, the second is the relationship type, which says the most.
        wide = data[at + 2]
        code, offset = {16: ("i", 4), 17: ("i", 0)}.get(wide, ("q", 0))
        (key,) = struct.unpack_from(order + code, data, body + offset)
        return key, Change.CHANGED, NO_IMAGE, body, skip(data, body, 0)
    if shape is _Shape.TOKEN:
        (key,) = struct.unpack_from(order + "i", data, body)
        before = body + 4
    elif shape is _Shape.RULE:
        (key,) = struct.unpack_from(order + "q", data, body)
        before = body + 9
    else:
        raise Malformed(f"a command of type {data[at + 2]}, which is not known in kernel version {kernel_version}")
    after = skip(data, before, data[before])
    end = skip(data, after, data[after])
    change = _CHANGES[data[before] & 1 | (data[after] & 1) << 1]
    if shape is _Shape.RULE and data[before - 1] == 1:
        end = images.skips(kernel_version).map(data, end)
    return key, change, before, after, end


def _entry_name(entry: int) -> str:
    return f"an entry of type {entry} ({entries.ENTRY_NAMES.get(entry, 'not known')})"


def _moved(position: LogPosition, by: int) -> LogPosition:
    return type(position)(position.version, position.offset + by)
