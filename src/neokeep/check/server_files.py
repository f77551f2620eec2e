"""What `check` tries on the server's other files: that they can be read, and that no certificate is near its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.reports import Finding
from neokeep.server_files.gather import ALL, LEFT_OUT, gather
from neokeep.server_files.reports import near_ends
from neokeep.units import format_count, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.source import Source

_SUBJECT = "server files"


def check_server_files(source: Source) -> Iterator[Finding]:
    """Read configuration, certificates, licences and plugins; nothing of them keeps backups from working."""
    gathered = gather(source, ALL)
    if gathered is None:
        yield Finding(
            subject=_SUBJECT, status="ok", message="there are none: no configuration, certificates or plugins"
        )
        return
    left_out = [one.file for one in gathered.files if one.file.state == LEFT_OUT]
    readable = len(gathered.files) - len(left_out)
    yield Finding(subject=_SUBJECT, status="ok", message=f"{format_count(readable, 'file')} can be read")
    problems = [*gathered.problems, *(f"{file.origin}: {file.reason}" for file in left_out)]
    for problem in problems:
        yield Finding(
            subject=_SUBJECT,
            status="warning",
            message=f"not in backups: {problem}",
            remedy="Give the user that backs up access, or keep a copy of it elsewhere.",
        )
    for end in near_ends(gathered):
        when = f"ends at {format_time(end.not_after)}" if end.days_left >= 0 else "has ended"
        yield Finding(
            subject=_SUBJECT,
            status="warning",
            message=f"the certificate {end.subject} in {end.path} {when}",
            remedy="Renew it.",
        )
