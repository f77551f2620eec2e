"""Whether the log behind a full backup fits it: each transaction says what the records that it changed were before.

No checksum can tell that. The log up to the end of the full backup is applied first; until there its files are a
mixture of moments. From there on every record must be what the next transaction says it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.recovery.log import LogPart, read_parts
from neokeep.neo4j.recovery.meaning import different_rows, records_in_use
from neokeep.neo4j.recovery.redo import apply
from neokeep.neo4j.recovery.stretches import before, first_of, forward, require_understood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.image.chain_image import ChainImage
    from neokeep.neo4j.recovery.compiled import Numbers, Rows
    from neokeep.neo4j.recovery.pages import StoreFiles
    from neokeep.neo4j.recovery.stretches import Records

TOGETHER = 4 * 1024 * 1024
"""Bytes of log that are compared and applied together."""


def misfits(image: ChainImage) -> Iterator[tuple[int, str]]:
    """Apply the log of an image; give each transaction that does not fit what is there, with the reason.

    Raises:
        UnknownCommand: the log holds what neokeep does not understand.
        IntegrityError: it is damaged, or a block is missing or damaged.
    """
    parts = read_parts(image.log, image.checkpoint.position)
    split = [part.split(image.chain.base.end.transaction or 0) for part in parts]
    with image.stores() as files:
        stores = files.table()
        for part in parts:
            require_understood(part, stores)
        for within, _ in split:
            _apply(files, within, stores)
        for _, behind in split:
            for group in _groups(behind):
                yield from _misfits_of(files, group, stores)


def _misfits_of(files: StoreFiles, group: LogPart, stores: Rows) -> Iterator[tuple[int, str]]:
    """Compare a group of transactions; where something does not fit, one by one, to find the transaction."""
    if _first_misfit(files, group, stores) is None:
        _apply(files, group, stores)
        return
    rest = group
    while len(rest.ends):
        number = rest.first_transaction
        one, rest = rest.split(number)
        reason = _first_misfit(files, one, stores)
        if reason is not None:
            yield number, reason
        _apply(files, one, stores)


def _apply(files: StoreFiles, part: LogPart, stores: Rows) -> None:
    for records in forward(part, stores):
        apply(files, records)


def _first_misfit(files: StoreFiles, part: LogPart, stores: Rows) -> str | None:
    """Find a record that is not what the transactions of a part say that it was before them."""
    seen: dict[Store, Numbers] = {}
    for records in before(part, stores):
        for store in Store:
            reason = _compare(files, store, records, seen)
            if reason is not None:
                return reason
    return None


def _compare(files: StoreFiles, store: Store, records: Records, seen: dict[Store, Numbers]) -> str | None:
    chosen = first_of(records, store)
    known = seen.get(store)
    # What an earlier stretch told of is not any more what is in the files.
    fresh = np.ones(len(chosen.ids), np.bool_) if known is None else ~np.isin(chosen.ids, known)
    met = np.union1d(chosen.ids, chosen.unknown)
    seen[store] = met if known is None else np.union1d(known, met)
    ids, places = chosen.ids[fresh], chosen.places[fresh]
    if not len(ids):
        return None
    there = files.read(store, ids)
    told = records.out[places[:, None] + np.arange(there.shape[1])]
    used = [records_in_use(store, side) for side in (there, told)]
    different = different_rows(store, there, told, used)
    if not len(different):
        return None
    return f"record {ids[different[0]]} of {FILES[store]} is not what it changed"


def _groups(part: LogPart) -> Iterator[LogPart]:
    """Part transactions into groups of a bounded size, or of one."""
    rest = part
    while len(rest.ends):
        count = max(1, int(np.searchsorted(rest.ends, rest.start + TOGETHER, side="right")))
        group, rest = rest.split(rest.first_transaction + count - 1)
        yield group
