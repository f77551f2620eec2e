"""What a plugin's jar says of itself: a name and a version, from its manifest, Maven's properties or its file name."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from neokeep.neo4j.configuration import parse_properties
from neokeep.repository.manifest import Plugin

if TYPE_CHECKING:
    from typing import BinaryIO
    from zipfile import ZipFile

_LIMIT = 256 * 1024
"""A manifest has no more bytes than this."""
_MAVEN = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties")
_FILE_NAME = re.compile(r"(?P<name>.+?)[-_](?P<version>\d[\w.+\-]*)")
_NAMES = ("Implementation-Title", "Bundle-Name", "Specification-Title", "Bundle-SymbolicName", "Automatic-Module-Name")
_VERSIONS = ("Implementation-Version", "Bundle-Version", "Specification-Version")


def plugin_of(path: str, file: BinaryIO) -> Plugin:
    """Read what a jar says of itself; of one that cannot be read, what its file name says."""
    import lzma
    import zlib
    from zipfile import BadZipFile, ZipFile

    stem = PurePosixPath(path).stem
    named = _FILE_NAME.fullmatch(stem)
    name, version = (named["name"], named["version"]) if named else (stem, "")
    try:
        with ZipFile(file) as jar:
            told = _told(jar)
    except (BadZipFile, OSError, ValueError, RuntimeError, EOFError, KeyError, zlib.error, lzma.LZMAError):
        told = ("", "")
    return Plugin(name=told[0] or name, version=told[1] or version)


def parse_manifest(text: str) -> dict[str, str]:
    """Parse the main section of a jar's manifest: `Name: value`, a line that begins with a blank goes on."""
    lines: list[str] = []
    for line in re.split(r"\r\n|\r|\n", text):
        if not line:
            break
        if line.startswith(" ") and lines:
            lines[-1] += line[1:]
        else:
            lines.append(line)
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _told(jar: ZipFile) -> tuple[str, str]:
    names = jar.namelist()
    manifest = parse_manifest(_read(jar, "META-INF/MANIFEST.MF")) if "META-INF/MANIFEST.MF" in names else {}
    name, version = _first(manifest, _NAMES), _first(manifest, _VERSIONS)
    maven = [one for one in names if _MAVEN.fullmatch(one)]
    if len(maven) == 1 and not (name and version):
        properties = parse_properties(_read(jar, maven[0]))
        name, version = name or properties.get("artifactId", ""), version or properties.get("version", "")
    return name, version


def _read(jar: ZipFile, name: str) -> str:
    with jar.open(name) as file:
        return file.read(_LIMIT).decode("utf-8", errors="replace")


def _first(manifest: dict[str, str], names: tuple[str, ...]) -> str:
    return next((manifest[name] for name in names if manifest.get(name)), "")
