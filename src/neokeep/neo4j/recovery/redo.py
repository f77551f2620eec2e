"""Redo and undo: the record stores of a directory brought to the state at a transaction of their log.

The log is walked first to see that all of it is understood: nothing is applied in part because of something that is not
known. Then transactions behind the wanted one are taken back, from the last to the first, and those before it are
applied, from the first to the last. Both write whole records, so all of it may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.recovery.log import LogPart, read_parts
from neokeep.neo4j.recovery.pages import StoreFiles
from neokeep.neo4j.recovery.stretches import backward, first_of, forward, last_of, require_understood

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.log.checkpoint import LogPosition
    from neokeep.neo4j.recovery.compiled import Numbers
    from neokeep.neo4j.recovery.stretches import Records


@dataclass(slots=True)
class Redone:
    """What was done. `parts` is the log; `metadata` holds the value of each key of `neostore` that was set."""

    parts: list[LogPart]
    transactions: int = 0
    undone: int = 0
    records: int = 0
    metadata: dict[int, int] = field(default_factory=dict)


def redo(
    store_directory: Path, log_directory: Path, position: LogPosition, *, aligned: bool, last: int | None = None
) -> Redone:
    """Apply the log behind a position to the stores, up to transaction `last`; what they hold of later ones is undone.

    After undoing the log still has to be cut behind `last`, once this is durable: until then it brings all back.

    Raises:
        IntegrityError: the log is damaged, or does not tell what some record was before.
        UnknownCommand: it holds what neokeep does not understand; nothing was written.
    """
    with StoreFiles(store_directory, aligned=aligned) as files:
        return redo_files(files, read_parts(log_directory, position), last=last)


def redo_files(files: StoreFiles, parts: list[LogPart], *, last: int | None = None) -> Redone:
    """Do the same to stores that are open."""
    done = Redone(parts)
    stores, untold = files.table(), _Untold()
    for part in parts:
        require_understood(part, stores)
    split = [part.split(part.last_transaction if last is None else last) for part in parts]
    for _, behind in reversed(split):
        for records in backward(behind, stores):
            _write_back(files, records, untold)
            done.metadata.update((int(key), int(value)) for key, value in records.metadata[::-1])
        done.undone += len(behind.ends)
    for kept, _ in split:
        for records in forward(kept, stores):
            apply(files, records)
            for store in untold.stores:
                untold.know(store, last_of(records, store).ids)
            done.metadata.update((int(key), int(value)) for key, value in records.metadata)
            done.records += len(records.rows)
        done.transactions += len(kept.ends)
    untold.require_none(last)
    return done


class _Untold:
    """Records of which no transaction told so far what they were, by store."""

    def __init__(self) -> None:
        self._ids: dict[Store, set[int]] = {}

    @property
    def stores(self) -> list[Store]:
        return [store for store, ids in self._ids.items() if ids]

    def add(self, store: Store, ids: Numbers) -> None:
        if len(ids):
            self._ids.setdefault(store, set()).update(ids.tolist())

    def know(self, store: Store, ids: Numbers) -> None:
        if self._ids.get(store):
            self._ids[store].difference_update(ids.tolist())

    def require_none(self, last: int | None) -> None:
        for store, ids in self._ids.items():
            if ids:
                raise IntegrityError(
                    f"the log does not tell what record {min(ids)} of {FILES[store]} was at transaction {last}",
                    remedy="Restore to the end of the full backup or later; what was there is as it was.",
                )


def apply(files: StoreFiles, records: Records) -> None:
    """Write what records became in a stretch."""
    for store in _stores_of(records):
        chosen = last_of(records, store)
        files.write(store, chosen.ids, chosen.places, records.out)


def _write_back(files: StoreFiles, records: Records, untold: _Untold) -> None:
    for store in Store:
        chosen = first_of(records, store)
        if len(chosen.ids):
            files.write(store, chosen.ids, chosen.places, records.out)
        untold.know(store, chosen.ids)
        untold.add(store, chosen.unknown)


def _stores_of(records: Records) -> list[Store]:
    return [Store(store) for store in np.unique(records.rows[:, 0]).tolist()]
