"""The options of the commands that read graphs, which say what is read."""

from __future__ import annotations

from neokeep.option import ADDRESS, SWITCH, Option


def of_graphs(commands: tuple[str, ...]) -> tuple[Option, ...]:
    """Make the options, of which these commands take those that say what is read."""
    return (
        Option(
            "archive", ADDRESS,
            "Read the database in an archive of Neo4j's own, a .dump or a full .backup: a path, a URL as for a "
            "repository, or - for standard input. It is unpacked in scratch.",
            commands, in_environment=False, in_file=False,
        ),
        Option(
            "as_is", SWITCH,
            "Look at what lies there, without the log that is not in it yet, and tell which findings are gone "
            "once it is applied. For stopped databases and archives.",
            ("check-consistency",), default="false", in_environment=False, in_file=False,
        ),
    )  # fmt: skip
