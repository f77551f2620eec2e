"""From a command line to what a command reads the graph of: the options that all such commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neokeep.cli.command import Call
    from neokeep.graph.subject import Subject

_OF_A_REPOSITORY = ("backup", "from_source")


def subject_of(call: Call) -> Subject:
    """Take the database of --home; or, where a backup or a source is named, that of the repository."""
    from neokeep import api

    settings = call.settings
    given = any(settings.values[name] is not None for name in _OF_A_REPOSITORY)
    return api.subject(
        call.argument("database"),
        home=None if given else settings.needed_path("home"),
        configuration_directory=settings.path("conf"),
        repository=settings.place() if given else None,
        label=settings.text("backup"),
        from_source=settings.text("from_source"),
        scratch=settings.path("scratch"),
        jobs=settings.number("jobs"),
    )
