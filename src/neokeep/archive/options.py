"""How a database is followed."""

from __future__ import annotations

from dataclasses import dataclass, field

from neokeep.capture.options import CaptureOptions
from neokeep.errors import UsageError
from neokeep.units import format_size

SEGMENT_SIZE = 16 * 1024 * 1024
LARGEST_SEGMENT_SIZE = 256 * 1024 * 1024
"""A segment is held in memory where it is made, and where it is read."""


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """Options of `archive`.

    New transactions are shipped `interval` seconds after the last ones, or when they take `segment_size` bytes of log.
    `capture` says how and when full backups are taken.
    """

    interval: float = 1.0
    segment_size: int = SEGMENT_SIZE
    capture: CaptureOptions = field(default_factory=CaptureOptions)

    def __post_init__(self) -> None:
        if not self.interval > 0:
            raise UsageError(f"interval={self.interval!r} is not above zero", remedy="Give some seconds.")
        if not 0 < self.segment_size <= LARGEST_SEGMENT_SIZE:
            raise UsageError(
                f"segment_size={self.segment_size!r} is not possible",
                remedy=f"Give a size up to {format_size(LARGEST_SEGMENT_SIZE)}.",
            )
