"""The options of the commands that deal with archives of Neo4j's own."""

from __future__ import annotations

from neokeep.option import ADDRESS, CHOICE, MOMENT, NAME, SWITCH, Option

OPTIONS: tuple[Option, ...] = (
    Option(
        "to_path", ADDRESS,
        "Where to write: a directory or a folder of a storage (a URL as for a repository), where the file is called "
        "after the database; a new file, in a storage one that ends with .dump or .backup; or - for standard output.",
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
    Option(
        "from_source", NAME,
        "The source that the backups are to be of, such as the server whose archives they are. Not set: archives.",
        ("ingest",), in_environment=False, in_file=False,
    ),
    Option(
        "taken_at", MOMENT,
        "When the archive was made; the zone is needed. Not set: what a .backup says of itself; of a dump the time of "
        "its last transaction, else that of the file.",
        ("ingest",), in_environment=False, in_file=False,
    ),
    Option(
        "again", SWITCH, "Ingest an archive that is in the repository already once more.",
        ("ingest",), default="false", in_environment=False, in_file=False,
    ),
)  # fmt: skip
