"""What redo has to do to the stores, said slowly: random commands, each with the records that it leaves behind.

Written from the tables of docs/neo4j-formats.md alone, with big integers in the place of shifts. A `Made` holds the
bytes of one command and what stands in the stores after it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from helpers.txlog import order
from neokeep.neo4j.recovery.layout import FILES, Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

    from helpers.txlog import BuiltLog

SIZES = {
    Store.NODE: 15, Store.RELATIONSHIP: 34, Store.PROPERTY: 41, Store.GROUP: 25, Store.LABEL: 5, Store.TYPE: 5,
    Store.PROPERTY_KEY: 9, Store.SCHEMA: 8, Store.STRINGS: 128, Store.ARRAYS: 128, Store.NODE_LABELS: 64,
    Store.LABEL_NAMES: 38, Store.TYPE_NAMES: 38, Store.PROPERTY_KEY_NAMES: 38,
}  # fmt: skip
WITH_SIZE = (
    Store.STRINGS,
    Store.ARRAYS,
    Store.NODE_LABELS,
    Store.LABEL_NAMES,
    Store.TYPE_NAMES,
    Store.PROPERTY_KEY_NAMES,
)
TOKENS = (
    (4, Store.TYPE, Store.TYPE_NAMES),
    (5, Store.PROPERTY_KEY, Store.PROPERTY_KEY_NAMES),
    (8, Store.LABEL, Store.LABEL_NAMES),
)
NONE = -1
KERNELS = (2, 4, 5, 9, 10, 16, 17, 20, 21, 22, 29, 30, 32)


@dataclass
class Made:
    """One command: its bytes from the type on, and the records that it writes, in their order."""

    data: bytes
    records: list[tuple[Store, int, bytes]] = field(default_factory=list)
    metadata: dict[int, int] = field(default_factory=dict)


def bits(*parts: tuple[int, int]) -> bytes:
    """Numbers of so many bits each, from the highest on, as big endian bytes."""
    text = "".join(f"{value % (1 << width):0{width}b}" for value, width in parts)
    assert len(text) % 8 == 0
    return int(text, 2).to_bytes(len(text) // 8, "big")


def high(reference: int, width: int) -> tuple[int, int]:
    return (0 if reference == NONE else reference // (1 << 32), width)


def low(reference: int) -> tuple[int, int]:
    return (reference, 32)


@dataclass
class Maker:
    """Makes random commands of one kernel version; record ids stay below `ids`."""

    kernel: int
    random: Random
    ids: int = 400

    def pack(self, codes: str, *values: int) -> bytes:
        return struct.pack(order(self.kernel) + codes, *values)

    def id(self, lowest: int = 0) -> int:
        return self.random.randrange(lowest, self.random.choice([lowest + 6, self.ids]))

    def reference(self, width: int = 35) -> int:
        return self.random.choice([NONE, 0, 5, self.random.randrange(1 << 32), self.random.randrange(1 << width)])

    def command(self) -> Made:
        kinds = [self.node, self.relationship, self.property, self.group, self.token, self.schema, self.nothing]
        return self.random.choice([*kinds, self.metadata])()

    def dynamic(self, store: Store, *, freed: bool = False) -> Made:
        """A list of dynamic records; all end up free where `freed`."""
        made = Made(b"")
        count = self.random.choice([0, 0, 1, 2, 3])
        made.data = self.pack("i", count)
        for _ in range(count):
            number, used = self.id(1), self.random.random() < 0.7
            linked, following = self.random.random() < 0.5, self.reference(36)
            value = self.random.randbytes(self.random.randrange(SIZES[store] - 8 + 1))
            kind = 10 if store is Store.ARRAYS else 9
            made.data += self.pack("qiB", number, kind, used | linked << 5 | self.random.choice([0, 2]))
            if used:
                made.data += self.pack("iq", len(value), following) + value
            record = b""
            if used and not freed:
                head = bits((not linked, 1), (0, 2), (1, 1), high(following, 4), (len(value), 24), low(following))
                record = head + value
            made.records.append((store, number, record))
        return made

    def images(self, number: int, single: int, store: Store, before: Made, after: Made, record: int) -> Made:
        """A command of two images, or of one where the version has such commands."""
        which = self.random.choice([0, 0, 1, 2]) if single and self.kernel >= 10 else 0
        written = [(store, record, b""), *[(kind, name, b"") for kind, name, _ in before.records]]
        if which == 2:
            return Made(bytes([single + 1]) + self.pack("q", record) + before.data, written)
        if which == 1:
            return Made(bytes([single]) + self.pack("q", record) + after.data, after.records)
        return Made(bytes([number]) + self.pack("q", record) + before.data + after.data, after.records)

    def node(self) -> Made:
        record = self.id()

        def image() -> Made:
            used, second = self.random.random() < 0.8, self.random.random() < 0.1
            dense, relationship, first = self.random.randrange(2), self.reference(), self.reference(36)
            labels, chain = self.random.randrange(1 << 40), self.dynamic(Store.NODE_LABELS)
            data = bytes([used | second << 3 | self.random.choice([0, 2, 16])])
            if used:
                data += self.pack("bqqq", dense, relationship, first, labels)
            if second and (used or self.kernel >= 5):
                data += self.pack("q", 7)
            stored = bits(
                high(first, 4), high(relationship, 3), (1, 1), low(relationship), low(first),
                (labels, 32), (labels >> 32, 8), (dense, 8),
            )  # fmt: skip
            return Made(data + chain.data, [(Store.NODE, record, stored if used else b""), *chain.records])

        before, after = image(), image()
        return self.images(1, 22, Store.NODE, Made(before.data, before.records[1:]), after, record)

    def relationship(self) -> Made:
        record = self.id()

        def image() -> Made:
            used, second = self.random.random() < 0.8, self.random.random() < 0.1
            a, b = abs(self.reference()), abs(self.reference())
            kind, flags, first = self.random.randrange(1 << 16), self.random.randrange(16), self.reference(36)
            ap, an, bp, bn = (self.reference() for _ in range(4))
            data = bytes([used | second << 3])
            data += self.pack("qqi4qqb", a, b, kind, ap, an, bp, bn, first, flags) if used else self.pack("i", kind)
            if second and (used or self.kernel >= 5):
                data += self.pack("q", 7)
            stored = bits(
                high(first, 4), high(a, 3), (1, 1), low(a), low(b),
                (0, 1), high(b, 3), high(ap, 3), high(an, 3), high(bp, 3), high(bn, 3), (kind, 16),
                low(ap), low(an), low(bp), low(bn), low(first), (flags, 8),
            )  # fmt: skip
            return Made(data, [(Store.RELATIONSHIP, record, stored if used else b"")])

        return self.images(3, 26, Store.RELATIONSHIP, Made(image().data), image(), record)

    def property(self) -> Made:
        record = self.id()

        def image() -> Made:
            used, spare = self.random.random() < 0.8, self.random.random() < 0.1
            following, previous = self.reference(36), self.reference(36)
            data = bytes([used | spare << 3 | self.random.choice([0, 2, 64, 128])])
            data += self.pack("qqq", following, previous, self.reference())
            if spare and self.kernel < 5:
                data += self.pack("q", 7)
            blocks, chains, longs = b"", list[tuple[Store, int, bytes]](), list[int]()
            count = 0
            while self.random.random() < 0.7 and len(longs) < 4:
                size = self.random.randrange(1, 5 - len(longs))
                values = [self.random.randrange(-(1 << 63), 1 << 63) for _ in range(size)]
                chain = self.dynamic(self.random.choice([Store.STRINGS, Store.ARRAYS]))
                blocks += bytes([8 * size]) + self.pack(f"{size}q", *values) + chain.data
                chains += chain.records
                longs += values
                count += 1
            deleted = self.dynamic(self.random.choice([Store.STRINGS, Store.ARRAYS]), freed=True)
            data += bytes([count]) + blocks + deleted.data
            stored = bits(high(previous, 4), high(following, 4), low(previous), low(following))
            stored += struct.pack(f">{len(longs)}q", *longs)
            mine = (Store.PROPERTY, record, stored if used else b"")
            return Made(data, [mine, *chains, *deleted.records])

        before = image()
        return self.images(2, 24, Store.PROPERTY, Made(before.data, before.records[1:]), image(), record)

    def group(self) -> Made:
        record = self.id(1)
        wide = self.kernel < 5 and self.random.random() < 0.4

        def image() -> Made:
            used, spare = self.random.random() < 0.8, self.random.random() < 0.1
            kind, degrees = self.random.randrange(1 << 16), self.random.randrange(8)
            following, outward, inward, loop = (self.reference() for _ in range(4))
            owner = abs(self.reference())
            flags = used | spare << 3
            if self.kernel < 5:
                data = bytes([flags | degrees << 5])
                data += struct.pack(">HB", kind, 0) if wide else struct.pack(">H", kind)
            else:
                data = bytes([flags]) + self.pack("i", kind)
            data += self.pack("5q", following, outward, inward, loop, owner)
            data += b"" if self.kernel < 5 else bytes([degrees])
            data += self.pack("q", 7) if spare else b""
            out, into, loops = degrees & 1, degrees >> 1 & 1, degrees >> 2
            stored = bits(
                (out, 1), high(outward, 3), high(following, 3), (1, 1),
                (loops, 1), high(loop, 3), high(inward, 3), (into, 1),
                (kind, 16), low(following), low(outward), low(inward), low(loop), (owner, 32), (owner >> 32, 8),
            )  # fmt: skip
            return Made(data, [(Store.GROUP, record, stored if used else b"")])

        return self.images(21 if wide else 9, 0, Store.GROUP, Made(image().data), image(), record)

    def token(self) -> Made:
        number, store, names = self.random.choice(TOKENS)
        record = self.id()

        def image() -> Made:
            used, internal = self.random.random() < 0.9, self.random.random() < 0.2
            count, name, chain = self.random.randrange(9), self.id(1), self.dynamic(names)
            keyed = store is Store.PROPERTY_KEY
            data = bytes([used | internal << 5]) + (self.pack("i", count) if keyed else b"") + self.pack("i", name)
            stored = (
                bits((internal, 7), (1, 1)) + (struct.pack(">i", count) if keyed else b"") + struct.pack(">i", name)
            )
            return Made(data + chain.data, [(store, record, stored if used else b""), *chain.records])

        after = image()
        return Made(bytes([number]) + self.pack("i", record) + image().data + after.data, after.records)

    def schema(self) -> Made:
        record = self.id()
        constraint = self.random.random() < 0.5

        def image() -> tuple[bytes, bytes, bool]:
            used, first = self.random.random() < 0.8, self.reference(36)
            if not used:
                return b"\0", b"", False
            stored = bits((0, 6), (first != NONE, 1), (1, 1), (0 if first == NONE else first, 56))
            return b"\x01" + self.pack("bq", constraint, first), stored, True

        (before, _, _), (after, stored, used) = image(), image()
        made = Made(bytes([18]) + self.pack("qb", record, 0) + before + after, [(Store.SCHEMA, record, stored)])
        if used and constraint and self.kernel < 5:
            made.metadata[6] = -1
        return made

    def nothing(self) -> Made:
        """Counts and degrees: they write to no record."""
        choice = self.random.randrange(3)
        if choice == 0:
            return Made(bytes([16]) + self.pack("iiiq", -1, 3, 4, -9))
        return Made(bytes([17]) + self.pack("iq", 3, 5) if choice == 1 else bytes([20]) + self.pack("qq", 33, 1))

    def metadata(self) -> Made:
        """A slot of `neostore` in 4.x; since 5.0 the kernel version, which is in no store."""
        key = self.random.randrange(22) if self.kernel < 5 else -1
        value = self.random.randrange(1 << 40)
        data = bytes([19]) + self.pack("q", key) + self.pack("BqBq", 0, 0, 1, value)
        return Made(data, [], {key: value} if self.kernel < 5 else {})


def payload(kernel: int, commands: Sequence[Made]) -> bytes:
    """The commands of one transaction as `BuiltLog.add` wants them."""
    return bytes([kernel, 3]).join(made.data for made in commands)


def fill(directory: Path, random: Random, *, aligned: bool, pages: int = 2) -> dict[Store, bytearray]:
    """Make all store files, full of random bytes; what they hold."""
    held: dict[Store, bytearray] = {}
    for store, size in SIZES.items():
        page = 8192 if aligned else 8192 // size * size
        content = bytearray(random.randbytes(page * random.randrange(1, pages + 1)))
        if store in WITH_SIZE:
            content[:4] = struct.pack(">I", size)
        (directory / FILES[store]).write_bytes(content)
        held[store] = content
    return held


def apply(held: dict[Store, bytearray], commands: Sequence[Made], *, aligned: bool) -> None:
    """Do to the stores, one record after the other, what the commands say."""
    for made in commands:
        for store, number, stored in made.records:
            size, content = SIZES[store], held[store]
            on_page = 8192 // size
            page = 8192 if aligned else on_page * size
            start = number // on_page * page + number % on_page * size
            content.extend(bytes(max(0, (number // on_page + 1) * page - len(content))))
            content[start : start + size] = stored.ljust(size, b"\0")


def content_of(directory: Path) -> dict[Store, bytearray]:
    return {store: bytearray((directory / name).read_bytes()) for store, name in FILES.items()}


def write_logs(directory: Path, logs: Sequence[BuiltLog]) -> None:
    for log in logs:
        (directory / f"neostore.transaction.db.{log.version}").write_bytes(log.data)
