"""Versions of Neo4j: of the program (`5.26.30`) and of the kernel (the first byte of every log entry).

`Neo4jVersion` orders programs; the kernel version table says which program first wrote a byte, so that a restore can
refuse a downgrade. What is not in these tables is refused: a format that nobody has checked is never guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from neokeep.errors import SourceError

Family = Literal["4.4", "5", "calendar"]

KERNEL_VERSIONS: dict[int, str] = {
    0: "2.3",
    1: "4.0",
    2: "4.2",
    3: "4.3.D4",
    4: "4.4",
    5: "5.0",
    6: "5.7",
    7: "5.8",
    8: "5.9",
    9: "5.10",
    10: "5.11",
    11: "5.12",
    12: "5.13",
    13: "5.14",
    14: "5.15",
    15: "5.18",
    16: "5.19",
    17: "5.20",
    18: "5.22",
    19: "5.23",
    20: "5.25",
    21: "2025.04",
    22: "2025.05",
    23: "2025.07",
    24: "2025.08",
    25: "2025.09",
    26: "2025.10",
    27: "2025.11",
    28: "2026.01",
    29: "2026.02",
    30: "2026.06",
    31: "2026.07",
    32: "2026.08",
}
"""Kernel version byte → the first program version that wrote it. 127 is Neo4j's own test value and no version."""

OLDEST_KERNEL = 2
NEWEST_KERNEL = 32
_FIRST_CALENDAR_YEAR = 2025
_LAST_CALENDAR_YEAR = 2026
_TEXT = re.compile(r"(\d{1,4})\.(\d{1,2})(?:\.(?:D)?(\d{1,4}))?((?:[-.+][0-9A-Za-z.+-]*)?)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Neo4jVersion:
    """The version of a Neo4j program; ordered by its numbers, a suffix such as `-SNAPSHOT` counts for nothing."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Neo4jVersion:
        """Read `5.26.30`, `4.4.48` or `2026.08.1`; a missing patch number is 0."""
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise SourceError(
                f"{text!r} is no version of Neo4j",
                remedy="Versions look like 4.4.48, 5.26.30 or 2026.08.1.",
            )
        return cls(int(match[1]), int(match[2]), int(match[3] or 0))

    @property
    def family(self) -> Family | None:
        """The line of releases it belongs to; None for one that neokeep does not know."""
        if (self.major, self.minor) == (4, 4):
            return "4.4"
        if self.major == 5:
            return "5"
        if _FIRST_CALENDAR_YEAR <= self.major <= _LAST_CALENDAR_YEAR:
            return "calendar"
        return None

    @property
    def supported(self) -> bool:
        """Whether its databases can be captured. The kernel version in the log has the last word."""
        return self.family is not None

    def __str__(self) -> str:
        if self.major >= _FIRST_CALENDAR_YEAR:
            return f"{self.major}.{self.minor:02}.{self.patch}"
        return f"{self.major}.{self.minor}.{self.patch}"


def kernel_version_name(kernel_version: int) -> str:
    """Name a kernel version byte for people: `5.25`, or `unknown (77)`."""
    return KERNEL_VERSIONS.get(kernel_version, f"unknown ({kernel_version})")


def kernel_version_introduced(kernel_version: int) -> Neo4jVersion:
    """Name the oldest program that can read logs of this kernel version."""
    require_kernel_version(kernel_version, "a transaction log")
    return Neo4jVersion.parse(KERNEL_VERSIONS[kernel_version])


def require_version(version: Neo4jVersion, where: str) -> None:
    """Refuse a program whose databases neokeep does not know."""
    if version.supported:
        return
    raise SourceError(
        f"Neo4j {version} ({where}) is not supported",
        remedy="neokeep works with Neo4j 4.4, 5.x, 2025.x and 2026.x; for a newer Neo4j update neokeep.",
    )


def require_kernel_version(kernel_version: int, where: str) -> None:
    """Refuse a kernel version whose log format neokeep does not know."""
    if OLDEST_KERNEL <= kernel_version <= NEWEST_KERNEL:
        return
    newer = kernel_version > NEWEST_KERNEL
    raise SourceError(
        f"kernel version {kernel_version_name(kernel_version)} in {where} is not supported",
        remedy="Update neokeep: this database was written by a newer Neo4j than it knows."
        if newer
        else "Upgrade the database to Neo4j 4.4 or later; older logs cannot be captured.",
    )
