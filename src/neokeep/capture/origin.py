"""Where a backup says that it came from."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from neokeep.repository.manifest import SourceRecord

if TYPE_CHECKING:
    from neokeep.neo4j.source import Source

NOWHERE = SourceRecord(name="", host="", home="", edition="unknown", running=False)
"""The origin of an image of which only the files are known."""


def source_record(source: Source, *, running: bool) -> SourceRecord:
    """Describe a source as a manifest holds it."""
    return SourceRecord(
        name=source.name,
        host=socket.gethostname(),
        home=str(source.home),
        edition=source.edition,
        running=running,
    )
