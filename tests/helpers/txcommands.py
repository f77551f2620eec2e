"""Builders of storage commands and their images, by the layouts of docs/neo4j-formats.md: kernel versions 2 to 32."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers import txlog
from helpers.txlog import order

if TYPE_CHECKING:
    from collections.abc import Sequence

IN_USE, CREATED, SECONDARY, INTERNAL = 0x01, 0x02, 0x08, 0x20
OF_NODE, OF_RELATIONSHIP = 0x40, 0x80
NODE, PROPERTY, RELATIONSHIP = 1, 2, 3
INT, STRING = 5, 9


@dataclass(frozen=True)
class Sample:
    """One command and what a reader must say of it: kind and change by name, offsets as the bytes that stand there."""

    number: int
    data: bytes
    kind: str
    change: str
    id: int
    before: bytes | None
    after: bytes | None


def pack(kernel: int, codes: str, *values: float) -> bytes:
    return struct.pack(order(kernel) + codes, *values)


def dynamic(kernel: int, records: Sequence[tuple[int, int, bytes]] = ()) -> bytes:
    """A list of dynamic records: id, flags, data."""
    parts = [pack(kernel, "i", len(records))]
    for number, flags, data in records:
        parts.append(pack(kernel, "qiB", number, 9, flags))
        if flags & IN_USE:
            parts.append(pack(kernel, "iq", len(data), -1) + data)
    return b"".join(parts)


def node(
    kernel: int,
    flags: int = IN_USE,
    *,
    dense: int = 0,
    relationship: int = -1,
    first: int = -1,
    labels: int = 0,
    records: Sequence[tuple[int, int, bytes]] = (),
) -> bytes:
    image = bytes([flags])
    if flags & IN_USE:
        image += pack(kernel, "bqqq", dense, relationship, first, labels)
    if flags & SECONDARY and (kernel >= 5 or flags & IN_USE):
        image += pack(kernel, "q", 77)
    return image + dynamic(kernel, records)


def relationship(
    kernel: int,
    flags: int = IN_USE,
    *,
    ends: tuple[int, int] = (1, 2),
    kind: int = 3,
    chains: tuple[int, int, int, int] = (-1, -1, -1, -1),
    first: int = -1,
) -> bytes:
    image = bytes([flags])
    image += pack(kernel, "qqi4qqb", *ends, kind, *chains, first, 3) if flags & IN_USE else pack(kernel, "i", kind)
    if flags & SECONDARY and (kernel >= 5 or flags & IN_USE):
        image += pack(kernel, "q", 77)
    return image


def block(
    kernel: int, key: int, value: int, *more: int, kind: int = INT, records: Sequence[tuple[int, int, bytes]] = ()
) -> bytes:
    longs = (value << 28 | kind << 24 | key, *more)
    return bytes([8 * len(longs)]) + pack(kernel, f"{len(longs)}q", *longs) + dynamic(kernel, records)


def owner_flags(kernel: int, *, of_node: bool = True) -> int:
    if kernel < 5:
        return 0 if of_node else 0x02
    return OF_NODE if of_node else OF_RELATIONSHIP


def properties(
    kernel: int,
    blocks: Sequence[bytes] = (),
    flags: int = IN_USE,
    *,
    owner: int = 0,
    of_node: bool = True,
    following: int = -1,
    deleted: Sequence[tuple[int, int, bytes]] = (),
) -> bytes:
    flags |= owner_flags(kernel, of_node=of_node) if owner >= 0 else 0
    image = bytes([flags]) + pack(kernel, "qqq", following, -1, owner)
    if flags & SECONDARY and kernel < 5:
        image += pack(kernel, "q", 77)
    return image + bytes([len(blocks)]) + b"".join(blocks) + dynamic(kernel, deleted)


def group(kernel: int, flags: int = IN_USE, *, large: bool = False, first: int = -1) -> bytes:
    image = bytes([flags])
    image += pack(kernel, "i", 70_000) if kernel >= 5 else pack(kernel, "hb", 3, 1) if large else pack(kernel, "h", 3)
    image += pack(kernel, "5q", -1, first, -1, -1, 5)
    image += b"\x07" if kernel >= 5 else b""
    return image + (pack(kernel, "q", 77) if flags & SECONDARY else b"")


def token(kernel: int, flags: int = IN_USE, *, is_key: bool = False, name: bytes = b"Person") -> bytes:
    records = [(4, IN_USE | CREATED, name)] if flags & IN_USE else []
    return (
        bytes([flags]) + pack(kernel, "ii" if is_key else "i", *([0] if is_key else []), 4) + dynamic(kernel, records)
    )


def rule(kernel: int, flags: int = IN_USE, first: int = 12) -> bytes:
    if not flags & IN_USE:
        return bytes([flags])
    spare = pack(kernel, "q", 77) if flags & SECONDARY and kernel < 5 else b""
    return bytes([flags]) + pack(kernel, "bq", 1, first) + spare


def text(kernel: int, words: str) -> bytes:
    return pack(kernel, "i", len(words.encode())) + words.encode()


def rule_map(kernel: int) -> bytes:
    """A value of each type, arrays too."""
    values = [
        bytes([0]),
        bytes([1]),
        pack(kernel, "Bb", 3, -1),
        pack(kernel, "Bh", 4, -1),
        pack(kernel, "Bi", 5, -1),
        pack(kernel, "Bq", 6, -1),
        pack(kernel, "Bf", 7, 1.5),
        pack(kernel, "Bd", 8, 1.5),
        bytes([9]) + text(kernel, "größe"),
        pack(kernel, "Bi", 10, 65),
        pack(kernel, "BiB3b", 11, 3, 2, 1, 0, 1),
        pack(kernel, "BiB2d", 11, 2, 8, 1.5, -1.5),
        pack(kernel, "BiB", 11, 2, 9) + text(kernel, "a") + text(kernel, ""),
        pack(kernel, "BiB", 11, 0, 6),
    ]
    return pack(kernel, "i", len(values)) + b"".join(
        text(kernel, f"key {number}") + value for number, value in enumerate(values)
    )


def pair(kernel: int, number: int, record: int, before: bytes, after: bytes) -> bytes:
    return bytes([number]) + pack(kernel, "q", record) + before + after


_UNUSED = {
    NODE: lambda kernel: node(kernel, 0),
    RELATIONSHIP: lambda kernel: relationship(kernel, 0),
    PROPERTY: lambda kernel: properties(kernel, flags=0),
}
_SINGLE = {NODE: 22, PROPERTY: 24, RELATIONSHIP: 26}


def created(kernel: int, number: int, record: int, image: bytes) -> bytes:
    """A record that was made, as this kernel version writes it."""
    if kernel >= 10:
        return bytes([_SINGLE[number]]) + pack(kernel, "q", record) + image
    return pair(kernel, number, record, _UNUSED[number](kernel), image)


def deleted(kernel: int, number: int, record: int, image: bytes) -> bytes:
    """A record that was removed, as this kernel version writes it."""
    if kernel >= 10:
        return bytes([_SINGLE[number] + 1]) + pack(kernel, "q", record) + image
    return pair(kernel, number, record, image, _UNUSED[number](kernel))


def new_token(kernel: int, number: int, flags: int = IN_USE, record: int = 7) -> bytes:
    before, after = (token(kernel, bits, is_key=number == 5) for bits in (0, flags))
    return bytes([number]) + pack(kernel, "i", record) + before + after


def schema(kernel: int, record: int, before: bytes, after: bytes, *, with_map: bool = False) -> bytes:
    tail = rule_map(kernel) if with_map else b""
    return bytes([18]) + pack(kernel, "qb", record, int(with_map)) + before + after + tail


def transaction(kernel: int, commands: Sequence[bytes], number: int = 2, extra: bytes = b"") -> bytes:
    """A whole transaction, from its start entry to its commit entry."""
    payload = bytes([kernel, 3]).join(commands)
    return txlog.transaction_bytes(kernel, number, payload, 0xDEAD5EED, number, extra)


def samples(kernel: int) -> list[Sample]:
    """A command of each type that this kernel version knows, with images of each form."""
    long_text = [(1, IN_USE | CREATED, b"x" * 120), (2, IN_USE, b"yz"), (3, 0, b"")]
    images: list[tuple[int, str, list[bytes]]] = [
        (
            NODE,
            "NODE",
            [node(kernel, 0), node(kernel, labels=1 << 39, records=long_text), node(kernel, IN_USE | SECONDARY)],
        ),
        (RELATIONSHIP, "RELATIONSHIP", [relationship(kernel, 0), relationship(kernel), relationship(kernel, 9)]),
        (
            PROPERTY,
            "PROPERTY",
            [
                properties(kernel, flags=0, deleted=long_text),
                properties(kernel, [block(kernel, 4, 1), block(kernel, 5, 9, kind=STRING, records=long_text)]),
                properties(kernel, [block(kernel, 6, 1, 2, 3, 4)], IN_USE | SECONDARY, of_node=False),
            ],
        ),
        (9, "GROUP", [group(kernel, 0), group(kernel), group(kernel, IN_USE | SECONDARY)]),
    ]
    if kernel < 5:
        images.append((21, "GROUP", [group(kernel, bits, large=True) for bits in (0, IN_USE, IN_USE | SECONDARY)]))
    found = [
        Sample(
            number, pair(kernel, number, 1 << 33, before, after), kind, change_of(before, after), 1 << 33, before, after
        )
        for number, kind, several in images
        for before in several
        for after in several
    ]
    if kernel >= 10:
        for number, kind, several in images[:3]:
            for image in several:
                made, gone = ("CREATED", "DELETED") if image[0] & IN_USE else ("UNUSED", "UNUSED")
                single = _SINGLE[number]
                record = pack(kernel, "q", 5) + image
                found.append(Sample(single, bytes([single]) + record, kind, made, 5, None, image))
                found.append(Sample(single + 1, bytes([single + 1]) + record, kind, gone, 5, image, None))
    for number, kind in ((4, "TYPE"), (8, "LABEL"), (5, "PROPERTY_KEY")):
        before, after = (token(kernel, bits, is_key=number == 5) for bits in (0, IN_USE))
        found.append(Sample(number, new_token(kernel, number), kind, "CREATED", 7, before, after))
    return found + _other_samples(kernel)


def _other_samples(kernel: int) -> list[Sample]:
    old, new, gone = rule(kernel, first=-1), rule(kernel, IN_USE | SECONDARY), rule(kernel, 0)
    mapped = new + rule_map(kernel)
    degrees, labels = pack(kernel, "qq", 9, -2), pack(kernel, "iq", -1, 3)
    types = pack(kernel, "iiiq", -1, 6, 4, 1)
    was, now = pack(kernel, "Bq", 0, 0), pack(kernel, "Bq", 1, kernel)
    return [
        Sample(18, schema(kernel, 3, gone, new, with_map=True), "SCHEMA", "CREATED", 3, gone, mapped),
        Sample(18, schema(kernel, 3, old, new), "SCHEMA", "CHANGED", 3, old, new),
        Sample(18, schema(kernel, 3, old, gone), "SCHEMA", "DELETED", 3, old, gone),
        Sample(19, pair(kernel, 19, 19, was, now), "METADATA", "CREATED", 19, was, now),
        Sample(20, bytes([20]) + degrees, "DEGREES", "CHANGED", 9, None, degrees),
        Sample(17, bytes([17]) + labels, "NODE_COUNTS", "CHANGED", -1, None, labels),
        Sample(16, bytes([16]) + types, "RELATIONSHIP_COUNTS", "CHANGED", 6, None, types),
    ]


def change_of(before: bytes, after: bytes) -> str:
    return ("UNUSED", "DELETED", "CREATED", "CHANGED")[before[0] & 1 | (after[0] & 1) << 1]
