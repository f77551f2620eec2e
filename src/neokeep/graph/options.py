"""The options of the commands that read graphs, which say what is read."""

from __future__ import annotations

from neokeep.option import ADDRESS, SWITCH, Option

CHECKED: tuple[Option, ...] = (
    Option(
        "check", SWITCH,
        "Check then whether the graph in each backup is whole, as check-consistency does; one that is not is kept.",
        ("backup",), default="false",
    ),
    Option(
        "require_consistent", SWITCH,
        "Let no full backup that was found not to be consistent take the place of another: rules keep what they would "
        "keep without it, too, and the newest that was found consistent stays.",
        ("expire",), default="false",
    ),
)  # fmt: skip
"""What other commands make of checks."""


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
