"""Tables as CSV that Neo4j's importer takes: a header and a file for each, and the arguments of the importer.

A column of a header has one type, so a table in which a key has values of several types has a file for each mixture of
types. Texts are always quoted: an empty one is a text, and nothing between two commas is a property that is not there.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from neokeep.errors import UsageError
from neokeep.export.entities import Side
from neokeep.export.kinds import EMPTY_LIST, LIST, Type
from neokeep.export.words import words_of
from neokeep.files import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from neokeep.export.batches import Part
    from neokeep.export.plan import Column, Layout, Table

SEPARATOR = "\x1f"
"""Stands between the elements of a list: a character that texts hardly ever have."""

ARGUMENTS = "import.args"
_TYPES = {
    Type.BOOLEAN: "boolean",
    Type.INTEGER: "long",
    Type.FLOAT: "double",
    Type.STRING: "string",
    Type.BYTES: "byte[]",
    Type.POINT: "point",
    Type.DATE: "date",
    Type.LOCAL_TIME: "localtime",
    Type.ZONED_TIME: "time",
    Type.LOCAL_DATETIME: "localdatetime",
    Type.ZONED_DATETIME: "datetime",
    Type.DURATION: "duration",
    Type.FAR_DATE: "date",
    Type.FAR_LOCAL_DATETIME: "localdatetime",
    Type.FAR_ZONED_DATETIME: "datetime",
}
_OWN = {Side.NODES: (":ID", ":LABEL"), Side.RELATIONSHIPS: (":START_ID", ":END_ID", ":TYPE")}
_NOT_IN_HEADERS = frozenset(":{}")
_NATIVE = (Type.BOOLEAN, Type.INTEGER, Type.STRING)
Mixture = tuple[int, ...]


class CsvTables:
    """Writes the tables of one layout below a folder; files are open only while rows are added to them."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        self._layout = layout
        self._folder = folder / layout.side.value
        self._files: dict[int, dict[Mixture, str]] = {}
        self._not_kept = 0
        self._numbers = {table.stem: number for number, table in enumerate(layout.tables)}
        for table in layout.tables:
            _require_plain(table)
        with explained("write", self._folder):
            self._folder.mkdir()

    def write(self, part: Part) -> None:
        """Take rows of a table."""
        table = self._layout.tables[part.table]
        for mixture, rows in _mixtures(table, part.rows):
            name = self._file(part.table, mixture)
            columns = _columns(table, mixture)
            text = _as_text(table, columns, rows)
            self._not_kept += _empty_lists(columns, text)
            content = BytesIO()
            options = csv.WriteOptions(include_header=False, quoting_style="needed")
            csv.write_csv(text, content, options)
            path = self._folder / f"{name}.csv"
            with explained("write", path), path.open("ab") as file:
                file.write(content.getbuffer())

    def files(self, table: Table) -> tuple[str, ...]:
        """Name the files of a table, below the folder of the export; each has a header beside it."""
        known = self._files.get(self._numbers[table.stem], {})
        return tuple(f"{table.side.value}/{name}.csv" for name in known.values())

    def close(self) -> None:
        """Nothing is held back."""

    @property
    def not_kept(self) -> int:
        """How many values are not in the files: the importer takes an empty list for none."""
        return self._not_kept

    def _file(self, number: int, mixture: Mixture) -> str:
        """Name the file for a mixture of types; its header is written when it is new."""
        table, known = self._layout.tables[number], self._files.setdefault(number, {})
        if mixture not in known:
            known[mixture] = table.stem if not known else f"{table.stem}~~{len(known) + 1}"
            fields = [*_OWN[table.side], *(f"{one.key_name}:{_type(one.kind)}" for one in _columns(table, mixture))]
            path = self._folder / f"{known[mixture]}.header.csv"
            with explained("write", path):
                path.write_text(",".join(map(_quoted, fields)) + "\n", encoding="utf-8")
        return known[mixture]


def import_arguments(files: Mapping[Side, Iterable[str]]) -> str:
    """Write the arguments for the importer, one a line; paths are relative to the export."""
    groups = [
        f"--{side.value}={name.removesuffix('.csv')}.header.csv,{name}"
        for side, names in files.items()
        for name in names
    ]
    options = ["--id-type=INTEGER", f"--array-delimiter=U+{ord(SEPARATOR):04X}", "--multiline-fields=true"]
    return "".join(f"{one}\n" for one in [*groups, *options])


def _require_plain(table: Table) -> None:
    for column in table.columns:
        if _NOT_IN_HEADERS & set(column.key_name):
            raise UsageError(
                f"headers of CSV cannot have the property key {column.key_name!r}",
                remedy="Export as parquet or jsonl; or rename the key.",
            )


def _mixtures(table: Table, rows: pa.RecordBatch) -> Iterable[tuple[Mixture, pa.RecordBatch]]:
    """Part rows by which columns of a key of several types they use; of a key that a row has not, the first."""
    several = _several(table)
    if not several:
        return [((), rows)]
    used = np.zeros((rows.num_rows, len(several)), np.int64)
    for place, names in enumerate(several):
        for number, name in enumerate(names):
            used[np.array(rows.column(name).is_valid()), place] = number
    mixtures, own = np.unique(used, axis=0, return_inverse=True)
    parts = ((tuple(one), np.flatnonzero(own.reshape(-1) == number)) for number, one in enumerate(mixtures.tolist()))
    return [(mixture, rows.take(pa.array(places))) for mixture, places in parts]


def _several(table: Table) -> list[list[str]]:
    by_key: dict[int, list[str]] = {}
    for column in table.columns:
        by_key.setdefault(column.key, []).append(column.name)
    return [names for names in by_key.values() if len(names) > 1]


def _columns(table: Table, mixture: Mixture) -> list[Column]:
    unused = {
        name
        for names, used in zip(_several(table), mixture, strict=True)
        for number, name in enumerate(names)
        if number != used
    }
    return [column for column in table.columns if column.name not in unused]


def _as_text(table: Table, columns: list[Column], rows: pa.RecordBatch) -> pa.RecordBatch:
    if table.side is Side.NODES:
        labels = _joined(table.names, "the name of a label")
        own = [rows.column("id"), pa.array([labels or None] * rows.num_rows, pa.string())]
    else:
        own = [rows.column("start"), rows.column("end"), pa.array([table.names[0]] * rows.num_rows, pa.string())]
    arrays = [*own, *(_texts(column.kind, rows.column(column.name)) for column in columns)]
    return pa.RecordBatch.from_arrays(arrays, [str(number) for number in range(len(arrays))])


def _empty_lists(columns: list[Column], text: pa.RecordBatch) -> int:
    first = text.num_columns - len(columns)
    lists = [place for place, one in enumerate(columns, first) if one.kind >= LIST or one.kind == Type.BYTES]
    return sum(pc.sum(pc.equal(text.column(place), "")).as_py() or 0 for place in lists)


def _texts(kind: int, array: pa.Array) -> pa.Array:
    """Give a column as Arrow writes it, or as texts."""
    if kind in _NATIVE:
        return array
    if kind == Type.FLOAT:
        return array if pc.all(pc.is_finite(array)).as_py() is not False else pa.array(map(_word, array.to_pylist()))
    if kind >= LIST or kind == Type.BYTES:
        what = "a text in a list"
        lists = words_of(kind, array)
        return pa.array([None if one is None else _joined(map(_word, one), what) for one in lists], pa.string())
    return pa.array(map(_word, words_of(kind, array)), pa.string())


def _word(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).replace("inf", "Infinity").replace("nan", "NaN")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}:{one}" for name, one in value.items()) + "}"
    return None if value is None else str(value)


def _joined(words: Iterable[str | None], what: str) -> str:
    own = [word or "" for word in words]
    if any(SEPARATOR in word for word in own):
        raise UsageError(
            f"{what} has the character U+{ord(SEPARATOR):04X}, which separates elements in CSV",
            remedy="Export as parquet or jsonl.",
        )
    return SEPARATOR.join(own)


def _type(kind: int) -> str:
    if kind == EMPTY_LIST:
        return "string[]"
    return f"{_TYPES[Type(kind - LIST)]}[]" if kind > LIST else _TYPES[Type(kind)]


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if set(field) & set('",\n\r') else field
