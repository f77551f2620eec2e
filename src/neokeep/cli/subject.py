"""From a command line to what a command reads the graph of: the options that all such commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.cli.command import Argument
from neokeep.errors import UsageError
from neokeep.storage.place import Place

if TYPE_CHECKING:
    from neokeep.cli.command import Call
    from neokeep.graph.subject import Subject

DATABASE = Argument(
    "database",
    "DATABASE",
    "The database; of a repository, by the name that it had there. Needed, but with --archive: that holds just one.",
    required=False,
)
"""The argument that all such commands take."""

_OF_A_REPOSITORY = ("backup", "from_source")


def subject_of(call: Call, *, as_is: bool = False) -> Subject:
    """Take the database of --home, or that of the repository where that is meant, or the archive.

    Without its log where the command was told to read it `as_is`.
    """
    from neokeep import api

    settings = call.settings
    database, archive = call.argument("database") or None, settings.text("archive")
    given = [f"--{name.replace('_', '-')}" for name in _OF_A_REPOSITORY if settings.values[name] is not None]
    if archive is not None:
        if given:
            raise UsageError(f"--archive and {given[0]} name two things to read", remedy="Give one of them.")
        place = Place(archive, settings.storage_options())
        return api.subject(
            database, archive=place, as_is=as_is, scratch=settings.path("scratch"), jobs=settings.number("jobs")
        )
    if database is None:
        raise UsageError(
            "there is no DATABASE to read", remedy="Name one, such as neo4j, or give --archive PATH, which holds one."
        )
    kept = settings.means_repository(_OF_A_REPOSITORY)
    return api.subject(
        database,
        home=None if kept else settings.needed_path("home"),
        configuration_directory=settings.path("conf"),
        repository=settings.place() if kept else None,
        label=settings.text("backup"),
        from_source=settings.text("from_source"),
        as_is=as_is,
        scratch=settings.path("scratch"),
        jobs=settings.number("jobs"),
    )
