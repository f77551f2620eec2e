"""Tables as Parquet files, one each. Open files and the rows that wait are bounded, however many tables there are.

The largest tables have a file open all the time. Rows of the others wait; where too many do, they go to one spill
file. A table is written as a whole as soon as its last row has come, which the survey tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from neokeep.files import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.export.batches import Part
    from neokeep.export.plan import Layout, Table

OPEN_FILES = 48
GROUP_ROWS = 128 * 1024
GROUP_BYTES = 32 * 1024 * 1024
WAITING_BYTES = 128 * 1024 * 1024
_IDS = ("id", "start", "end")


@dataclass(slots=True)
class _Waiting:
    """Rows of a table that are not in its file yet: in memory, and at places of the spill file."""

    seen: int = 0
    bytes: int = 0
    count: int = 0
    rows: list[pa.RecordBatch] = field(default_factory=list)
    spilled: list[tuple[int, int]] = field(default_factory=list)


class ParquetTables:
    """Writes the tables of one layout below a folder; to be closed."""

    suffix = "parquet"

    def __init__(self, layout: Layout, folder: Path) -> None:
        self._layout = layout
        self._folder = folder / layout.side.value
        self._spill_path = folder / f"{layout.side.value}.spill"
        self._spill: Any = None
        self._waiting: dict[int, _Waiting] = {}
        self._bytes = 0
        largest = sorted(range(len(layout.tables)), key=lambda number: -layout.tables[number].rows)
        self._kept = frozenset(largest[:OPEN_FILES])
        self._open: dict[int, parquet.ParquetWriter] = {}
        with explained("write", self._folder):
            self._folder.mkdir()

    def write(self, part: Part) -> None:
        """Take rows of a table."""
        waiting = self._waiting.setdefault(part.table, _Waiting())
        waiting.rows.append(part.rows)
        waiting.seen += part.rows.num_rows
        waiting.count += part.rows.num_rows
        size = part.rows.nbytes
        waiting.bytes += size
        self._bytes += size
        if waiting.seen == self._layout.tables[part.table].rows:
            self._complete(part.table, waiting)
        elif part.table in self._kept and (
            # With as many rows again it would be more than one group.
            waiting.count + part.rows.num_rows > GROUP_ROWS or waiting.bytes >= GROUP_BYTES
        ):
            self._write_group(part.table, waiting)
        while self._bytes > WAITING_BYTES:
            self._make_room()

    @property
    def not_kept(self) -> int:
        """How many values are not in the files."""
        return 0

    def files(self, table: Table) -> tuple[str, ...]:
        """Name the files of a table, below the folder of the export."""
        return (f"{table.side.value}/{table.stem}.{self.suffix}",)

    def close(self) -> None:
        """Close what is open; tables whose rows have not all come stay incomplete."""
        for number in list(self._open):
            self._open.pop(number).close()
        if self._spill is not None:
            self._spill.close()
            self._spill_path.unlink()
            self._spill = None

    def _make_room(self) -> None:
        """Put rows that wait in their files, or in the spill file; most of what takes the most first."""
        order = sorted(self._waiting, key=lambda number: -self._waiting[number].bytes)
        for number in order[: max(1, len(order) // 4)]:
            waiting = self._waiting[number]
            if not waiting.rows:
                continue
            if number in self._kept:
                self._write_group(number, waiting)
            else:
                self._spill_rows(waiting)

    def _write_group(self, number: int, waiting: _Waiting) -> None:
        table = self._layout.tables[number]
        path = self._folder / f"{table.stem}.{self.suffix}"
        with explained("write", path):
            rows = pa.Table.from_batches(self._taken(waiting))
            if number not in self._open:
                self._open[number] = _writer(table, path, rows)
            self._open[number].write_table(rows, row_group_size=GROUP_ROWS)

    def _complete(self, number: int, waiting: _Waiting) -> None:
        """Write a table to its end."""
        table = self._layout.tables[number]
        path = self._folder / f"{table.stem}.{self.suffix}"
        with explained("write", path):
            writer = self._open.pop(number, None)
            try:
                for rows in self._rest(waiting):
                    writer = writer or _writer(table, path, rows)
                    writer.write_table(rows, row_group_size=GROUP_ROWS)
            finally:
                if writer is not None:
                    writer.close()
        del self._waiting[number]

    def _rest(self, waiting: _Waiting) -> Iterator[pa.Table]:
        """Give the rows that wait, those of the spill file first."""
        for offset, length in waiting.spilled:
            self._spill.seek(offset)
            with pa.ipc.open_stream(self._spill.read(length)) as stream:
                yield stream.read_all()
        if waiting.rows:
            yield pa.Table.from_batches(self._taken(waiting))

    def _spill_rows(self, waiting: _Waiting) -> None:
        with explained("write", self._spill_path):
            if self._spill is None:
                self._spill = self._spill_path.open("x+b")
            offset = self._spill.seek(0, 2)
            rows = self._taken(waiting)
            with pa.ipc.new_stream(self._spill, rows[0].schema) as stream:
                for one in rows:
                    stream.write_batch(one)
            waiting.spilled.append((offset, self._spill.tell() - offset))

    def _taken(self, waiting: _Waiting) -> list[pa.RecordBatch]:
        rows, waiting.rows = waiting.rows, []
        self._bytes -= waiting.bytes
        waiting.bytes = waiting.count = 0
        return rows


def _writer(table: Table, path: Path, first: pa.Table) -> parquet.ParquetWriter:
    """Open the file of a table, whose first rows tell which columns are worth a dictionary."""
    schema = table.schema
    ids = [name for name in _IDS if name in schema.names]
    return parquet.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[_leaf(one) for one in schema if one.name not in ids and _repeats(first.column(one.name))],
        column_encoding=dict.fromkeys(ids, "DELTA_BINARY_PACKED"),
        version="2.6",
        store_schema=True,
    )


def _repeats(values: pa.ChunkedArray) -> bool:
    """Tell whether values come more than once, most of them: else a dictionary takes time, and room in the file too."""
    own = pc.list_flatten(values) if pa.types.is_list(values.type) else values
    if pa.types.is_nested(own.type):
        # Only the parts of these would have dictionaries.
        return False
    distinct: int = pc.count_distinct(own).as_py()
    present: int = len(own) - own.null_count
    return 2 * distinct <= present


def _leaf(one: pa.Field) -> str:
    return f"{one.name}.list.element" if pa.types.is_list(one.type) else one.name
