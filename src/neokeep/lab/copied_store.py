"""The same graph several times over in one store, for measurements of what only reads record stores.

Pages are copied, and the references in them moved on. There are no indexes, counts or id files, so it is nothing to
give to Neo4j. Labels that are kept in dynamic records, and the rules of the schema, are in the first copy only.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, cast

import numpy as np

from neokeep.consistency.schema import check_schema
from neokeep.consistency.state import State, look_over
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.recovery.meaning import block_longs
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.neo4j.store.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from neokeep.consistency.marks import Marks
    from neokeep.neo4j.store.pages import Batch, Bytes, Flags, Numbers, RecordTable

_COPIED = (Store.NODE, Store.RELATIONSHIP, Store.PROPERTY, Store.GROUP, Store.STRINGS, Store.ARRAYS)
_OF_RULES = (Store.PROPERTY, Store.STRINGS, Store.ARRAYS)
_NONE = 0xFFFFFFFF
_LABELS, _LABELS_ELSEWHERE = slice(9, 14), 0x80
_BLOCKS, _VALUE_BIT = 9, 28


def copy_home(source: Path, target: Path, copies: int) -> None:
    """Make a home whose database `neo4j` holds the graph of a stopped one, in format aligned, so many times."""
    shutil.copytree(source / "conf", target / "conf")
    (target / "lib").symlink_to((source / "lib").resolve())
    shutil.copytree(source / "data" / "transactions" / "neo4j", target / "data" / "transactions" / "neo4j")
    stores = target / "data" / "databases" / "neo4j"
    stores.mkdir(parents=True)
    copy_store(source / "data" / "databases" / "neo4j", stores, copies)


def copy_store(source: Path, target: Path, copies: int) -> None:
    """Write the record stores of a whole store in format aligned to a directory that is there, so many times over."""
    shutil.copy(source / "neostore", target)
    with DirectoryPages(source) as pages:
        reader = GraphReader(pages, aligned=True)
        places = {store: -(-table.count // table.geometry.per_page) for store, table in reader.tables.items()}
        step = {store: count * reader.tables[store].geometry.per_page for store, count in places.items()}
        if max(step.values()) * copies >= _NONE:
            raise ValueError("references of more than 32 bits are not made here")
        rules = _records_of_rules(reader)
        for store, table in reader.tables.items():
            shutil.copy(source / FILES[store], target)
            with (target / FILES[store]).open("ab") as file:
                file.truncate(places[store] * table.geometry.page_bytes)
                for copy in range(1, copies) if store in _COPIED else ():
                    _write_copy(file, table, {other: copy * ids for other, ids in step.items()}, rules)


def _records_of_rules(reader: GraphReader) -> Mapping[Store, Marks]:
    """Find the records of the schema, which copies would have and nothing would lead to."""
    state = State(reader, look_over(reader))
    check_schema(state)
    return {store: cast("Marks", state.met[store]) for store in _OF_RULES}


def _write_copy(file: BinaryIO, table: RecordTable, moves: Mapping[Store, int], rules: Mapping[Store, Marks]) -> None:
    geometry = table.geometry
    for batch in table.batches():
        records = _moved(table.store, batch, moves)
        if table.store in rules:
            records[rules[table.store].has(batch.ids)] = 0
        pages = np.zeros((-(-len(records) // geometry.per_page), geometry.page_bytes), np.uint8)
        whole = np.zeros((len(pages) * geometry.per_page, geometry.record_bytes), np.uint8)
        whole[: len(records)] = records
        pages[:, : geometry.per_page * geometry.record_bytes] = whole.reshape(len(pages), -1)
        file.write(pages.data)


def _moved(store: Store, batch: Batch, moves: Mapping[Store, int]) -> Bytes:
    """Copy records, with all that they refer to moved on."""
    records = np.array(batch.records)
    if store is Store.NODE:
        dense = columns.nodes_in_use(records)[1]
        _move(records, 1, moves[Store.GROUP], dense)
        _move(records, 1, moves[Store.RELATIONSHIP], ~dense)
        _move(records, 5, moves[Store.PROPERTY])
        elsewhere = records[:, 13] & _LABELS_ELSEWHERE != 0
        records[elsewhere, _LABELS] = 0
    elif store is Store.RELATIONSHIP:
        first = columns.relationships(records).is_first
        for side in (0, 1):
            _move(records, 1 + 4 * side, moves[Store.NODE])
            # The first of a chain has the number of relationships in place of the one before it.
            _move(records, 13 + 8 * side, moves[store], ~first[side])
            _move(records, 17 + 8 * side, moves[store])
        _move(records, 29, moves[Store.PROPERTY])
    elif store is Store.GROUP:
        for at, other in ((4, store), (20, Store.NODE), *((at, Store.RELATIONSHIP) for at in (8, 12, 16))):
            _move(records, at, moves[other])
    elif store is Store.PROPERTY:
        _move(records, 1, moves[store])
        _move(records, 5, moves[store])
        _move_values(records, moves)
    else:
        _move(records, 4, moves[store])
    return records


def _move(records: Bytes, at: int, by: int, which: Flags | None = None) -> None:
    """Add to references of four bytes."""
    numbers = np.ascontiguousarray(records[:, at : at + 4]).view(">u4")[:, 0].astype(np.int64)
    moved = numbers != _NONE if which is None else which & (numbers != _NONE)
    numbers[moved] += by
    records[:, at : at + 4] = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)


def _move_values(records: Bytes, moves: Mapping[Store, int]) -> None:
    """Add to what long texts and arrays refer to."""
    longs = columns.properties(records).longs
    behind: Numbers = np.zeros(len(longs), np.int64)
    for place in range(longs.shape[1]):
        first = longs[:, place].astype(np.int64)
        kinds = first >> 24 & 15
        begins = (behind == place) & (kinds != 0)
        behind[begins] += block_longs(first[begins])
        for kind, store in ((Kind.STRING, Store.STRINGS), (Kind.ARRAY, Store.ARRAYS)):
            longs[begins & (kinds == kind), place] += np.uint64(moves[store] << _VALUE_BIT)
    records[:, _BLOCKS:] = longs.astype(">u8").view(np.uint8)
