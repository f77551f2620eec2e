"""Compiled: following the chains of properties and of long values, within a window of records in memory.

A window is records that follow on one another from `first` on, or where `ids` are given (sorted) these, one behind the
other; properties are in `pages`, so that `first` is the first of a page. What leads out of it is put into `left`, as if
nothing had been looked at of it. Each function returns WHOLE, or DOUBTFUL where anything is not as it has to be; then
the rest was not looked at. `seen` takes the ids of records that were led to, where it has room for any.
"""

from __future__ import annotations

from neokeep.consistency.proof.bits import BAD, NONE, character, mixed, number4, reference
from neokeep.consistency.proof.values import ARRAY, LONGS, STRING, block_longs
from neokeep.neo4j.recovery.bits import byte
from neokeep.neo4j.recovery.compiled import Bytes, Numbers, compiled, compiled_part
from neokeep.neo4j.recovery.layout import DYNAMIC_HEAD, PAGE, RECORD_BYTES, Store
from neokeep.neo4j.store.values import Kind

WHOLE, DOUBTFUL = 0, 1
MET, LINK, FIRST, COUNT, DEGREE = 0, 1, 2, 3, 4
"""Places in `sums`: those of claims, less those of the other side."""
TEXTS, ARRAYS, LEFT, SEEN, STAMP = 0, 1, 2, 3, 4
"""Places in `used`: how many there are in the outputs of the same names; the last number of `stamps`."""

STRINGS = int(Store.STRINGS)
_PROPERTY, PROPERTY_BYTES = int(Store.PROPERTY), RECORD_BYTES[Store.PROPERTY]
PROPERTIES_PER_PAGE = PAGE // PROPERTY_BYTES
_BLOCKS = 9
_LAST_NUMBER = int(Kind.DOUBLE)
_NUMBERS_HEAD = 3


@compiled_part
def _row(number: int, first: int, count: int, ids: Numbers) -> int:
    """Find the row of a record in a window; NONE where it is not there."""
    if len(ids) == 0:
        return number - first if first <= number < first + count else NONE
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) >> 1
        if ids[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low if low < len(ids) and ids[low] == number else NONE


@compiled
def property_chains(
    pages: Bytes,
    page_bytes: int,
    first: int,
    ids: Numbers,
    heads: Numbers,
    keys: Bytes,
    stamps: Numbers,
    zones: int,
    texts: Numbers,
    arrays: Numbers,
    left: Numbers,
    seen: Numbers,
    sums: Numbers,
    used: Numbers,
) -> int:
    """Follow the properties of owners from their first records; gives the heads of `texts` and `arrays`.

    `keys` has a flag for each key that is named, and one more that is not set. `stamps` has a number for each of them.
    """
    count = len(pages) // page_bytes * PROPERTIES_PER_PAGE if len(ids) == 0 else len(ids)
    for owner in range(len(heads)):
        at, before, met, left_out = heads[owner], NONE, 0, False
        text, array, known = used[TEXTS], used[ARRAYS], used[SEEN]
        used[STAMP] += 1
        while at != NONE:
            row = _row(at, first, count, ids)
            if row == NONE:
                left_out = True
                break
            record = row // PROPERTIES_PER_PAGE * page_bytes + row % PROPERTIES_PER_PAGE * PROPERTY_BYTES
            head = byte(pages, record)
            if byte(pages, record + 13) & 15 == 0 or reference(pages, record + 1, head >> 4) != before:
                return DOUBTFUL
            place = 0
            while place < LONGS:
                block = record + _BLOCKS + 8 * place
                low = number4(pages, block + 4)
                kind, key = low >> 24 & 15, low & 0xFF_FFFF
                if kind == 0:
                    break
                # A record that comes again has its keys twice, so this ends chains that bite their tails too.
                if key >= len(keys) or keys[key] == 0 or stamps[key] == used[STAMP]:
                    return DOUBTFUL
                stamps[key] = used[STAMP]
                longs = block_longs(pages, block, LONGS - place, zones)
                if longs == BAD or text >= len(texts) or array >= len(arrays):
                    return DOUBTFUL
                place += longs
                value = number4(pages, block) << 4 | low >> 28
                if kind == STRING:
                    texts[text] = value
                    text += 1
                elif kind == ARRAY:
                    arrays[array] = value
                    array += 1
            met += mixed(at, _PROPERTY, 0, 0)
            if len(seen) > 0:
                if known >= len(seen):
                    return DOUBTFUL
                seen[known] = at
                known += 1
            before, at = at, reference(pages, record + 5, head & 15)
        if left_out:
            left[used[LEFT]] = heads[owner]
            used[LEFT] += 1
        else:
            sums[MET] += met
            used[TEXTS], used[ARRAYS], used[SEEN] = text, array, known
    return WHOLE


@compiled_part
def _text(data: Bytes, at: int, length: int, state: int) -> int:
    """Take bytes of a text; see character."""
    if state == 0:
        every = 0
        for step in range(length):
            every |= byte(data, at + step)
        if every < 0x80:
            return 0
    for step in range(length):
        state = character(state, byte(data, at + step))
        if state == BAD:
            return BAD
    return state


@compiled_part
def _is_of_numbers(begin: int, total: int) -> bool:
    """Tell whether an array of so many bytes, the first three of which are `begin`, is one of numbers, and whole."""
    kind, last, width = begin >> 16, begin >> 8 & 255, begin & 255
    if total < _NUMBERS_HEAD or kind < 1 or kind > _LAST_NUMBER or last > 8 or width > 64:
        return False
    bits = (total - _NUMBERS_HEAD) * 8 - (8 - last if last != 0 else 0)
    return width != 0 or bits <= 0


@compiled
def value_chains(
    records: Bytes,
    size: int,
    first: int,
    ids: Numbers,
    heads: Numbers,
    store: int,
    arrays: Numbers,
    left: Numbers,
    seen: Numbers,
    sums: Numbers,
    used: Numbers,
) -> int:
    """Follow long texts, or arrays, in records of a size; gives those `arrays` that are not of plain numbers."""
    count = len(records) // size
    for value in range(len(heads)):
        at, met, left_out, steps, total = heads[value], 0, False, 0, 0
        state, begin, known = 0, 0, used[SEEN]
        while at != NONE:
            row = _row(at, first, count, ids)
            if row == NONE:
                left_out = True
                break
            record = row * size
            head = number4(records, record)
            length, following = head & 0xFF_FFFF, reference(records, record + 4, head >> 24 & 15)
            starts = head & 1 << 31 == 0
            if head & 1 << 28 == 0 or length > size - DYNAMIC_HEAD or starts != (steps == 0):
                return DOUBTFUL
            if (following != NONE and length < size - DYNAMIC_HEAD) or steps > count:
                return DOUBTFUL
            data = record + DYNAMIC_HEAD
            if store == STRINGS:
                state = _text(records, data, length, state)
                if state == BAD:
                    return DOUBTFUL
            else:
                for step in range(min(length, _NUMBERS_HEAD - total)):
                    begin = begin << 8 | byte(records, data + step)
            total += length
            met += mixed(at, store, 0, 0)
            if len(seen) > 0:
                if known >= len(seen):
                    return DOUBTFUL
                seen[known] = at
                known += 1
            steps += 1
            at = following
        if left_out:
            left[used[LEFT]] = heads[value]
            used[LEFT] += 1
            continue
        sums[MET] += met
        used[SEEN] = known
        if store == STRINGS:
            if state != 0:
                return DOUBTFUL
        elif _is_of_numbers(begin, total):
            continue
        elif used[ARRAYS] < len(arrays):
            arrays[used[ARRAYS]] = heads[value]
            used[ARRAYS] += 1
        else:
            return DOUBTFUL
    return WHOLE


@compiled
def in_use(
    pages: Bytes,
    page_bytes: int,
    per_page: int,
    size: int,
    wanted: Bytes,
    first: int,
    stop: int,
    place: int,
    mask: int,
    store: int,
    sums: Numbers,
) -> None:
    """Claim of the records in use from `first` to before `stop`, by a byte of theirs, that something leads to them.

    `pages` begin with that of the first; `wanted` has a flag for each: others are left out.
    """
    total, number = 0, first // per_page * per_page
    for page in range(len(pages) // page_bytes):
        if wanted[page] == 0:
            number += per_page
            continue
        for slot in range(per_page):
            if first <= number < stop and byte(pages, page * page_bytes + slot * size + place) & mask != 0:
                total += mixed(number, store, 0, 0)
            number += 1
    sums[MET] -= total
