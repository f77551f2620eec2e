"""What the commands tell about the server's other files; the rules are those of reports.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neokeep.reports import CertificateInfo, LeftOutInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.server_files.certificates import Ends
    from neokeep.server_files.gather import Gathered


class ServerFilesReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `restore --server-files`: what was written into `directory`, and what of the server is not there.

    `redacted` are files without some values, `listed` plugins that were only listed, `owner_not_set` files that belong
    to this user, since another owner may not be given.
    """

    label: str
    repository: str
    host: str
    home: str
    directory: str
    files: int
    size_bytes: int
    redacted: tuple[str, ...]
    listed: tuple[str, ...]
    left_out: tuple[LeftOutInfo, ...]
    owner_not_set: tuple[str, ...]
    links: tuple[str, ...]
    """Files that were symbolic links: what they led to was restored."""
    certificates: tuple[CertificateInfo, ...]
    """Those that end soon or have ended."""


class ServerFilesSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two that are compared: a backup by its label, or a host by its home, with `label` null."""

    label: str | None
    host: str
    home: str


class SettingDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that is not the same: `change` is `added`, `removed` or `changed`.

    `values` of a setting that is there more than once are several. They are null where they are or may be secret.
    """

    file: str
    setting: str
    change: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None


class FileDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not the same: `change` is `added`, `removed` or `changed`, `what` tells of that in words."""

    file: str
    change: str
    what: str


class DiffConfigReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `diff-config`: what changed from `before` to `after`.

    `not_compared` are files and settings that one of them has left out.
    """

    before: ServerFilesSide
    after: ServerFilesSide
    same: bool
    settings: tuple[SettingDifference, ...]
    files: tuple[FileDifference, ...]
    not_compared: tuple[str, ...]
    certificates: tuple[CertificateInfo, ...]
    """Those of `after` that end soon or have ended."""


def near_ends(gathered: Gathered | None) -> tuple[CertificateInfo, ...]:
    """Tell of the certificates of a server that end soon or have ended."""
    return () if gathered is None else tell_ends(gathered.certificates)


def tell_ends(ends: Iterable[Ends], now: datetime | None = None) -> tuple[CertificateInfo, ...]:
    """Tell of those certificates that end soon or have ended, the first to end first."""
    moment = now or datetime.now(UTC)
    near = sorted((end for end in ends if end.is_near(moment)), key=lambda end: (end.not_after, end.path))
    return tuple(
        CertificateInfo(path=end.path, subject=end.subject, not_after=end.not_after, days_left=end.days_left(moment))
        for end in near
    )
