"""`diff-config`: a backup's configuration beside that of the host, or of another backup."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from neokeep.errors import SourceError
from neokeep.repository.contents import read_content
from neokeep.server_files.choose import choose
from neokeep.server_files.compare import State, compare, has_settings
from neokeep.server_files.gather import ALL, gather
from neokeep.server_files.reports import DiffConfigReport, ServerFilesSide, tell_ends
from neokeep.server_files.restore import certificates_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.neo4j.source import Source
    from neokeep.repository.repository import Repository
    from neokeep.server_files.certificates import Ends
    from neokeep.server_files.choose import Chosen

    Side = tuple[ServerFilesSide, list[State], Sequence[Ends]]


def diff_config(
    repository: Repository, before: str | None, after: str | None, *, source: Source | None, from_source: str | None
) -> DiffConfigReport:
    """Compare a backup with another one, or with a host; without a label the newest backup is meant.

    Raises:
        RepositoryError: there is no such backup, or it has no configuration.
        SourceError: there is no configuration at the host.
    """
    preferred = source.name if source is not None else None
    one = _of_backup(choose(repository, label=before, from_source=from_source, preferred=preferred))
    if after is not None:
        other = _of_backup(choose(repository, label=after))
    elif source is not None:
        other = _of_host(source)
    else:
        raise AssertionError("there is nothing to compare with")
    found = compare(one[1], other[1])
    return DiffConfigReport(
        before=one[0],
        after=other[0],
        same=found.none,
        settings=found.settings,
        files=found.files,
        not_compared=found.not_compared,
        certificates=tell_ends(other[2]),
    )


def _of_backup(chosen: Chosen) -> Side:
    source = chosen.manifest.source
    states = [
        State(
            file,
            b"".join(read_content(chosen.reader, file.content)) if file.content and has_settings(file) else None,
        )
        for file in chosen.files
    ]
    side = ServerFilesSide(label=chosen.manifest.label, host=source.host, home=source.home)
    return side, states, certificates_of(chosen)


def _of_host(source: Source) -> Side:
    gathered = gather(source, ALL)
    if gathered is None or not gathered.files:
        raise SourceError(f"there is no configuration of a server at {source.home}", remedy="Check --home and --conf.")
    states = [State(one.file, one.content if has_settings(one.file) else None) for one in gathered.files]
    side = ServerFilesSide(label=None, host=socket.gethostname(), home=str(source.home))
    return side, states, gathered.certificates
