"""The options of the commands that give a graph out: as files, or as answers to SQL."""

from __future__ import annotations

from neokeep.option import CHOICE, COUNT, DIRECTORY, TEXT, Option

OPTIONS: tuple[Option, ...] = (
    Option(
        "to_path", DIRECTORY, "A new or empty directory to write into.",
        ("export",), in_environment=False, in_file=False,
    ),
    Option(
        "format", CHOICE,
        "Parquet; CSV that neo4j-admin database import takes; or JSON, a node or relationship a line.",
        ("export",), default="parquet", choices=("parquet", "csv", "jsonl"), in_environment=False, in_file=False,
    ),
    Option(
        "query", TEXT, "The SQL to run. Not set: what comes from standard input.",
        ("sql",), in_environment=False, in_file=False,
    ),
    Option(
        "limit", COUNT, "Print so many rows at most; that there are more is told.",
        ("sql",), default="10000", in_environment=False, in_file=False,
    ),
)  # fmt: skip
