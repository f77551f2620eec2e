"""Assemble Neo4j Community of any version from Maven's artifacts, once per machine.

The jars go to `neo4j/<version>/lib` in the cache, beside a list of their names and sizes that is written last: an
entry whose list does not hold is never used. Any number of processes may fetch the same version at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from neokeep.errors import SourceError
from neokeep.neo4j.cache import cache_directory, entry_locked, entry_made
from neokeep.neo4j.distribution import Distribution
from neokeep.neo4j.java import java_for, release_of

if TYPE_CHECKING:
    from collections.abc import Callable

ARTIFACTS = (
    ("org.neo4j.app", "neo4j-server"),
    ("org.neo4j", "neo4j"),
    ("org.neo4j", "neo4j-consistency-check"),
    ("org.neo4j", "neo4j-import-tool"),
    ("org.neo4j", "neo4j-dbms"),
)
LIST_OF_JARS = "jars.txt"


def fetch(version: str, say: Callable[[str], None] = print) -> Distribution:
    """Neo4j Community of this version, from the cache or assembled now."""
    release_of(version)
    entry = cache_directory() / "neo4j" / version
    if not is_whole(entry):
        with entry_locked(entry):
            if not is_whole(entry):
                maven = _maven(say)
                say(f"fetching Neo4j Community {version}")
                with entry_made(entry) as scratch:
                    _copy_jars(maven, version, scratch / "lib")
                    _write_list(scratch)
    return Distribution(version, entry / "lib", java_for(version, say).executable)


def is_whole(entry: Path) -> bool:
    """Whether a cache entry holds every jar of its list, at its size."""
    try:
        lines = (entry / LIST_OF_JARS).read_text(encoding="utf-8").splitlines()
        wanted = {name: int(size) for size, name in (line.split(" ", 1) for line in lines)}
        with os.scandir(entry / "lib") as jars:
            return bool(wanted) and wanted == {jar.name: jar.stat().st_size for jar in jars}
    except (OSError, ValueError):
        return False


def pom(version: str) -> str:
    """Write the Maven project whose runtime dependencies are a Neo4j Community server and its tools."""
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{escape(version)}</version></dependency>"
        for group, artifact in ARTIFACTS
    )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>neokeep</groupId><artifactId>lab</artifactId>"
        f"<version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
    )


def _write_list(entry: Path) -> None:
    jars = sorted((entry / "lib").iterdir())
    text = "".join(f"{jar.stat().st_size} {jar.name}\n" for jar in jars)
    (entry / LIST_OF_JARS).write_text(text, encoding="utf-8")


def _copy_jars(maven: str, version: str, lib: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="neokeep-") as project:
        (Path(project) / "pom.xml").write_text(pom(version), encoding="utf-8")
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={lib}"]
        done = subprocess.run(
            [maven, "-B", "-q", *goal],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode:
        raise _failure(version, done.stdout + done.stderr)
    if not (lib / f"neo4j-kernel-{version}.jar").is_file():
        raise SourceError(f"Maven assembled no Neo4j {version}", remedy="Try again; see that the disk is not full.")


def _failure(version: str, output: str) -> SourceError:
    if "Could not find artifact org.neo4j" in output or "was not found in" in output:
        return SourceError(
            f"there is no Neo4j Community {version} to fetch",
            remedy="Give the full number of a released version, such as 5.26.30, 4.4.48 or 2026.08.1.",
        )
    errors = [line for line in output.splitlines() if "ERROR" in line] or output.splitlines() or ["no message"]
    return SourceError(
        f"Maven could not fetch Neo4j Community {version}: {errors[0].strip()}",
        remedy="Check the network and Maven's own settings, then try again.",
    )


def _maven(say: Callable[[str], None]) -> str:
    found, why = shutil.which("mvn"), ""
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing Maven by apt-get")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "-y", "--no-install-recommends", "maven"]):
            command = ["apt-get", "-qq", *step]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                why = f", and apt-get fails: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}"
        found = shutil.which("mvn")
    if found is None:
        raise SourceError(
            f"Neo4j cannot be fetched: Maven (mvn) is not installed{why}",
            remedy="Install Maven by the system's package manager, for example: apt-get install maven",
        )
    return found
