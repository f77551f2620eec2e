"""Compiled: finding property blocks in records, and laying texts out as UTF-8 in one buffer.

Nothing here tells damage. What is irregular is only marked, and left to blocks.py and chains.py, which say what is
wrong with it. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

import numpy as np

from neokeep.neo4j.recovery.bits import byte, int4, int8
from neokeep.neo4j.recovery.compiled import ByteRows, Bytes, Longs, Numbers, Output, compiled, compiled_part
from neokeep.neo4j.recovery.layout import PAGE, RECORD_BYTES, Store
from neokeep.neo4j.store.records import NONE
from neokeep.neo4j.store.texts import ALPHABETS, FIRST_BIT, LATIN_1, NO_CHARACTER, UTF_8

_ENCODINGS = 13
_WIDTHS = np.array(
    [(len(ALPHABETS[number]) - 1).bit_length() if number in ALPHABETS else 8 for number in range(_ENCODINGS)], np.int64
)
_CHARACTERS = np.zeros((_ENCODINGS, 256), np.int64)
for _encoding, _letters in ALPHABETS.items():
    _CHARACTERS[_encoding, : len(_letters)] = [ord(letter) for letter in _letters]
_CHARACTERS[LATIN_1] = np.arange(256)
_BAD = -1
_NO_REFERENCE = 0xFFFFFFFF
_NODE_BYTES, _RELATIONSHIP_BYTES = RECORD_BYTES[Store.NODE], RECORD_BYTES[Store.RELATIONSHIP]
_NODES_PER_PAGE, _RELATIONSHIPS_PER_PAGE = PAGE // _NODE_BYTES, PAGE // _RELATIONSHIP_BYTES


@compiled_part
def _reference(data: Bytes, at: int, high: int) -> int:
    """Put a reference together of four bytes and its high bits; NONE where it is none."""
    whole = int4(data, at, True) & _NO_REFERENCE | high << 32
    return NONE if whole == _NO_REFERENCE else whole


@compiled
def property_records(
    content: Bytes,
    offsets: Numbers,
    rows: Numbers,
    used: Output,
    before: Numbers,
    after: Numbers,
    longs: Longs,
) -> None:
    """Read the property records that begin at `offsets` into `rows` of the columns; see records.properties."""
    for number in range(len(offsets)):
        at, row = offsets[number], np.uint64(rows[number])
        head = byte(content, at)
        used[row] = np.uint8(1 if byte(content, at + 13) & 15 != 0 else 0)
        before[row] = _reference(content, at + 1, head >> 4)
        after[row] = _reference(content, at + 5, head & 15)
        for place in range(4):
            longs[row, np.uint64(place)] = np.uint64(int8(content, at + 9 + 8 * place, True))


@compiled
def relationships_in_use(
    pages: Bytes,
    page_bytes: int,
    first: int,
    start: int,
    stop: int,
    ids: Numbers,
    sources: Numbers,
    targets: Numbers,
    kinds: Numbers,
    heads: Numbers,
) -> int:
    """Read relationships in use from `start` to before `stop`: how many; see records.relationships.

    `first` is the first record of the pages. `sources` and `targets` are the first and the second nodes, `heads` the
    first property records.
    """
    found = 0
    for number in range(start, stop):
        place = number - first
        at = place // _RELATIONSHIPS_PER_PAGE * page_bytes + place % _RELATIONSHIPS_PER_PAGE * _RELATIONSHIP_BYTES
        head = byte(pages, at)
        if head & 1 == 0:
            continue
        word = int4(pages, at + 9, True)
        row = np.uint64(found)
        ids[row] = number
        sources[row] = _reference(pages, at + 1, head >> 1 & 7)
        targets[row] = _reference(pages, at + 5, word >> 28 & 7)
        kinds[row] = word & 0xFFFF
        heads[row] = _reference(pages, at + 29, head >> 4)
        found += 1
    return found


@compiled
def nodes_in_use(
    pages: Bytes, page_bytes: int, first: int, start: int, stop: int, ids: Numbers, labels: Numbers, heads: Numbers
) -> int:
    """Read nodes in use from `start` to before `stop`: how many; see records.nodes.

    `first` is the first record of the pages. `labels` are the fields of labels, `heads` the first property records.
    """
    found = 0
    for number in range(start, stop):
        place = number - first
        at = place // _NODES_PER_PAGE * page_bytes + place % _NODES_PER_PAGE * _NODE_BYTES
        head = byte(pages, at)
        if head & 1 == 0:
            continue
        row = np.uint64(found)
        ids[row] = number
        labels[row] = int4(pages, at + 9, True) & _NO_REFERENCE | byte(pages, at + 13) << 32
        heads[row] = _reference(pages, at + 5, head >> 4)
        found += 1
    return found


@compiled_part
def _block_longs(first: int) -> int:
    """Count the longs of a property block by its first one; see meaning.block_longs."""
    kind, value = first >> 24 & 15, first >> 28 & 0xF_FFFF_FFFF
    low = value & 15
    count = 1
    if kind == 8 or (kind == 6 and value & 1 == 0):
        count = 2
    elif kind == 11:
        encoding = value & 31
        width = _WIDTHS[encoding] if encoding < _ENCODINGS else 8
        count = (FIRST_BIT + (value >> 5 & 63) * width + 63) // 64
    elif kind == 12:
        bits = value >> 10 & 63
        count = (44 + (value >> 4 & 63) * (64 if bits == 0 else bits) + 63) // 64
    elif kind == 13:
        count = 1 + (value >> 4 & 15)
    elif kind == 14:
        if low <= 2:
            count = 1 if value >> 4 & 1 else 2
        elif low == 3 or low == 4:
            count = 2
        elif low == 5:
            count = 3
        elif low == 6:
            count = 4
    return count


@compiled
def find_blocks(
    longs: Longs, base: int, chains: Numbers, chain: Numbers, key: Numbers, kind: Numbers, place: Numbers
) -> int:
    """Find the blocks of records (`longs`), each of one of `chains`; as many as there are are counted.

    Of each block it writes the chain, the key, the kind, and the place of its first long among all, of which `base` are
    before these. The number is negative, and one more, where a block is longer than its record: that one is left out.
    """
    found, irregular = 0, False
    for record in range(len(longs)):
        step = 0
        while step < 4:
            first = np.int64(longs[record, step])
            if first >> 24 & 15 == 0:
                break
            count = _block_longs(first)
            if step + count <= 4:
                chain[found] = chains[record]
                key[found] = first & 0xFF_FFFF
                kind[found] = first >> 24 & 15
                place[found] = base + 4 * record + step
                found += 1
            else:
                irregular = True
            step += count
    return -found - 1 if irregular else found


@compiled_part
def _number(longs: Longs, place: int, first: int, width: int) -> int:
    """Read a number of `width` bits, at most 8, that begins so many bits behind the begin of a block."""
    at = place + first // 64
    shift = first % 64
    value = np.int64(longs[at // 4, at % 4] >> np.uint64(shift))
    if shift + width > 64:
        value &= (1 << (64 - shift)) - 1
        value |= np.int64(longs[(at + 1) // 4, (at + 1) % 4]) << (64 - shift)
    return value & ((1 << width) - 1)


@compiled
def measure_texts(longs: Longs, places: Numbers, lengths: Numbers) -> None:
    """Give the bytes that each short text takes in UTF-8; -1 where it is none. Whether UTF-8 is UTF-8 is not seen."""
    for row in range(len(places)):
        place = places[row]
        first = np.int64(longs[place // 4, place % 4])
        encoding, count = first >> 28 & 31, first >> 33 & 63
        if encoding >= _ENCODINGS or FIRST_BIT + count * _WIDTHS[encoding] > 64 * (4 - place % 4):
            lengths[row] = _BAD
            continue
        length = count
        if encoding != UTF_8:
            for step in range(count):
                value = _number(longs, place, FIRST_BIT + step * _WIDTHS[encoding], _WIDTHS[encoding])
                letter = _CHARACTERS[encoding, value]
                if letter >= 128:
                    length += 1
                elif letter == NO_CHARACTER and encoding != LATIN_1:
                    length = _BAD
                    break
        lengths[row] = length


@compiled
def write_texts(longs: Longs, places: Numbers, lengths: Numbers, starts: Numbers, out: Output) -> None:
    """Write short texts that measure_texts has measured, each where it starts."""
    for row in range(len(places)):
        place, at = places[row], starts[row]
        first = np.int64(longs[place // 4, place % 4])
        encoding, count = first >> 28 & 31, first >> 33 & 63
        if lengths[row] < 0:
            continue
        width = _WIDTHS[encoding]
        for step in range(count):
            value = _number(longs, place, FIRST_BIT + step * width, width)
            letter = value if encoding == UTF_8 else _CHARACTERS[encoding, value]
            if letter < 128 or encoding == UTF_8:
                out[at] = np.uint8(letter)
                at += 1
            else:
                out[at] = np.uint8(0xC0 | letter >> 6)
                out[at + 1] = np.uint8(0x80 | letter & 63)
                at += 2


@compiled
def copy_pieces(data: ByteRows, lengths: Numbers, starts: Numbers, out: Output) -> None:
    """Copy the first bytes of each row to where they start."""
    for row in range(len(data)):
        at = starts[row]
        for step in range(lengths[row]):
            out[at + step] = data[row, step]


@compiled
def number_slots(
    groups: Numbers, rows: Numbers, keys: Numbers, types: Numbers, key_bits: int, rest_bits: int, slots: Numbers
) -> None:
    """Give values the number of their slot: the type, the group of their row, and the key, in this order."""
    for number in range(len(rows)):
        slots[number] = types[number] << rest_bits | groups[rows[number]] << key_bits | keys[number]


@compiled
def find_slots(slots: Numbers, known: Numbers, asked: Bytes, places: Numbers, counts: Numbers) -> None:
    """Find slots among those that are known, which are sorted, and count them; -1 is the place of one not asked for."""
    last = np.int64(-1)
    for number in range(len(slots)):
        slot = slots[number]
        # Values of one key often follow on one another, or come every few values.
        if last < 0 or known[last] != slot:
            following = last + 1
            if following < len(known) and known[following] == slot:
                last = following
            else:
                low, high = 0, len(known)
                while low < high:
                    middle = (low + high) >> 1
                    if known[middle] < slot:
                        low = middle + 1
                    else:
                        high = middle
                last = np.int64(low if low < len(known) and known[low] == slot else -1)
        if last >= 0 and asked[last] != 0:
            places[number] = last
            counts[last] += 1
        else:
            places[number] = -1


@compiled
def order_blocks(
    places: Numbers,
    edges: Numbers,
    rows: Numbers,
    keys: Numbers,
    kinds: Numbers,
    at: Numbers,
    own_rows: Numbers,
    own_keys: Numbers,
    own_kinds: Numbers,
    own_at: Numbers,
) -> None:
    """Order blocks by their slots, and leave out those at -1; `edges` are where each slot begins, and change."""
    for number in range(len(places)):
        slot = places[number]
        if slot >= 0:
            to = edges[slot]
            edges[slot] = to + 1
            own_rows[to] = rows[number]
            own_keys[to] = keys[number]
            own_kinds[to] = kinds[number]
            own_at[to] = at[number]


@compiled
def read_integers(longs: Longs, kinds: Numbers, places: Numbers, out: Numbers) -> None:
    """Read numbers of all widths, with their sign; one of a block that is cut off is 0."""
    for number in range(len(places)):
        place = places[number]
        first = np.int64(longs[place // 4, place % 4])
        kind, low = kinds[number], first >> 28 & 0xFFFFFFFF
        if kind == 2:
            value = (low & 0xFF ^ 0x80) - 0x80
        elif kind == 3:
            value = (low & 0xFFFF ^ 0x8000) - 0x8000
        elif kind == 5:
            value = (low ^ 0x80000000) - 0x80000000
        elif first >> 28 & 1 != 0:
            value = first >> 29 & 0x7_FFFF_FFFF
        else:
            value = np.int64(longs[place // 4, place % 4 + 1]) if place % 4 < 3 else 0
        out[number] = value


@compiled
def read_doubles(longs: Longs, places: Numbers, out: Numbers) -> None:
    """Read the bits of numbers of 64 bits; one of a block that is cut off is 0."""
    for number in range(len(places)):
        place = places[number]
        out[number] = np.int64(longs[place // 4, place % 4 + 1]) if place % 4 < 3 else 0


@compiled
def are_in_order(rows: Numbers) -> bool:
    """Tell whether rows are all, one after the other from the first on."""
    number = 0
    while number < len(rows) and rows[number] == number:
        number += 1
    return number == len(rows)


@compiled
def order_by(slots: Numbers, edges: Numbers, order: Numbers) -> None:
    """Order elements by their slots, those of one slot as they come: `edges` are where each slot begins, and change."""
    for row in range(len(slots)):
        slot = slots[row]
        order[edges[slot]] = row
        edges[slot] += 1
