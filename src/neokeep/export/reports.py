"""What `export` and `sql` return; the rules are those of reports.py."""

from __future__ import annotations

from typing import Any

import msgspec


class ExportedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of values: the property key it is of, the type in Cypher's words, and how many values it has."""

    name: str
    key: str
    type: str
    values: int


class ExportedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table: of `nodes` with exactly these labels, or of `relationships` of this type.

    `files` are below the directory of the export.
    """

    kind: str
    names: tuple[str, ...]
    files: tuple[str, ...]
    rows: int
    columns: tuple[ExportedColumn, ...]


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `export`, which is also the `manifest.json` that is written last.

    `label` is that of the backup; `last_transaction` the last one of the log that was applied first, for a backup and
    for a database that was not stopped in order. Else they are null. `whole` is false where the graph is damaged:
    `damages` are its first 100 damages of `damaged`, and what they name is missing. `schema_left_out` are the names of
    constraints and indexes that schema.cypher does not make. `not_kept` counts values that the format cannot hold:
    empty lists in CSV.
    """

    format: str
    format_version: int
    neokeep_version: str
    subject: str
    database: str
    label: str | None
    last_transaction: int | None
    path: str
    nodes: int
    relationships: int
    properties: int
    tables: tuple[ExportedTable, ...]
    constraints: int
    indexes: int
    not_kept: int
    schema_left_out: tuple[str, ...]
    size_bytes: int
    whole: bool
    damaged: int
    damages: tuple[str, ...]
    seconds: float


class SqlReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `sql`: the names and types of the columns, and the rows.

    `truncated` is true where there are more rows than `--limit`. `damaged` counts what could not be read of the graph
    on the way: values that are missing.
    """

    subject: str
    database: str
    label: str | None
    last_transaction: int | None
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    damaged: int
    seconds: float
