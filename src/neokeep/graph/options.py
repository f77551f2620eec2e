"""The options of the commands that read graphs, which say what is read."""

from __future__ import annotations

from neokeep.option import ADDRESS, Option


def of_graphs(commands: tuple[str, ...]) -> tuple[Option, ...]:
    """Make the options, which these commands take."""
    return (
        Option(
            "archive", ADDRESS,
            "Read the database in an archive of Neo4j's own, a .dump or a full .backup: a path, a URL as for a "
            "repository, or - for standard input. It is unpacked in scratch.",
            commands, in_environment=False, in_file=False,
        ),
    )  # fmt: skip
