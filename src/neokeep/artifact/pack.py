"""Writing the files of a database as one archive, as a stream: what is read is packed and goes out at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from neokeep.artifact.outputs import created
from neokeep.errors import SourceError
from neokeep.files import explained
from neokeep.neo4j.artifact.metadata import BackupMetadata
from neokeep.neo4j.artifact.write import ArtifactWriter
from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.store.neostore import database_ids
from neokeep.restore.plan import FIRST_OF_4X_LOGS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from neokeep.artifact.examine import Examined
    from neokeep.artifact.members import Members
    from neokeep.artifact.outputs import Destination
    from neokeep.progress import Progress

BACKUP = "backup"
_FIRST_TRANSACTION = 1
_MOST_AROUND, _MOST_AROUND_A_FILE = 1024 * 1024, 4096


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written: files, their bytes, and the bytes of the archive."""

    files: int
    content_bytes: int
    size_bytes: int


def pack(
    members: Members,
    destination: Destination,
    metadata: BackupMetadata | None,
    database: str,
    *,
    threads: int,
    progress: Progress,
) -> Packed:
    """Write all members as a `.dump`, or as a `.backup` where there is metadata.

    Raises:
        SpaceError, AccessError, RepositoryError: it cannot be written; there is no half of it then.
        SourceError, IntegrityError: a member cannot be read.
    """
    listed = members.list()
    size = sum(member.size for member in listed)
    progress.begin(f"writing {database} to {destination}", size)
    try:
        with created(destination, size + _MOST_AROUND + len(listed) * _MOST_AROUND_A_FILE) as output:
            writer = ArtifactWriter(output.write, len(listed), size, metadata=metadata, threads=threads)
            for member in listed:
                writer.begin_file(member.name, member.size, member.mode)
                for piece in members.read(member):
                    writer.write(piece)
                    progress.advance(len(piece))
            writer.finish()
    finally:
        progress.end()
    return Packed(len(listed), size, output.size)


def backup_metadata(store: Path, log: Path, found: Examined, database: str, time: datetime) -> BackupMetadata:
    """Make the header of a full `.backup` of a clean database.

    Transactions begin with 1, as in those of Neo4j. A database that has no id of its own, as those of Community, gets
    the one of its store.

    Raises:
        SourceError: it is of Neo4j 4, whose artifacts are no files of this kind.
    """
    if found.kernel_version < FIRST_OF_4X_LOGS:
        raise SourceError(
            f"{database} is of Neo4j 4, which does not load .backup files", remedy="Write a dump: --format dump."
        )
    newest = log / log_name(log_versions(log)[-1])
    with explained("read", newest), newest.open("rb") as file:
        header = parse_header(file.read(LARGEST), str(newest))
    if header is None:
        raise AssertionError("a log that was examined has a header")
    append_index = found.last_transaction
    if header.last_append_index is not None:
        append_index += header.last_append_index - header.last_transaction
    own, of_store = database_ids(store)
    return BackupMetadata(
        store_id=_unpadded(header.store_id),
        database_id=UUID(bytes=own or of_store),
        database=database,
        time=time,
        lowest=_FIRST_TRANSACTION,
        highest=append_index,
        recovered=True,
        compressed=True,
        full=True,
    )


def _unpadded(store_id: bytes) -> bytes:
    """Take the zeros off with which a log header fills up a store id."""
    end = 17
    for _ in range(2):
        end += 1 + store_id[end]
    return store_id[: end + 2]
