"""The options of the commands that deal with archives of Neo4j's own."""

from __future__ import annotations

from neokeep.option import ADDRESS, CHOICE, SWITCH, Option

OPTIONS: tuple[Option, ...] = (
    Option(
        "to_path", ADDRESS,
        "Where to write: a directory, where the file is called after the database, a new file of any name, or - for "
        "standard output.",
        ("dump",), in_environment=False, in_file=False,
    ),
    Option(
        "format", CHOICE,
        "A .dump, which every Neo4j loads, or a full .backup artifact with its header, for Neo4j 5.26 and later.",
        ("dump",), default="dump", choices=("dump", "backup"), in_environment=False, in_file=False,
    ),
    Option(
        "info", SWITCH, "Read the archive to its end, tell what it holds and whether it is whole, and load nothing.",
        ("load",), default="false", in_environment=False, in_file=False,
    ),
)  # fmt: skip
