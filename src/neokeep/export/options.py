"""The options of the commands that give a graph out as files."""

from __future__ import annotations

from neokeep.option import CHOICE, DIRECTORY, Option

OPTIONS: tuple[Option, ...] = (
    Option(
        "to_path", DIRECTORY, "A new or empty directory to write into.",
        ("export",), in_environment=False, in_file=False,
    ),
    Option(
        "format", CHOICE,
        "What to write.",
        ("export",), default="parquet", choices=("parquet",), in_environment=False, in_file=False,
    ),
)  # fmt: skip
