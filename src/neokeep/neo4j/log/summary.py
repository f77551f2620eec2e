"""What a transaction did, in numbers that a user expects; decided from the images that its commands hold.

- Created: not in use before, in use after; deleted: the other way round. What one transaction makes and removes again
  counts nowhere.
- A node is changed when its labels are: the label field differs, or the dynamic records of it do. A node
  record is also written for a new head of its relationship or property chain, or when it becomes dense: no change.
- A relationship is changed when its type or an end differs, which Cypher cannot do. Its record is also written for the
  chains that it is part of, and for its property chain: no change.
- Properties count by owner and key, not by record, since a record holds several and a value that grows moves to
  another record: only before is deleted, only after is created, both with different values is changed. Values that
  are kept in dynamic records are compared by what those hold: 2026 writes an equal value anew. A property that is
  changed changes neither its node nor its relationship here: each change is counted once.
- Schema rules are kept as properties too. A transaction changes either rules or data, so where it changes rules its
  properties do not count.
- Tokens are labels, relationship types and property keys, those that users see: the keys that schema rules are kept
  under do not count. Neo4j creates tokens in transactions of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import Change, Frame, Kind, UnknownCommand, commands, layout_of, read_frame
from neokeep.neo4j.log.scan import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.log.header import LogHeader
    from neokeep.neo4j.log.scan import ReadAt, Scan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOKENS = (Kind.LABEL, Kind.TYPE, Kind.PROPERTY_KEY)
_INTERNAL = 0x20
_Value = tuple[bytes, bytes]
"""The block of a property, and what its dynamic records hold where the log has them."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How many of one kind were created, changed and deleted."""

    created: int = 0
    changed: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.created + self.changed + self.deleted


@dataclass(frozen=True, slots=True)
class TransactionSummary:
    """One transaction: when, how large, where, and what it did; the module says what counts as what.

    Transactions may start in another order than they commit in. `additional_header` is empty in Community.
    """

    id: int
    committed: datetime
    started: datetime
    size: int
    position: LogPosition
    additional_header: bytes
    nodes: Changes
    relationships: Changes
    properties: Changes
    tokens: Changes
    schema: Changes


def summarize(data: bytes, position: LogPosition) -> TransactionSummary:
    """Sum up one whole transaction, whose first byte stands at `position`.

    Raises:
        UnknownCommand: the transaction holds something that neokeep does not understand.
    """
    frame = read_frame(data, position)
    tally = [[0] * len(Change) for _ in Kind]
    properties = _Properties(data, frame)
    for kind, change, _, before, after, end in commands(data, position, frame):
        if kind is Kind.PROPERTY:
            properties.take(change, before, after)
        elif _counts(kind, change, data, before, after, end):
            tally[kind][change] += 1
    schema = _changes(tally, Kind.SCHEMA)
    return TransactionSummary(
        id=frame.transaction,
        committed=_moment(frame.committed, position),
        started=_moment(frame.started, position),
        size=len(data),
        position=position,
        additional_header=frame.additional_header,
        nodes=_changes(tally, Kind.NODE),
        relationships=_changes(tally, Kind.RELATIONSHIP),
        properties=Changes() if schema.total else properties.changes(position),
        tokens=_changes(tally, *_TOKENS),
        schema=schema,
    )


def summaries(
    read_at: ReadAt, header: LogHeader, scan: Scan, first: int | None = None, last: int | None = None
) -> Iterator[TransactionSummary]:
    """Sum up the transactions of one file, those from `first` to `last` where given, in the order of their ids.

    Ids outside the file are passed over, so a range may span files. Memory holds 4 MiB, or one larger transaction.

    Raises:
        IntegrityError: the file is not the one that was scanned.
        UnknownCommand: a transaction holds something that neokeep does not understand.
    """
    low = max(0, (scan.first_transaction if first is None else first) - scan.first_transaction)
    high = min(len(scan.ends), (scan.last_transaction if last is None else last) - scan.first_transaction + 1)
    while low < high:
        base = at = scan.ends[low - 1] if low else scan.start
        until = low + 1
        while until < high and scan.ends[until] - base <= PIECE:
            until += 1
        piece = read_at(base, scan.ends[until - 1] - base)
        for number in range(low, until):
            position = LogPosition(header.version, at)
            data = piece[at - base : scan.ends[number] - base]
            if len(data) < scan.ends[number] - at:
                raise _not_scanned(position)
            summary = summarize(data, position)
            if summary.id != scan.first_transaction + number:
                raise _not_scanned(position)
            yield summary
            at = scan.ends[number]
        low = until


class _Properties:
    """Counts properties while commands pass by; those that come and go at once are matched by owner and key."""

    def __init__(self, data: bytes, frame: Frame) -> None:
        self._data = data
        self._frame = frame
        self._layout = layout_of(frame.kernel_version)
        old = frame.kernel_version < 5
        # 4.x marks the properties of relationships; later versions mark those of nodes too.
        self._owner_kind = 0x02 if old else 0xC0
        self._spare = 8 if old else 0
        self._come = self._changed = self._gone = 0

    def take(self, change: Change, before: int, after: int) -> None:
        """Count what became of the properties of one record."""
        if change is Change.CREATED:
            self._come += self._data[self._block_count(after)]
        elif change is Change.DELETED:
            self._gone += self._data[self._block_count(before)]
        elif change is Change.CHANGED:
            old, new = self._blocks(before), self._blocks(after)
            self._come += len(new.keys() - old.keys())
            self._gone += len(old.keys() - new.keys())
            self._changed += sum(1 for key in new.keys() & old.keys() if not self._equal(old[key], new[key]))

    def changes(self, position: LogPosition) -> Changes:
        """Give the numbers; only a transaction that has both kinds is walked again to match them."""
        moved = rewritten = 0
        if self._come and self._gone:
            moved, rewritten = self._matched(position)
        return Changes(self._come - moved, self._changed + rewritten, self._gone - moved)

    def _matched(self, position: LogPosition) -> tuple[int, int]:
        """Count the properties that left one record and came to another, and how many of them have a new value."""
        come: dict[tuple[int, int, int], _Value] = {}
        gone: dict[tuple[int, int, int], _Value] = {}
        for command in commands(self._data, position, self._frame):
            if command.kind is not Kind.PROPERTY or command.change is Change.UNUSED:
                continue
            old = self._blocks(command.before) if command.in_use_before else {}
            new = self._blocks(command.after) if command.in_use_after else {}
            owner = self._owner(command.after if command.in_use_after else command.before)
            come.update(((*owner, key), new[key]) for key in new.keys() - old.keys())
            gone.update(((*owner, key), old[key]) for key in old.keys() - new.keys())
        moved = come.keys() & gone.keys()
        return len(moved), sum(1 for key in moved if not self._equal(gone[key], come[key]))

    def _owner(self, image: int) -> tuple[int, int]:
        (owner,) = self._layout.int8(self._data, image + 17)
        return self._data[image] & self._owner_kind, owner

    def _block_count(self, image: int) -> int:
        """Tell where the number of blocks stands."""
        return image + 25 + (self._spare if self._data[image] & 8 else 0)

    def _blocks(self, image: int) -> dict[int, _Value]:
        """Give the values of a property record by key; the walk has passed over them already, so they are sound."""
        data, layout = self._data, self._layout
        at = self._block_count(image)
        blocks: dict[int, _Value] = {}
        count, at = data[at], at + 1
        for _ in range(count):
            block = data[at + 1 : at + 1 + data[at]]
            at += 1 + len(block)
            pieces = []
            (records,) = layout.int4(data, at)
            at += 4
            for _ in range(records):
                end = layout.chain(data, at, 1)
                pieces.append(data[at + 25 : end])
                at = end
            blocks[layout.int8(block, 0)[0] & 0xFF_FFFF] = block, b"".join(pieces)
        return blocks

    def _equal(self, old: _Value, new: _Value) -> bool:
        if not (old[1] and new[1]):
            return old[0] == new[0]
        # Key and type stand in the low 28 bits; above them is where the value is kept.
        types = (self._layout.int8(block, 0)[0] & 0xFFF_FFFF for block in (old[0], new[0]))
        return len(set(types)) == 1 and old[1] == new[1]


def _counts(kind: Kind, change: Change, data: bytes, before: int, after: int, end: int) -> bool:
    """Tell whether a command is a change for a user."""
    if kind in _TOKENS:
        return not data[after] & _INTERNAL
    if change is not Change.CHANGED:
        return True
    if kind is Kind.NODE:
        # The label field, and the dynamic label records up to the end; those are rewritten in place.
        return data[before + 18 : after] != data[after + 18 : end]
    return kind is not Kind.RELATIONSHIP or data[before + 1 : before + 21] != data[after + 1 : after + 21]


def _changes(tally: list[list[int]], *kinds: Kind) -> Changes:
    return Changes(*(sum(tally[kind][change] for kind in kinds) for change in (2, 3, 1)))


def _moment(milliseconds: int, position: LogPosition) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise UnknownCommand(position, f"a time of {milliseconds} ms since 1970") from None


def _not_scanned(position: LogPosition) -> IntegrityError:
    return IntegrityError(
        f"the transaction log at {position} is not what it was when it was scanned",
        remedy="The file was cut or replaced meanwhile; read it again.",
    )
