"""Archives of the classes that a Neo4j loads: a server that starts from one takes little more than half the work.

An archive is Java's own (class data sharing, JEP 350). It lies beside the jars in the cache, belongs to one Java, and
is made by a server that runs for a moment. Java looks itself whether an archive fits, and goes on without one if not.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.lab.bolt import connected
from neokeep.lab.fetch import fetch
from neokeep.lab.home import create_home
from neokeep.neo4j.cache import entry_locked
from neokeep.neo4j.distribution import Distribution
from neokeep.neo4j.java import inspect
from neokeep.neo4j.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable

SINCE_JAVA = 17
"""Java 13 has such archives; this is the first one after it that a Neo4j runs on."""


class _ByName(Distribution):
    """A distribution whose jars are named one by one, as they are where an archive is used."""

    __slots__ = ()

    @property
    def classpath(self) -> str:
        return self.jars


def make_class_archive(version: str, say: Callable[[str], None] = print) -> None:
    """Make the archive of a version, which is fetched when need be; nothing where there is one, or Java makes none."""
    distribution = fetch(version, say)
    archive = distribution.class_archive
    java = inspect(distribution.java)
    if archive.is_file() or java is None or java.major < SINCE_JAVA:
        return
    with entry_locked(archive), tempfile.TemporaryDirectory(prefix=".classes.", dir=archive.parent) as scratch:
        if archive.is_file():
            return
        say(f"making an archive of the classes of Neo4j {version}")
        made = Path(scratch) / archive.name
        home = create_home(Path(scratch) / "home", version, say=say).home
        options = (f"-XX:ArchiveClassesAtExit={made}", "-Xlog:disable")
        server = Server(_ByName(version, distribution.lib, distribution.java), home, options)
        try:
            server.start()
            with connected(server.bolt_uri) as session:
                session.run("MATCH (n) RETURN count(n)")
            server.stop()
        finally:
            server.kill()
        if made.is_file():
            made.rename(archive)
