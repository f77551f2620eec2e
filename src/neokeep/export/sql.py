"""SQL over a graph where it lies: DuckDB asks, and the store is read for it. Nothing else of the machine is reachable.

The work directory of DuckDB, for what does not fit into memory, is in scratch and gone at the end.
"""

from __future__ import annotations

import math
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from neokeep.errors import UsageError
from neokeep.export.dataset import GraphDataset, Met, views_of
from neokeep.export.entities import Side
from neokeep.export.reports import SqlReport
from neokeep.export.survey import survey
from neokeep.export.words import clock_text, date_text, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.graph.opened import OpenedStore
    from neokeep.graph.subject import Subject
    from neokeep.progress import Progress

_REMEDY = "The views are nodes, relationships, and one for each label and type: SHOW TABLES, DESCRIBE nodes."
_LOCKED = """
SET python_enable_replacements = false;
SET enable_external_access = false;
SET lock_configuration = true;
"""
_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_SECOND = 10**9


def run_sql(subject: Subject, query: str, *, limit: int, progress: Progress) -> SqlReport:
    """Run SQL over the graph of a subject, and give at most `limit` rows of the answer.

    Raises:
        UsageError: DuckDB does not take the query; the message is its own.
        LockedError, RepositoryError, SourceError, IntegrityError: the graph cannot be read, see Subject.opened.
    """
    began = time.monotonic()
    with subject.opened(progress) as store:
        met = Met()
        with _connected(store, subject, met, progress) as connection:
            columns, types, rows = _asked(connection, query, limit, met)
    return SqlReport(
        subject=store.subject,
        database=store.database,
        label=store.label,
        last_transaction=store.last_transaction,
        columns=columns,
        types=types,
        rows=tuple(rows[:limit]),
        truncated=len(rows) > limit,
        damaged=len(met.damages),
        seconds=round(time.monotonic() - began, 3),
    )


@contextmanager
def _connected(
    store: OpenedStore, subject: Subject, met: Met, progress: Progress
) -> Iterator[duckdb.DuckDBPyConnection]:
    reader = store.reader()
    surveyed = {side: survey(reader, side, jobs=subject.jobs, progress=progress) for side in Side}
    with tempfile.TemporaryDirectory(prefix="neokeep-sql-", dir=subject.scratch) as folder:
        connection = duckdb.connect(config={"temp_directory": folder, "threads": str(subject.jobs)})
        try:
            for name, layout in views_of(reader, surveyed):
                connection.register(name, GraphDataset(reader, layout, subject.jobs, met))
            connection.execute(_LOCKED)
            yield connection
        finally:
            connection.close()


def _asked(
    connection: duckdb.DuckDBPyConnection, query: str, limit: int, met: Met
) -> tuple[tuple[str, ...], tuple[str, ...], list[tuple[Any, ...]]]:
    try:
        answer = connection.sql(query)
        if answer is None:
            return (), (), []
        names, types = tuple(answer.columns), tuple(str(kind) for kind in answer.types)
        reader = answer.to_arrow_reader(1024)
        rows: list[tuple[Any, ...]] = []
        for batch in reader:
            rows += zip(*(cells(column) for column in batch.columns), strict=True)
            if len(rows) > limit:
                break
    except (duckdb.Error, pa.ArrowException) as problem:
        if met.failures:
            raise met.failures[0] from problem
        raise UsageError(f"DuckDB does not take the query: {problem}", remedy=_REMEDY) from problem
    return names, types, rows


def cells(array: pa.Array) -> list[Any]:
    """Give values as JSON has them: times as text of ISO 8601 with all their digits, bytes in hexadecimal."""
    kind = array.type
    if pa.types.is_date32(kind):
        return [None if days is None else date_text(days) for days in array.cast(pa.int32()).to_pylist()]
    if pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        numbers = array.cast(width).to_pylist()
        return [None if number is None else _time(kind, number * _UNITS[kind.unit]) for number in numbers]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [None if one.values is None else cells(one.values) for one in array]
    if pa.types.is_struct(kind):
        columns = {field.name: cells(array.field(field.name)) for field in kind}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return [row if one.is_valid else None for row, one in zip(rows, array, strict=True)]
    return [_cell(value) for value in array.to_pylist()]


def _time(kind: pa.DataType, nanoseconds: int) -> str:
    if pa.types.is_time(kind):
        return clock_text(nanoseconds)
    return moment_text(*divmod(nanoseconds, _SECOND)) + ("Z" if kind.tz else "")


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
