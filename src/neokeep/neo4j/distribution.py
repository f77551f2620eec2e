"""A version of Neo4j that can be run: its jars and the Java that runs them.

A user's own installation, a package of the system and a fetched lab distribution are all driven through this one
value; the scripts in `bin/` are not used, so that every kind behaves the same.
"""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.errors import SourceError
from neokeep.neo4j import packages
from neokeep.neo4j.java import inspect, java_for, release_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENTRY_POINT = "META-INF/services/org.neo4j.server.startup.EntryPoint"
OPENED_PACKAGES = ("java.nio", "java.io", "sun.nio.ch", "java.lang", "java.util.concurrent")
VECTOR_MODULE = "jdk.incubator.vector"
ARCHIVES = "NEOKEEP_CLASS_ARCHIVES"
"""Set where Neo4j is started again and again, as tests do; what is measured starts as it does for users."""


def _silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Neo4j of one version: the folder of its jars and a Java program that fits."""

    version: str
    lib: Path
    java: Path

    @classmethod
    def of_home(cls, home: Path, say: Callable[[str], None] = _silent) -> Distribution:
        """Find the distribution that a Neo4j home belongs to: its own `lib`, else the one of the system's package."""
        for lib in (home / "lib", packages.LIB):
            if lib.is_dir():
                return cls.of_lib(lib, say)
        raise SourceError(
            f"no Neo4j is installed at {home}: there is no lib folder",
            remedy="Give the directory that holds Neo4j's lib, conf and data folders.",
        )

    @classmethod
    def of_lib(cls, lib: Path, say: Callable[[str], None] = _silent) -> Distribution:
        """Find the distribution whose jars lie in a folder."""
        version = version_of(lib)
        return cls(version, lib.resolve(), java_for(version, say).executable)

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, to compare by."""
        return release_of(self.version)

    @property
    def server_class(self) -> str:
        """The main class of the server; since 4.0 the jar itself names it."""
        try:
            with zipfile.ZipFile(self.lib / f"neo4j-{self.version}.jar") as jar:
                return jar.read(ENTRY_POINT).decode().split()[0]
        except (OSError, KeyError, zipfile.BadZipFile):
            return "org.neo4j.server.CommunityEntryPoint"

    @property
    def admin_class(self) -> str:
        """The main class of the admin tool."""
        return "org.neo4j.cli.AdminTool" if self.release >= (4,) else "org.neo4j.commandline.admin.AdminTool"

    @property
    def java_options(self) -> tuple[str, ...]:
        """What Java has to be told for this version, memory aside."""
        java = inspect(self.java)
        major = java.major if java else 0
        options = []
        if major >= 9:
            options += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]
        if self.release >= (2025,):
            options.append("--enable-native-access=ALL-UNNAMED")
            if major >= 24:
                options.append("--sun-misc-unsafe-memory-access=allow")
            if major >= 25 and java and VECTOR_MODULE in java.modules:
                options.append(f"--add-modules={VECTOR_MODULE}")
        return tuple(options)

    @property
    def class_archive(self) -> Path:
        """Where this Java's archive of the loaded classes is, beside the jars; only the lab makes one."""
        return self.lib.parent / f"classes-{self.java.stat().st_mtime_ns:x}.jsa"

    @property
    def classpath(self) -> str:
        """Every jar of the distribution, as Java's own wildcard."""
        return f"{self.lib}/*"

    @property
    def jars(self) -> str:
        """Every jar of the distribution by name: Java takes an archive only for the order that it was made with."""
        return ":".join(map(str, sorted(self.lib.glob("*.jar"))))

    def command(self, main_class: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        """Compose the command line of one of the main classes, from an archive of classes where one is wanted."""
        classpath = self.classpath
        if os.environ.get(ARCHIVES) and (archive := self.class_archive).is_file():
            # Java goes on without an archive that does not fit, and tells so in the middle of what a command prints.
            classpath, options = self.jars, (f"-XX:SharedArchiveFile={archive}", "-Xlog:disable", *options)
        return [str(self.java), *self.java_options, *options, "-cp", classpath, main_class, *arguments]


def version_of(lib: Path) -> str:
    """Tell the Neo4j version of a folder of jars, by the name of the kernel's jar."""
    versions = sorted(
        found.group(1)
        for jar in lib.glob("neo4j-kernel-[0-9]*.jar")
        if (found := re.fullmatch(r"neo4j-kernel-(\d+\.\d+\.\d+.*)\.jar", jar.name))
    )
    if len(versions) != 1:
        found_or_not = (
            f"jars of {len(versions)} versions ({', '.join(versions)})" if versions else "no neo4j-kernel jar"
        )
        raise SourceError(
            f"the Neo4j version at {lib} is not clear: {found_or_not}",
            remedy="Give a Neo4j home whose lib folder holds one version.",
        )
    return versions[0]
