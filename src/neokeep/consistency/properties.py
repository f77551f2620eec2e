"""The pass over properties, chain by chain from their owners, and over the records that no chain met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.state import is_named
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.recovery.meaning import records_in_use
from neokeep.neo4j.store import damage
from neokeep.neo4j.store.blocks import Blocks, Decoder, blocks_of
from neokeep.neo4j.store.chains import property_levels
from neokeep.neo4j.store.records import NONE
from neokeep.neo4j.store.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.consistency.state import State
    from neokeep.neo4j.store.pages import Batch, Numbers

STORE = Store.PROPERTY
_CANNOT_BE_WRONG = (
    Kind.BOOLEAN,
    Kind.BYTE,
    Kind.SHORT,
    Kind.CHARACTER,
    Kind.INTEGER,
    Kind.LONG,
    Kind.FLOAT,
    Kind.DOUBLE,
)
_AT_ONCE = 16 * 1024
"""Owners whose properties are looked at together: their values are held in memory."""


def check_properties(state: State, owners: Numbers, heads: Numbers, what: str) -> None:
    """Check the properties of owners (`what` they are, such as node) by their first records."""
    if not note(state, seen_of(state, heads)):
        check_each(state, owners, heads, what)


def check_each(state: State, owners: Numbers, heads: Numbers, what: str) -> None:
    """Check properties of owners that together are not proven to be whole."""
    for begin in range(0, len(owners), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        if not note(state, seen_of(state, heads[some])):
            _check_some(state, owners[some], heads[some], what)


def seen_of(state: State, heads: Numbers) -> Mapping[Store, Numbers] | None:
    """Prove that the properties of owners are whole: gives their records; None where they are not, or not proven."""
    if not state.compiled:
        return None
    from neokeep.consistency.proof.part import properties_seen

    return properties_seen(state, heads)


def note(state: State, seen: Mapping[Store, Numbers] | None) -> bool:
    """Note the records of owners that are whole, if they are of nobody else, or nothing; tells which."""
    if seen is None or not all(state.met[store].are_new(ids) for store, ids in seen.items()):
        return False
    for store, ids in seen.items():
        state.met[store].mark(ids)
    return True


def _check_some(state: State, owners: Numbers, heads: Numbers, what: str) -> None:
    damages: list[damage.Damage] = []
    before, parts = np.full(len(heads), NONE), []
    for level in property_levels(state.tables[STORE], heads, damages):
        wrong = level.records.previous != before[level.rows]
        state.findings.add_each(
            Code.PROPERTY_PREVIOUS, STORE, level.ids[wrong],
            f"it names {{0}}, and follows {{1}}; it is of {what} {{2}}",
            level.records.previous[wrong], before[level.rows[wrong]], owners[level.rows[wrong]],
        )  # fmt: skip
        before[level.rows] = level.ids
        again = state.met[STORE].mark(level.ids)
        state.findings.add_each(damage.Code.PROPERTY_SHARED, STORE, again, f"it is of a {what} and of something else")
        parts.append(blocks_of(level.rows, level.ids, level.records.longs, damages))
    blocks = Blocks.joined(parts)
    _check_keys(state, blocks, owners, what)
    rest = blocks[~np.isin(blocks.kind, _CANNOT_BE_WRONG)]
    for _ in Decoder(state.tables, met=state.meet).columns(rest, damages):
        pass
    state.findings.add_damages(damages)


def _check_keys(state: State, blocks: Blocks, owners: Numbers, what: str) -> None:
    nameless = blocks[~is_named(state.names(Store.PROPERTY_KEY), blocks.key)]
    state.findings.add_each(
        Code.PROPERTY_KEY, STORE, nameless.record, f"it has key {{0}}; it is of {what} {{1}}",
        nameless.key, owners[nameless.chain],
    )  # fmt: skip
    order = np.argsort(blocks.chain << 24 | blocks.key, kind="stable")
    same = np.diff((blocks.chain << 24 | blocks.key)[order]) == 0
    twice = blocks[order[1:][same]]
    state.findings.add_each(
        Code.PROPERTY_KEY_TWICE,
        STORE,
        twice.record,
        f"{what} {{1}} has key {{0}} twice",
        twice.key,
        owners[twice.chain],
    )


def find_orphans(store: Store, state: State, batch: Batch) -> None:
    """Find records of properties, or dynamic ones, that are in use and that nothing led to."""
    code = Code.PROPERTY_ORPHAN if store is STORE else Code.DYNAMIC_ORPHAN
    orphans = state.met[store].missed(batch.ids[records_in_use(store, batch.records)])
    state.findings.add_each(code, store, orphans, "nothing leads to it")
