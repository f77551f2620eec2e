"""`restore --server-files`: a backup's configuration, certificates, plugins and licences into a folder of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.repository.contents import read_content
from neokeep.repository.info import left_out_info
from neokeep.server_files.certificates import ends_of
from neokeep.server_files.choose import Chosen, choose
from neokeep.server_files.gather import LISTED, REDACTED
from neokeep.server_files.reports import ServerFilesReport, tell_ends
from neokeep.server_files.secrets import CERTIFICATES
from neokeep.server_files.write import require_free, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.repository.repository import Repository
    from neokeep.server_files.certificates import Ends


def restore_server_files(
    repository: Repository, directory: Path, *, label: str | None, database: str | None, from_source: str | None
) -> ServerFilesReport:
    """Write the server's other files of a backup into a new or empty folder.

    Raises:
        RepositoryError: there is no such backup, or it has none of them.
        UsageError: the folder is not empty, or it is not clear which backup is meant.
        IntegrityError: a file is damaged; the folder is not there then.
    """
    require_free(directory)
    chosen = choose(repository, label=label, database=database, from_source=from_source)
    manifest = chosen.manifest
    not_owned = write_files(chosen.reader, chosen.files, directory)
    written = [file for file in chosen.files if file.content is not None]
    return ServerFilesReport(
        label=manifest.label,
        repository=repository.storage.url,
        host=manifest.source.host,
        home=manifest.source.home,
        directory=str(directory),
        files=len(written),
        size_bytes=sum(file.size or 0 for file in written),
        redacted=tuple(f"{file.area}/{file.path}" for file in written if file.state == REDACTED),
        listed=tuple(f"{file.area}/{file.path}" for file in chosen.files if file.state == LISTED),
        left_out=tuple(map(left_out_info, manifest.server.left_out if manifest.server else ())),
        owner_not_set=tuple(f"{file.area}/{file.path}" for file in not_owned),
        links=tuple(f"{file.area}/{file.path} -> {file.link}" for file in written if file.link is not None),
        certificates=tell_ends(certificates_of(chosen)),
    )


def certificates_of(chosen: Chosen) -> list[Ends]:
    """Read the certificates in a backup."""
    return [
        end
        for file in chosen.files
        if file.area == CERTIFICATES and file.content is not None
        for end in ends_of(f"{file.area}/{file.path}", b"".join(read_content(chosen.reader, file.content)))
    ]
