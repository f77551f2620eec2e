"""Parquet files: groups of rows that are as full as can be, and dictionaries where values come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from neokeep.export import parquet
from neokeep.export.batches import Part
from neokeep.export.entities import Side
from neokeep.export.kinds import LIST, Type
from neokeep.export.parquet import ParquetTables
from neokeep.export.plan import plan_side
from neokeep.export.survey import Surveyed

if TYPE_CHECKING:
    from pathlib import Path

ROWS, AT_ONCE = 1000, 60


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[pa.Table, pq.ParquetFile]:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 128)
    values = {(0, int(Type.INTEGER)): ROWS, (1, int(Type.STRING)): ROWS, (2, LIST + Type.STRING): ROWS}
    layout = plan_side(Side.NODES, {(0,): Surveyed(ROWS, values)}, {0: "Person"}, {0: "born", 1: "mail", 2: "tags"})
    rows = pa.table(
        {
            "id": range(ROWS),
            "labels": [["Person"]] * ROWS,
            "born": [1930 + number % 7 for number in range(ROWS)],
            "mail": [f"{number}@example.org" for number in range(ROWS)],
            "tags": [["first", "second"], None] * (ROWS // 2),
        },
        layout.tables[0].schema,
    )
    tables = ParquetTables(layout, tmp_path)
    for batch in rows.to_batches(AT_ONCE):
        tables.write(Part(0, batch))
    tables.close()
    return rows, pq.ParquetFile(tmp_path / "nodes" / "Person.parquet")


def test_rows_come_back_as_they_were(written: tuple[pa.Table, pq.ParquetFile]) -> None:
    rows, file = written
    assert file.read().equals(rows)


def test_groups_are_filled_with_whole_batches(written: tuple[pa.Table, pq.ParquetFile]) -> None:
    held = written[1].metadata
    sizes = [held.row_group(number).num_rows for number in range(held.num_row_groups)]
    assert sizes == [2 * AT_ONCE] * (ROWS // (2 * AT_ONCE)) + [ROWS % (2 * AT_ONCE)]


def test_only_columns_whose_values_come_again_have_dictionaries(written: tuple[pa.Table, pq.ParquetFile]) -> None:
    group = written[1].metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    with_dictionary = {one.path_in_schema.split(".")[0] for one in columns if one.has_dictionary_page}
    assert with_dictionary == {"labels", "born", "tags"}
