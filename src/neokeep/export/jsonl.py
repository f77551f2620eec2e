"""Nodes and relationships as JSON, one a line, in two files, with the shape of `apoc.export.json`.

What JSON has no type for is text, as words.py writes it; numbers that are not finite are "NaN", "Infinity" and
"-Infinity".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import json

from neokeep.export.entities import Side
from neokeep.export.words import words_of
from neokeep.files import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.export.batches import Part
    from neokeep.export.plan import Layout, Table


class JsonLines:
    """Writes the rows of all tables of one layout into one file; to be closed."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        self._layout = layout
        self._path = folder / f"{layout.side.value}.jsonl"
        with explained("write", self._path):
            self._file = self._path.open("xb")

    def write(self, part: Part) -> None:
        """Take rows of a table."""
        table = self._layout.tables[part.table]
        content = json.Encoder().encode_lines(lines(table, part.rows))
        with explained("write", self._path):
            self._file.write(content)

    @property
    def not_kept(self) -> int:
        """How many values are not in the files."""
        return 0

    def files(self, table: Table) -> tuple[str, ...]:
        """Name the file, below the folder of the export."""
        return (f"{table.side.value}.jsonl",)

    def close(self) -> None:
        """Close the file."""
        with explained("write", self._path):
            self._file.close()


def lines(table: Table, rows: Any) -> Iterator[dict[str, Any]]:
    """Give the document of each row."""
    columns = [(one.key_name, words_of(one.kind, rows.column(one.name))) for one in table.columns]
    ids = rows.column("id").to_pylist()
    if table.side is Side.NODES:
        heads: Iterator[dict[str, Any]] = ({"type": "node", "id": str(number), "labels": table.names} for number in ids)
    else:
        heads = (
            {
                "type": "relationship",
                "id": str(number),
                "label": table.names[0],
                "start": {"id": str(start)},
                "end": {"id": str(end)},
            }
            for number, start, end in zip(
                ids, rows.column("start").to_pylist(), rows.column("end").to_pylist(), strict=True
            )
        )
    for row, head in enumerate(heads):
        own = {key: _finite(values[row]) for key, values in columns if values[row] is not None}
        yield {**head, "properties": own} if own else head


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return {name: _finite(one) for name, one in value.items()} if isinstance(value, dict) else value
