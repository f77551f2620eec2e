"""Compiled: what records of relationships and nodes say for themselves, and what they claim of others.

The claims are those of consistency/relationships.py and nodes.py. How many relationships a node has that is not dense
is not counted: each adds the same odd number of its node, the first of the chain takes away so many as it says, and
nothing is left. Each function returns WHOLE, or DOUBTFUL where anything is not as it has to be.

Records are in `pages`, the first of which has `first`; they are looked at up to before `stop`.
"""

from __future__ import annotations

from neokeep.consistency.proof.bits import NONE, holds, mixed, number4, reference
from neokeep.consistency.proof.chains import COUNT, DEGREE, DOUBTFUL, FIRST, LINK, WHOLE
from neokeep.consistency.state import IN, LOOP, OUT, TYPE_BITS
from neokeep.neo4j.recovery.bits import byte
from neokeep.neo4j.recovery.compiled import Bytes, Numbers, compiled, compiled_part
from neokeep.neo4j.recovery.layout import PAGE, RECORD_BYTES, Store

FOUND, HEADS, MEMBERS = 0, 1, 2
DENSE, ELSEWHERE = 2, 3
"""Places in `used`: how many are in use, how many there are in the outputs of the same names."""

_RELATIONSHIP_BYTES, _NODE_BYTES = RECORD_BYTES[Store.RELATIONSHIP], RECORD_BYTES[Store.NODE]
_RELATIONSHIPS_PER_PAGE, _NODES_PER_PAGE = PAGE // _RELATIONSHIP_BYTES, PAGE // _NODE_BYTES
_LABELS_ELSEWHERE = 1 << 39
_LABEL_BITS = 36


@compiled_part
def _group(keys: Numbers, owner: int, kind: int) -> int:
    key, low, high = owner << TYPE_BITS | kind, 0, len(keys)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(keys) and keys[low] == key else NONE


@compiled
def relationships(
    pages: Bytes,
    page_bytes: int,
    first: int,
    stop: int,
    node_count: int,
    nodes: Bytes,
    dense: Bytes,
    types: Bytes,
    group_keys: Numbers,
    group_external: Bytes,
    heads: Numbers,
    members: Numbers,
    sums: Numbers,
    used: Numbers,
) -> int:
    """Look at relationships; gives the `heads` of their properties, and their places (row * 3 + chain) in groups.

    `nodes` and `dense` are sets (see Marks), `types` has a flag for each that is named, and one more that is not set.
    """
    number = first - first % _RELATIONSHIPS_PER_PAGE - 1
    for row in range(len(pages) // page_bytes * _RELATIONSHIPS_PER_PAGE):
        number += 1
        record = row // _RELATIONSHIPS_PER_PAGE * page_bytes + row % _RELATIONSHIPS_PER_PAGE * _RELATIONSHIP_BYTES
        head = byte(pages, record)
        if head & 1 == 0 or number < first or number >= stop:
            continue
        word, flags = number4(pages, record + 9), byte(pages, record + 33)
        kind = word & 0xFFFF
        start = reference(pages, record + 1, head >> 1 & 7)
        end = reference(pages, record + 5, word >> 28 & 7)
        if kind >= len(types) or types[kind] == 0:
            return DOUBTFUL
        loop = start == end
        for side in range(2):
            node = end if side == 1 else start
            if node < 0 or node >= node_count or not holds(nodes, node):
                return DOUBTFUL
            place = record + 13 + 8 * side
            previous = reference(pages, place, word >> (25 - 6 * side) & 7)
            following = reference(pages, place + 4, word >> (22 - 6 * side) & 7)
            is_first = flags >> side & 1
            if side == 1 and loop:
                # It is in one chain only; the second side says the same as the first.
                same = previous == reference(pages, record + 13, word >> 25 & 7)
                same = same and following == reference(pages, record + 17, word >> 22 & 7)
                if not same or is_first != flags & 1:
                    return DOUBTFUL
                continue
            chain = LOOP if loop else OUT if side == 0 else IN
            is_dense = holds(dense, node)
            key = kind << 2 | chain if is_dense else -1
            if is_first != 0:
                sums[FIRST] += mixed(node, number, key, 0)
            else:
                sums[LINK] += mixed(node, previous, number, key)
            if following != NONE:
                sums[LINK] -= mixed(node, number, following, key)
            if not is_dense:
                each = mixed(node, 0, 0, 0) | 1
                sums[DEGREE] += each - (each * previous if is_first != 0 else 0)
                continue
            group = _group(group_keys, node, kind)
            if group == NONE:
                return DOUBTFUL
            member = group * 3 + chain
            members[used[MEMBERS]] = member
            used[MEMBERS] += 1
            if is_first != 0 and group_external[member] == 0:
                sums[COUNT] += mixed(node, key, previous, 0)
        own = reference(pages, record + 29, head >> 4)
        if own != NONE:
            heads[used[HEADS]] = own
            used[HEADS] += 1
        used[FOUND] += 1
    return WHOLE


@compiled_part
def _are_labels(field: int, labels: Bytes) -> bool:
    """Tell whether the labels in a record are named, and in order."""
    count, before = field >> _LABEL_BITS, -1
    if count == 0:
        return True
    width = _LABEL_BITS // count
    for step in range(count):
        label = field >> (width * step) & ((1 << width) - 1)
        if label <= before or label >= len(labels) or labels[label] == 0:
            return False
        before = label
    return True


@compiled
def nodes(
    pages: Bytes,
    page_bytes: int,
    first: int,
    stop: int,
    labels: Bytes,
    heads: Numbers,
    dense: Numbers,
    elsewhere: Numbers,
    sums: Numbers,
    used: Numbers,
) -> int:
    """Look at nodes; gives the `heads` of their properties, and the ids of those with groups or labels elsewhere.

    `labels` has a flag for each that is named, and one more that is not set.
    """
    number = first - first % _NODES_PER_PAGE - 1
    for row in range(len(pages) // page_bytes * _NODES_PER_PAGE):
        number += 1
        record = row // _NODES_PER_PAGE * page_bytes + row % _NODES_PER_PAGE * _NODE_BYTES
        head = byte(pages, record)
        if head & 1 == 0 or number < first or number >= stop:
            continue
        begins = reference(pages, record + 1, head >> 1 & 7)
        if byte(pages, record + 14) & 1 != 0:
            dense[used[DENSE]] = number
            used[DENSE] += 1
        elif begins != NONE:
            sums[FIRST] -= mixed(number, begins, -1, 0)
        field = number4(pages, record + 9) | byte(pages, record + 13) << 32
        if field & _LABELS_ELSEWHERE != 0:
            elsewhere[used[ELSEWHERE]] = number
            used[ELSEWHERE] += 1
        elif not _are_labels(field, labels):
            return DOUBTFUL
        own = reference(pages, record + 5, head >> 4)
        if own != NONE:
            heads[used[HEADS]] = own
            used[HEADS] += 1
        used[FOUND] += 1
    return WHOLE
