"""An export: survey, plan, then all rows into the files of a new directory, and the manifest last."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec import json

from neokeep import __version__
from neokeep.errors import IntegrityError
from neokeep.export.batches import read_parts
from neokeep.export.csv import ARGUMENTS, CsvTables, import_arguments
from neokeep.export.entities import Side
from neokeep.export.jsonl import JsonLines
from neokeep.export.kinds import name_of
from neokeep.export.parquet import ParquetTables
from neokeep.export.plan import Layout, plan_side
from neokeep.export.reports import ExportedColumn, ExportedTable, ExportReport
from neokeep.export.schema import Names, Statements, statements_of
from neokeep.export.survey import survey
from neokeep.export.target import new_target
from neokeep.files import explained
from neokeep.neo4j.recovery.layout import FILES, Store

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.export.batches import Part
    from neokeep.export.plan import Table
    from neokeep.export.target import Target
    from neokeep.graph.opened import OpenedStore
    from neokeep.graph.subject import Subject
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.progress import Progress


class Writer(Protocol):
    """Writes the tables of one layout."""

    def __init__(self, layout: Layout, folder: Path) -> None: ...

    def write(self, part: Part) -> None:
        """Take rows of a table."""

    def files(self, table: Table) -> tuple[str, ...]:
        """Name the files of a table, below the folder of the export."""

    def close(self) -> None:
        """Close what is open."""

    @property
    def not_kept(self) -> int:
        """How many values the format cannot hold."""


FORMAT_VERSION = 1
WRITERS: dict[str, type[Writer]] = {"parquet": ParquetTables, "csv": CsvTables, "jsonl": JsonLines}
TOLD = 100
"""Damages that the manifest lists."""


def export(subject: Subject, path: Path, file_format: str, *, progress: Progress) -> ExportReport:
    """Write the graph of a subject into a new directory, as tables in a format of WRITERS.

    Raises:
        UsageError: the directory is not empty.
        SpaceError, AccessError: it cannot be written.
        LockedError, RepositoryError, SourceError, IntegrityError: the graph cannot be read, see Subject.opened.
    """
    began = time.monotonic()
    with new_target(path) as target:
        # The report is made, and the manifest written, only when the store was closed: that is when a server that was
        # started meanwhile is noticed.
        with subject.opened(progress) as store:
            made = _write(store, target, file_format, jobs=subject.jobs, progress=progress)
        report = _report(store, target, file_format, made, seconds=round(time.monotonic() - began, 3))
        target.finish(json.format(json.encode(report), indent=2) + b"\n")
    return report


@dataclass(frozen=True, slots=True)
class _Made:
    tables: tuple[ExportedTable, ...]
    statements: Statements
    damages: tuple[Damage, ...]
    not_kept: int


def _write(store: OpenedStore, target: Target, file_format: str, *, jobs: int, progress: Progress) -> _Made:
    reader = store.reader()
    damages: list[Damage] = []
    names = Names(*(reader.tokens(one) for one in (Store.LABEL, Store.TYPE, Store.PROPERTY_KEY)))
    statements = statements_of(reader.schema_rules(damages), names)
    schema = target.stage / "schema.cypher"
    with explained("write", schema):
        schema.write_text(statements.text, encoding="utf-8")
    tables: list[ExportedTable] = []
    not_kept = 0
    for side in Side:
        layout = planned(reader, side, jobs=jobs, progress=progress)
        writer = WRITERS[file_format](layout, target.stage)
        rows = 0
        progress.begin(f"writing the {side.value}", _bytes(reader, side))
        try:
            for part in read_parts(reader, layout, damages, jobs=jobs, progress=progress):
                writer.write(part)
                rows += part.rows.num_rows
        finally:
            writer.close()
            progress.end()
        if rows != sum(table.rows for table in layout.tables):
            raise IntegrityError("the store changed while it was read", remedy="See that no server runs on it.")
        not_kept += writer.not_kept
        tables += [_told(table, writer.files(table)) for table in layout.tables]
    if file_format == "csv":
        files = {side: [name for one in tables if one.kind == side.value for name in one.files] for side in Side}
        arguments = target.stage / ARGUMENTS
        with explained("write", arguments):
            arguments.write_text(import_arguments(files), encoding="utf-8")
    return _Made(tuple(tables), statements, (*reader.token_damages, *damages), not_kept)


def planned(reader: GraphReader, side: Side, *, jobs: int, progress: Progress) -> Layout:
    """Survey nodes or relationships, and plan their tables."""
    surveyed = survey(reader, side, jobs=jobs, progress=progress)
    return plan_side(side, surveyed, reader.tokens(side.tokens), reader.tokens(Store.PROPERTY_KEY))


def _bytes(reader: GraphReader, side: Side) -> int:
    table = reader.tables[side.store]
    return table.count * table.geometry.record_bytes


def _told(table: Table, files: tuple[str, ...]) -> ExportedTable:
    columns = tuple(
        ExportedColumn(name=one.name, key=one.key_name, type=name_of(one.kind), values=one.values)
        for one in table.columns
    )
    return ExportedTable(kind=table.side.value, names=table.names, files=files, rows=table.rows, columns=columns)


def _report(store: OpenedStore, target: Target, file_format: str, made: _Made, *, seconds: float) -> ExportReport:
    rows = {side: sum(table.rows for table in made.tables if table.kind == side.value) for side in Side}
    return ExportReport(
        format=file_format,
        format_version=FORMAT_VERSION,
        neokeep_version=__version__,
        subject=store.subject,
        database=store.database,
        label=store.label,
        last_transaction=store.last_transaction,
        path=str(target.path),
        nodes=rows[Side.NODES],
        relationships=rows[Side.RELATIONSHIPS],
        properties=sum(column.values for table in made.tables for column in table.columns),
        tables=made.tables,
        constraints=len(made.statements.constraints),
        indexes=len(made.statements.indexes),
        not_kept=made.not_kept,
        schema_left_out=made.statements.not_written,
        size_bytes=target.size,
        whole=not made.damages,
        damaged=len(made.damages),
        damages=tuple(f"{one.code}: {FILES[one.store]} {one.record}: {one.detail}" for one in made.damages[:TOLD]),
        seconds=seconds,
    )
