"""The options of the commands that deal with archives of Neo4j's own."""

from __future__ import annotations

from neokeep.option import SWITCH, Option

OPTIONS: tuple[Option, ...] = (
    Option(
        "info", SWITCH, "Read the archive to its end, tell what it holds and whether it is whole, and load nothing.",
        ("load",), default="false", in_environment=False, in_file=False,
    ),
)  # fmt: skip
