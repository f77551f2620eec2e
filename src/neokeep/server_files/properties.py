r"""The lines of a configuration file, in groups that belong together: what redaction and comparison work on.

A group is a natural line and those that it continues on, joined by `\` at their ends. Comments are groups like others
here, since a setting that was commented out may hold a secret too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from neokeep.neo4j.configuration import parse_properties

MARK = "# neokeep left a value out: "
"""Stands before the name of a setting in the place of its line."""
IN_COMMENT = " (in a comment)"
"""Stands behind the name of one that was commented out."""

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_COMMENT = " \t\f#!"


@dataclass(frozen=True, slots=True)
class Group:
    """Some natural lines, with their ends, that are one logical line."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as they stand in the file."""
        return "".join(self.lines)

    @property
    def end(self) -> str:
        """The line end of the last line; empty at the end of a file without one."""
        last = self.lines[-1]
        return last[len(last.rstrip("\r\n")) :]

    def settings(self) -> list[tuple[str, str]]:
        """Give every name and value that somebody may see in it, whether it is a comment or not."""
        uncommented = self.text.lstrip(_COMMENT)
        readings = [self.text, uncommented, *(line.lstrip(_COMMENT) for line in self.lines)]
        return [item for text in readings for item in parse_properties(text).items()]


def decode(content: bytes) -> tuple[str, str]:
    """Decode as Neo4j may: as UTF-8, or else as Latin-1. Returns the text and the encoding that gives its bytes."""
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def groups_of(text: str) -> list[Group]:
    """Cut a text into groups; all of them together are the text."""
    found: list[Group] = []
    pending: list[str] = []
    for line in _LINES.findall(text):
        pending.append(line)
        bare = line.rstrip("\r\n")
        if (len(bare) - len(bare.rstrip("\\"))) % 2 == 0:
            found.append(Group(tuple(pending)))
            pending = []
    if pending:
        found.append(Group(tuple(pending)))
    return found


def settings_of(content: bytes) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Read the settings of a file, all values of those that are there more than once, and the names left out of it."""
    text, _ = decode(content)
    settings: dict[str, tuple[str, ...]] = {}
    left_out: set[str] = set()
    for group in groups_of(text.removeprefix("\ufeff")):
        name = group.text.removeprefix(MARK).strip()
        if group.text.startswith(MARK) and not name.endswith(IN_COMMENT):
            left_out.add(name)
        for name, value in parse_properties(group.text).items():
            settings[name] = (*settings.get(name, ()), value)
    return settings, frozenset(left_out)
