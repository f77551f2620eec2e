"""What is exported: tables with their columns, made of what the survey has found. Pure.

A key whose values are of one type in a table has a column with its name. Where they are of several, each type has a
column, `key__type`, and none has the plain name: nobody shall take a part of the values for all of them. Empty lists
stand with the other lists of their key.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from neokeep.export.entities import Side, Tokens
from neokeep.export.kinds import EMPTY_LIST, LIST, arrow_type, name_of
from neokeep.export.properties import slot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neokeep.export.survey import Surveyed
    from neokeep.neo4j.store.pages import Numbers

OWN = {Side.NODES: ("id", "labels"), Side.RELATIONSHIPS: ("id", "start", "end")}
"""The columns that are no properties."""

_OWN_TYPES = {"labels": pa.list_(pa.string()), "type": pa.string()}
_LONGEST_NAME = 180


@dataclass(frozen=True, slots=True)
class Column:
    """A column of values: the key by id and name, its type, and how many values it has."""

    name: str
    key: int
    key_name: str
    kind: int
    values: int
    with_empty_lists: bool = False

    @property
    def kinds(self) -> tuple[int, ...]:
        """The types of values that stand in it."""
        return (self.kind, EMPTY_LIST) if self.with_empty_lists else (self.kind,)

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        return arrow_type(self.kind)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `names` are its labels or its type, `stem` what its file is called, `own` the columns of no property."""

    side: Side
    names: tuple[str, ...]
    stem: str
    rows: int
    columns: tuple[Column, ...]
    own: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema; each field of a property says which key it is of."""
        own = [pa.field(name, _OWN_TYPES.get(name, pa.int64())) for name in self.own]
        fields = [
            pa.field(one.name, one.type, metadata={"neo4j_key": one.key_name, "neo4j_type": name_of(one.kind)})
            for one in self.columns
        ]
        return pa.schema(own + fields)


@dataclass(frozen=True, slots=True)
class Layout:
    """All tables of nodes or of relationships, and where each value goes.

    `numbers` tell the table of each label set or type, `words` what it is called. `slots` are sorted, see
    properties.slots_of; `table` and `column` tell of each where its values stand.
    """

    side: Side
    tables: tuple[Table, ...]
    numbers: Mapping[Tokens, int]
    words: Mapping[Tokens, tuple[str, ...]]
    slots: Numbers
    kinds: Numbers
    table: Numbers
    column: Numbers


def plan_side(
    side: Side, surveyed: Mapping[Tokens, Surveyed], names: Mapping[int, str], keys: Mapping[int, str]
) -> Layout:
    """Plan the tables of nodes or relationships; `names` are those of labels or types, `keys` of property keys."""
    words = {tokens: tuple(sorted(_named(names, one) for one in tokens)) for tokens in surveyed}
    ordered = sorted(surveyed, key=lambda tokens: (words[tokens], tokens))
    used: set[str] = set()
    tables = [
        Table(
            side,
            words[tokens],
            _unused(stem_of(words[tokens]), used),
            surveyed[tokens].rows,
            plan_columns(surveyed[tokens].values, keys, OWN[side]),
            OWN[side],
        )
        for tokens in ordered
    ]
    return _layout(side, tables, {tokens: number for number, tokens in enumerate(ordered)}, words)


def plan_view(
    side: Side,
    name: str,
    surveyed: Mapping[Tokens, Surveyed],
    names: Mapping[int, str],
    keys: Mapping[int, str],
) -> Layout:
    """Plan one table for all of these label sets or types; relationships have their type in it."""
    values: Counter[tuple[int, int]] = Counter()
    for one in surveyed.values():
        values.update(one.values)
    own = OWN[side] if side is Side.NODES else (*OWN[side], "type")
    rows = sum(one.rows for one in surveyed.values())
    table = Table(side, (name,), name, rows, plan_columns(values, keys, own), own)
    words = {tokens: tuple(sorted(_named(names, one) for one in tokens)) for tokens in surveyed}
    return _layout(side, [table], dict.fromkeys(surveyed, 0), words)


def _layout(
    side: Side, tables: list[Table], numbers: Mapping[Tokens, int], words: Mapping[Tokens, tuple[str, ...]]
) -> Layout:
    slots = [
        (slot_of(number, column.key, kind), kind, number, place)
        for number, table in enumerate(tables)
        for place, column in enumerate(table.columns)
        for kind in column.kinds
    ]
    found = np.ascontiguousarray(np.array(sorted(slots), np.int64).reshape(-1, 4).T)
    return Layout(side, tuple(tables), numbers, words, found[0], found[1], found[2], found[3])


def plan_columns(
    values: Mapping[tuple[int, int], int], keys: Mapping[int, str], taken: Iterable[str]
) -> tuple[Column, ...]:
    """Plan the columns of a table by the number of values of each key and type; names in `taken` are not given."""
    kinds: dict[int, list[int]] = {}
    for key, kind in sorted(values):
        kinds.setdefault(key, []).append(kind)
    used = {name.lower() for name in taken}
    columns = []
    for key in sorted(kinds, key=lambda key: (_named(keys, key, "key"), key)):
        name, own = _named(keys, key, "key"), kinds[key]
        lists = [kind for kind in own if kind > LIST]
        folded = EMPTY_LIST in own and bool(lists)
        for kind in own:
            if kind == EMPTY_LIST and folded:
                continue
            several = len(own) - folded > 1
            count, with_empty = values[key, kind], folded and kind == lists[0]
            if with_empty:
                count += values[key, EMPTY_LIST]
            wanted = f"{name}__{name_of(kind)}" if several else name
            if wanted.lower() in used and not several:
                wanted = f"{name}__property"
            columns.append(Column(_unused(wanted, used), key, name, kind, count, with_empty))
    return tuple(columns)


def stem_of(names: tuple[str, ...]) -> str:
    """Name the file of a table so that every file system takes it, and no two tables share a name by chance."""
    if not names:
        return "no.labels"
    stem = "~".join(
        "".join(one if one.isalnum() or one in "_-" else _escaped(one) for one in name) or "%" for name in names
    )
    if len(stem.encode()) > _LONGEST_NAME:
        digest = hashlib.blake2b(stem.encode(), digest_size=8).hexdigest()
        stem = f"{stem.encode()[:_LONGEST_NAME].decode(errors='ignore')}~{digest}"
    return stem


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _unused(name: str, used: set[str]) -> str:
    """Give a name that no other has, also where case does not count; databases of tables are like that."""
    found, number = name, 2
    while found.lower() in used:
        found, number = f"{name}__{number}", number + 1
    used.add(found.lower())
    return found


def _named(names: Mapping[int, str], token: int, word: str = "token") -> str:
    """Name a token; one that is damaged by its number."""
    return names.get(token, f"{word} {token}")
