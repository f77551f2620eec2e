"""Compiled: images of records in the transaction log, turned into the records that stand in the stores.

Each function takes one image, which ends before `end`, and returns the offset behind it, or a negative number: BAD for
what is not understood or does not fit its store, FULL where the output has no room. Records go to `out`, each with a
row of `rows`: store, id, offset in `out`. `stores` has a row for each store: bytes of a record, lowest id, the id that
is too large. `state[WRITING]` says what is done with an image: NOTHING but looking at it, WRITE, or RELEASE, which
makes its records free. A free record is zeros. Going back (`state[UNDOING]`), a dynamic record that was there before
and whose content then the image does not tell gets UNKNOWN added to its store.

Numbers in stores are big endian in every version; those in the log are big endian below kernel version 5 (`big`).
Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

import numpy as np

from neokeep.neo4j.recovery.bits import byte, fits, high, int4, int8, put, refers
from neokeep.neo4j.recovery.compiled import Bytes, Numbers, Output, Rows, compiled_part
from neokeep.neo4j.recovery.layout import Store

BAD, FULL = -1, -2
USED, ROWS, WRITING, UNDOING = 0, 1, 2, 3
"""Places in `state`: bytes used of `out`, rows used, what is done with images, whether it goes back."""
NOTHING, WRITE, RELEASE = 0, 1, 2
UNKNOWN = 64

NODE, RELATIONSHIP, PROPERTY, GROUP = map(int, (Store.NODE, Store.RELATIONSHIP, Store.PROPERTY, Store.GROUP))
LABEL, TYPE, PROPERTY_KEY, SCHEMA = map(int, (Store.LABEL, Store.TYPE, Store.PROPERTY_KEY, Store.SCHEMA))
STRINGS, ARRAYS, NODE_LABELS = map(int, (Store.STRINGS, Store.ARRAYS, Store.NODE_LABELS))

_IN_USE, _MADE, _SECONDARY = 1, 2, 8
_STRING_TYPE, _ARRAY_TYPE = 9, 10
_BY_TYPE = -1
"""In the place of a store: each dynamic record tells its own."""
_NOT_WRITTEN = -3


@compiled_part
def _room(out: Output, rows: Rows, state: Numbers, stores: Rows, store: int, record: int) -> int:
    """Make room for a record of zeros; its offset in `out`, or a negative number."""
    if record < stores[store, 1] or record >= stores[store, 2]:
        return BAD
    if state[WRITING] == NOTHING:
        return _NOT_WRITTEN
    size, place, row = stores[store, 0], state[USED], state[ROWS]
    if place + size > len(out) or row >= len(rows):
        return FULL
    for step in range(size):
        out[np.uint64(place + step)] = 0
    rows[row, 0] = store
    rows[row, 1] = record
    rows[row, 2] = place
    state[USED] = place + size
    state[ROWS] = row + 1
    return place


@compiled_part
def _told_before(flags: int, state: Numbers) -> bool:
    """Tell whether an image says what a dynamic record was before the transaction: in use there, or made by it."""
    if state[WRITING] == WRITE:
        return flags & _IN_USE != 0
    return flags & _MADE != 0


@compiled_part
def _dynamic(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    store: int,
    free: bool,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take a list of dynamic records, all freed where `free`."""
    if at + 4 > end:
        return BAD
    count = int4(data, at, big)
    at += 4
    if count < 0:
        return BAD
    for _ in range(count):
        if at + 13 > end:
            return BAD
        record, kind, flags = int8(data, at, big), int4(data, at + 8, big), byte(data, at + 12)
        target = store
        if store == _BY_TYPE:
            if kind != _STRING_TYPE and kind != _ARRAY_TYPE:
                return BAD
            target = STRINGS if kind == _STRING_TYPE else ARRAYS
        at += 13
        length, following = 0, -1
        if flags & _IN_USE:
            if at + 12 > end:
                return BAD
            length, following = int4(data, at, big), int8(data, at + 4, big)
            at += 12
            if length < 0 or length > stores[target, 0] - 8 or at + length > end or not refers(following):
                return BAD
        place = _room(out, rows, state, stores, target, record)
        if place == BAD or place == FULL:
            return place
        if place >= 0 and state[UNDOING] and not _told_before(flags, state):
            rows[state[ROWS] - 1, 0] = target + UNKNOWN
        if place >= 0 and flags & _IN_USE and not free and state[WRITING] == WRITE:
            head = length | high(following, 4) << 24 | 1 << 28
            if not flags & 0x20:
                head |= 1 << 31
            put(out, place, head, 4)
            put(out, place + 4, following, 4)
            for step in range(length):
                out[np.uint64(place + 8 + step)] = data[np.uint64(at + step)]
        at += length
    return at


@compiled_part
def node(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    record: int,
    free: bool,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take a node with its dynamic label records."""
    if at + 1 > end:
        return BAD
    flags = byte(data, at)
    used = flags & _IN_USE
    size = 26 if used else 1
    if flags & _SECONDARY and (used or not big):
        size += 8
    if at + size > end:
        return BAD
    relationship, properties, labels = -1, -1, 0
    if used:
        relationship, properties = int8(data, at + 2, big), int8(data, at + 10, big)
        labels = int8(data, at + 18, big)
        if not fits(data, at + 2, 1, big) or not refers(properties) or labels < 0 or labels >> 40:
            return BAD
    place = _room(out, rows, state, stores, NODE, record)
    if place == BAD or place == FULL:
        return place
    if place >= 0 and used and not free:
        put(out, place, 1 | high(relationship, 3) << 1 | high(properties, 4) << 4, 1)
        put(out, place + 1, relationship, 4)
        put(out, place + 5, properties, 4)
        put(out, place + 9, labels, 4)
        put(out, place + 13, labels >> 32, 1)
        out[place + 14] = data[at + 1]
    return _dynamic(data, at + size, end, big, NODE_LABELS, free, out, rows, state, stores)


@compiled_part
def relationship(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    record: int,
    free: bool,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take a relationship."""
    if at + 1 > end:
        return BAD
    flags = byte(data, at)
    used = flags & _IN_USE
    size = 62 if used else 5
    if flags & _SECONDARY and (used or not big):
        size += 8
    if at + size > end:
        return BAD
    kind, properties = 0, -1
    if used:
        kind, properties = int4(data, at + 17, big), int8(data, at + 53, big)
        if not fits(data, at + 1, 2, big) or not fits(data, at + 21, 4, big):
            return BAD
        if kind < 0 or kind >> 16 or not refers(properties):
            return BAD
    place = _room(out, rows, state, stores, RELATIONSHIP, record)
    if place == BAD or place == FULL:
        return place
    if place >= 0 and used and not free:
        first, second = int8(data, at + 1, big), int8(data, at + 9, big)
        word = kind | high(second, 3) << 28
        for chain in range(4):
            # First previous, first next, second previous, second next: from the high bits of the word down.
            reference = int8(data, at + 21 + 8 * chain, big)
            word |= high(reference, 3) << (25 - 3 * chain)
            put(out, place + 13 + 4 * chain, reference, 4)
        put(out, place, 1 | high(first, 3) << 1 | high(properties, 4) << 4, 1)
        put(out, place + 1, first, 4)
        put(out, place + 5, second, 4)
        put(out, place + 9, word, 4)
        put(out, place + 29, properties, 4)
        out[place + 33] = data[at + 61]
    return at + size


@compiled_part
def properties(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    record: int,
    free: bool,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take a property record with the dynamic records of its values, and those that were removed."""
    if at + 1 > end:
        return BAD
    flags = byte(data, at)
    used = flags & _IN_USE
    head = 25 + (8 if flags & _SECONDARY and big else 0)
    if at + head + 1 > end:
        return BAD
    following, previous = int8(data, at + 1, big), int8(data, at + 9, big)
    blocks = byte(data, at + head)
    if blocks > 4 or (used and not (refers(following) and refers(previous))):
        return BAD
    place = _room(out, rows, state, stores, PROPERTY, record)
    if place == BAD or place == FULL:
        return place
    kept = place >= 0 and used and not free
    if kept:
        put(out, place, high(previous, 4) << 4 | high(following, 4), 1)
        put(out, place + 1, previous, 4)
        put(out, place + 5, following, 4)
    at += head + 1
    longs = 0
    for _ in range(blocks):
        size = byte(data, at) if at < end else 0
        if size < 8 or size > 32 or size % 8 or at + 1 + size > end or longs + size // 8 > 4:
            return BAD
        if kept:
            for step in range(size // 8):
                put(out, place + 9 + 8 * (longs + step), int8(data, at + 1 + 8 * step, big), 8)
        longs += size // 8
        at = _dynamic(data, at + 1 + size, end, big, _BY_TYPE, free, out, rows, state, stores)
        if at < 0:
            return at
    return _dynamic(data, at, end, big, _BY_TYPE, True, out, rows, state, stores)


@compiled_part
def group(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    record: int,
    wide: bool,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take a group; below kernel version 5 its type has 2 bytes, or 3 where `wide`, and no byte of degree flags."""
    type_bytes = (3 if wide else 2) if big else 4
    size = 41 + type_bytes + (0 if big else 1)
    if at + size > end:
        return BAD
    flags = byte(data, at)
    if flags & _SECONDARY:
        size += 8
    if at + size > end:
        return BAD
    body = at + 1 + type_bytes
    kind = byte(data, at + 1) << 8 | byte(data, at + 2) if big else int4(data, at + 1, big)
    if wide:
        kind |= byte(data, at + 3) << 16
    if flags & _IN_USE and (kind < 0 or kind >> 16 or not fits(data, body, 5, big)):
        return BAD
    place = _room(out, rows, state, stores, GROUP, record)
    if place == BAD or place == FULL:
        return place
    if place >= 0 and flags & _IN_USE:
        degrees = (flags >> 5) & 7 if big else byte(data, at + 41 + type_bytes)
        following, outward = int8(data, body, big), int8(data, body + 8, big)
        inward, loop, owner = int8(data, body + 16, big), int8(data, body + 24, big), int8(data, body + 32, big)
        first = 1 | high(following, 3) << 1 | high(outward, 3) << 4 | (degrees & 1) << 7
        second = (degrees >> 1) & 1 | high(inward, 3) << 1 | high(loop, 3) << 4 | ((degrees >> 2) & 1) << 7
        put(out, place, first << 24 | second << 16 | kind, 4)
        put(out, place + 4, following, 4)
        put(out, place + 8, outward, 4)
        put(out, place + 12, inward, 4)
        put(out, place + 16, loop, 4)
        put(out, place + 20, owner, 4)
        put(out, place + 24, owner >> 32, 1)
    return at + size


@compiled_part
def token(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    store: int,
    record: int,
    names: int,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take a label, a relationship type or a property key with the records of its name."""
    counted = 4 if store == PROPERTY_KEY else 0
    if at + 5 + counted > end:
        return BAD
    flags = byte(data, at)
    place = _room(out, rows, state, stores, store, record)
    if place == BAD or place == FULL:
        return place
    if place >= 0 and flags & _IN_USE:
        put(out, place, 1 | (2 if flags & 0x20 else 0), 1)
        if counted:
            put(out, place + 1, int4(data, at + 1, big), 4)
        put(out, place + 1 + counted, int4(data, at + 1 + counted, big), 4)
    return _dynamic(data, at + 5 + counted, end, big, names, False, out, rows, state, stores)


@compiled_part
def schema(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    record: int,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take a schema record: where the properties of its rule begin."""
    if at + 1 > end:
        return BAD
    flags = byte(data, at)
    used = flags & _IN_USE
    size = 10 if used else 1
    if used and big and flags & _SECONDARY:
        size += 8
    if at + size > end:
        return BAD
    first = int8(data, at + 2, big) if used else -1
    if not refers(first):
        return BAD
    place = _room(out, rows, state, stores, SCHEMA, record)
    if place == BAD or place == FULL:
        return place
    if place >= 0 and used:
        put(out, place, 1 | (2 if first >= 0 else 0), 1)
        put(out, place + 1, first if first >= 0 else 0, 7)
    return at + size
