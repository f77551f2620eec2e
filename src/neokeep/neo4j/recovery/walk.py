"""Compiled: transactions of a log, command by command, into the records that they leave in the stores.

The caller has checked each transaction's CRC-32C. What is not understood stops the walk at its offset: there is no
guessing. Forward, the images after are written. With `state[UNDOING]` the images before are, and behind those of the
same command what it made is released: the first row of a record tells what it was. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

from neokeep.neo4j.recovery.bits import byte, int4, int8
from neokeep.neo4j.recovery.compiled import Bytes, Numbers, Output, Rows, compiled, compiled_part
from neokeep.neo4j.recovery.images import (
    BAD,
    FULL,
    LABEL,
    NOTHING,
    PROPERTY_KEY,
    RELEASE,
    ROWS,
    TYPE,
    UNDOING,
    USED,
    WRITE,
    WRITING,
    group,
    node,
    properties,
    relationship,
    schema,
    token,
)
from neokeep.neo4j.recovery.layout import Store

LABEL_NAMES, TYPE_NAMES, KEY_NAMES = map(int, (Store.LABEL_NAMES, Store.TYPE_NAMES, Store.PROPERTY_KEY_NAMES))
METADATA, NUMBER, AT = 4, 5, 6
"""Places in `state`: metadata values found; the transaction where the walk goes on or stopped, and the offset of the
command in it, 0 for its first."""
STATE_SIZE = 7
DONE = 0
_COMMIT_BYTES = 22
_START, _COMMAND = 1, 3
_LAST_CONSTRAINT = 6
_KERNEL_VERSION = -1
_METADATA_KEYS = 900
"""As many slots as fit into the page that `neostore` is."""


@compiled_part
def _text(data: Bytes, at: int, end: int, big: bool) -> int:
    if at < 0 or at + 4 > end:
        return BAD
    length = int4(data, at, big)
    return at + 4 + length if length >= 0 and at + 4 + length <= end else BAD


@compiled_part
def _number_bytes(tag: int) -> int:
    """Give the bytes of a number; 0 for what is none."""
    if tag == 3:
        return 1
    if tag == 4:
        return 2
    if tag == 5 or tag == 7 or tag == 10:
        return 4
    if tag == 6 or tag == 8:
        return 8
    return 0


@compiled_part
def _value(data: Bytes, at: int, end: int, big: bool) -> int:
    """Pass over one value of a schema rule's map."""
    if at + 1 > end:
        return BAD
    tag = byte(data, at)
    at += 1
    if tag == 0 or tag == 1:
        return at
    if tag == 9:
        return _text(data, at, end, big)
    size = _number_bytes(tag)
    if tag != 11:
        return at + size if size > 0 and at + size <= end else BAD
    if at + 5 > end:
        return BAD
    count, element = int4(data, at, big), byte(data, at + 4)
    at += 5
    if count < 0 or count > end - at:
        return BAD
    if element == 9:
        for _ in range(count):
            at = _text(data, at, end, big)
        return at
    size = 1 if element == 2 else _number_bytes(element)
    return at + count * size if size > 0 and at + count * size <= end else BAD


@compiled_part
def _rule(data: Bytes, at: int, end: int, big: bool) -> int:
    """Pass over the map that a schema rule is written as."""
    if at + 4 > end:
        return BAD
    count = int4(data, at, big)
    at += 4
    if count < 0:
        return BAD
    for _ in range(count):
        at = _text(data, at, end, big)
        if at >= 0:
            at = _value(data, at, end, big)
        if at < 0:
            return BAD
    return at


@compiled_part
def _is_constraint(data: Bytes, body: int, end: int) -> bool:
    return body + 2 <= end and byte(data, body) & 1 != 0 and byte(data, body + 1) != 0


@compiled_part
def _metadata(data: Bytes, at: int, end: int, big: bool, state: Numbers, metadata: Rows) -> int:
    """Take a value of `neostore`."""
    if at + 29 > end:
        return BAD
    key = int8(data, at + 3, big)
    if not big:
        # Since 5.0 the only one is the kernel version at an upgrade, and that is in no store.
        return at + 29 if key == _KERNEL_VERSION else BAD
    if key < 0 or key >= _METADATA_KEYS:
        return BAD
    image = at + 11 if state[UNDOING] else at + 20
    if state[WRITING] and byte(data, image) & 1:
        place = state[METADATA]
        if place >= len(metadata):
            return FULL
        metadata[place, 0] = key
        metadata[place, 1] = int8(data, image + 1, big)
        state[METADATA] = place + 1
    return at + 29


@compiled_part
def _image(
    data: Bytes,
    at: int,
    body: int,
    end: int,
    big: bool,
    kind: int,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
) -> int:
    """Take one image of the command at `at`."""
    record = int8(data, at + 3, big)
    # The one image of a removal is that before: going back, it is what comes again.
    removal = kind == 23 or kind == 25 or kind == 27
    free = state[WRITING] == RELEASE or (removal and state[UNDOING] == 0)
    if kind == 1 or kind == 22 or kind == 23:
        return node(data, body, end, big, record, free, out, rows, state, stores)
    if kind == 2 or kind == 24 or kind == 25:
        return properties(data, body, end, big, record, free, out, rows, state, stores)
    if kind == 3 or kind == 26 or kind == 27:
        return relationship(data, body, end, big, record, free, out, rows, state, stores)
    if kind == 9 or (kind == 21 and big):
        return group(data, body, end, big, record, kind == 21, out, rows, state, stores)
    if kind == 18:
        return schema(data, body, end, big, record, out, rows, state, stores)
    number = int4(data, at + 3, big)
    if kind == 4:
        return token(data, body, end, big, TYPE, number, TYPE_NAMES, out, rows, state, stores)
    if kind == 5:
        return token(data, body, end, big, PROPERTY_KEY, number, KEY_NAMES, out, rows, state, stores)
    if kind == 8:
        return token(data, body, end, big, LABEL, number, LABEL_NAMES, out, rows, state, stores)
    return BAD


@compiled_part
def _treatment(kind: int, image: int, images: int, state: Numbers) -> int:
    """Say what is done with an image of a command."""
    if state[UNDOING] == 0:
        return WRITE if image == images - 1 else NOTHING
    if images == 1:
        return WRITE if kind == 23 or kind == 25 or kind == 27 else RELEASE
    return WRITE if image == 0 else RELEASE


@compiled_part
def _command(
    data: Bytes,
    at: int,
    end: int,
    big: bool,
    version: int,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
    metadata: Rows,
) -> int:
    """Take one command; the offset behind it, BAD or FULL."""
    if at + 11 > end or byte(data, at) != version or byte(data, at + 1) != _COMMAND:
        return BAD
    kind = byte(data, at + 2)
    if kind >= 22 and version < 10:
        return BAD
    if kind == 16:
        return at + 23 if at + 23 <= end else BAD
    if kind == 17:
        return at + 15 if at + 15 <= end else BAD
    if kind == 20:
        return at + 19 if at + 19 <= end else BAD
    if kind == 19:
        return _metadata(data, at, end, big, state, metadata)
    writing = state[WRITING]
    body, rule, images = at + 11, 0, 2
    if kind == 4 or kind == 5 or kind == 8:
        body = at + 7
    elif kind == 18:
        if at + 12 > end:
            return BAD
        rule, body = byte(data, at + 11), at + 12
    elif kind >= 22:
        images = 1
    for image in range(images):
        if writing:
            state[WRITING] = _treatment(kind, image, images, state)
        if image == 1 and kind == 18 and big and state[WRITING] == WRITE and _is_constraint(data, body, end):
            # 4.x keeps the transaction that made the newest constraint.
            if state[METADATA] >= len(metadata):
                return FULL
            # Its id stands in the commit entry.
            metadata[state[METADATA], 0] = _LAST_CONSTRAINT
            metadata[state[METADATA], 1] = int8(data, end + 2, big)
            state[METADATA] += 1
        body = _image(data, at, body, end, big, kind, out, rows, state, stores)
        state[WRITING] = writing
        if body < 0:
            return body
    if rule > 1:
        return BAD
    return _rule(data, body, end, big) if rule else body


@compiled_part
def _first_command(data: Bytes, begin: int, end: int) -> int:
    """Give the offset behind the start entry and its additional header, or BAD."""
    version = byte(data, begin)
    size = 22
    if version <= 21:
        size += 4
    if version >= 17:
        size += 8
    if version >= 30:
        size += 8
    if version < 2 or version > 32 or begin + size > end or byte(data, begin + 1) != _START:
        return BAD
    additional = int4(data, begin + size - 4, version < 5)
    return begin + size + additional if additional >= 0 else BAD


@compiled
def walk(
    data: Bytes,
    begins: Numbers,
    ends: Numbers,
    out: Output,
    rows: Rows,
    state: Numbers,
    stores: Rows,
    metadata: Rows,
) -> int:
    """Walk transactions from `state[NUMBER]` and `state[AT]` on; gives DONE, FULL or BAD and where it stopped."""
    while state[NUMBER] < len(begins):
        begin, end = begins[state[NUMBER]], ends[state[NUMBER]] - _COMMIT_BYTES
        if begin < 0 or end <= begin or end + _COMMIT_BYTES > len(data):
            return BAD
        at = state[AT]
        if at == 0:
            at = _first_command(data, begin, end)
            state[AT] = begin
        if at < 0:
            return BAD
        version = byte(data, begin)
        while at < end:
            used, row, values = state[USED], state[ROWS], state[METADATA]
            after = _command(data, at, end, version < 5, version, out, rows, state, stores, metadata)
            if after < 0:
                state[AT], state[USED], state[ROWS], state[METADATA] = at, used, row, values
                return after
            at = after
        if at != end:
            return BAD
        state[NUMBER] += 1
        state[AT] = 0
    return DONE
