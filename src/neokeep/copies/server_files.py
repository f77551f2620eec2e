"""The server's other files on their way into another repository: no secret goes into one that is not encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from neokeep import reports
from neokeep.copies.blocks import Moved, block_table, listed_anew, move_blocks
from neokeep.copies.same import same_names
from neokeep.repository.blocklist import expand
from neokeep.repository.contents import Listing, file_list, read_content, server_file_list, server_listing
from neokeep.repository.manifest import BlockList, Manifest
from neokeep.repository.writer import BlockWriter
from neokeep.server_files.gather import described, keeps_secrets, listed, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.copies.blocks import BlockTable
    from neokeep.progress import Progress
    from neokeep.repository.manifest import ServerFile, ServerFiles
    from neokeep.repository.reader import BlockReader
    from neokeep.repository.repository import Repository
    from neokeep.repository.writer import TakesBlocks


Shared = dict[BlockList, Manifest]
"""Backups in the target, by what the list of their server's files is in the source."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a backup's manifest names in the target, and what it took to bring it there."""

    files: BlockList
    server: ServerFiles | None
    moved: Moved


def bring(
    reader: BlockReader,
    source: Repository,
    target: Repository,
    manifest: Manifest,
    writer: BlockWriter,
    *,
    jobs: int,
    progress: Progress,
) -> Brought:
    """Store all that a backup holds in the target of a writer: its files, and the server's other files.

    Raises:
        IntegrityError: a block is missing or damaged in the source.
    """
    alike = same_names(source, target)
    own = [Listing(manifest.files, tuple(file_list(reader, manifest)))] if manifest.files.size else []
    others = server_file_list(reader, manifest)
    as_they_are = [file for file in others if not _is_held_back(file, target)]
    if manifest.server is not None:
        own = [*own, server_listing(manifest.server.files, as_they_are)]
    table = block_table(reader, own, lists=alike)
    moved = move_blocks(reader, table, writer, same_names=alike, jobs=jobs, progress=progress)
    # Where ids are the same, lists are blocks like all others; else they are made anew with the target's names.
    if alike and len(as_they_are) == len(others):
        return Brought(manifest.files, manifest.server, moved)
    files = listed_anew(reader, own[0].files, table, moved, writer) if manifest.files.size else manifest.files
    if manifest.server is None:
        return Brought(files, None, moved)
    with writer.worker() as worker:
        anew = [
            without_secrets(file, partial(_content_of, reader, file), worker)
            if _is_held_back(file, target)
            else _named_anew(reader, file, table, moved, worker, target)
            for file in others
        ]
        server = described(anew, manifest.server.mode, worker)
    told = {item.path for item in server.left_out} | {f"{file.area}/{file.path}" for file in others}
    unclear = [item for item in manifest.server.left_out if item.path not in told]
    return Brought(files, msgspec.structs.replace(server, left_out=(*unclear, *server.left_out)), moved)


def bring_incremental(
    reader: BlockReader,
    source: Repository,
    target: Repository,
    manifest: Manifest,
    *,
    shared: Shared,
    jobs: int,
    progress: Progress,
    before_commit: Callable[[], None] = lambda: None,
) -> reports.CopiedBackup:
    """Store an incremental backup in another repository under its label: its manifest, and server's files of its own.

    Files that a backup in `shared` has are shared with it, and no index is read; new ones are noted there.

    Raises:
        IntegrityError: a block is missing or damaged in the source.
        ObjectExists: the label was taken meanwhile.
    """
    there = None if manifest.server is None else shared.get(manifest.server.files)
    if manifest.server is None or there is not None:
        before_commit()
        own = msgspec.structs.replace(manifest, server=there.server if there else None, writer=None)
        target.commit(own, keep_label=True, shared_with=there.label if there else None)
        return copied(manifest)
    writer = BlockWriter(target)
    try:
        brought = bring(reader, source, target, manifest, writer, jobs=jobs, progress=progress)
        writer.finish()
        before_commit()
        own = msgspec.structs.replace(manifest, server=brought.server)
        shared[manifest.server.files] = writer.commit(own, keep_label=True)
    finally:
        writer.close()
    return copied(manifest, writer, brought.moved.bytes_read)


def shared_by(source: Manifest | None, target: Manifest) -> Shared:
    """Note what backups of a chain may share with a backup that both repositories have."""
    if source is None or source.server is None or target.server is None:
        return {}
    return {source.server.files: target}


def copied(manifest: Manifest, writer: BlockWriter | None = None, bytes_read: int = 0) -> reports.CopiedBackup:
    """Tell of a backup that was copied, and what its writer stored."""
    return reports.CopiedBackup(
        label=manifest.label,
        type=manifest.type,
        database=manifest.database,
        state="copied",
        bytes_read=bytes_read,
        stored_bytes=writer.stored_bytes if writer else 0,
        blocks=writer.blocks if writer else 0,
        skipped_blocks=writer.blocks - writer.new_blocks if writer else 0,
        segments=0,
    )


def _is_held_back(file: ServerFile, target: Repository) -> bool:
    """Tell whether a file is secret, and would be open to all in the target."""
    return file.secret and file.content is not None and not keeps_secrets(target)


def _content_of(reader: BlockReader, file: ServerFile) -> bytes:
    return b"" if file.content is None else b"".join(read_content(reader, file.content))


def _named_anew(
    reader: BlockReader, file: ServerFile, table: BlockTable, moved: Moved, worker: TakesBlocks, target: Repository
) -> ServerFile:
    if file.content is None:
        return listed(file, encrypted=keeps_secrets(target))
    names = moved.ids[table.rows(expand(file.content, reader.fetch))].tobytes()
    content = worker.block_list(file.content.size, file.content.block_size, names)
    return msgspec.structs.replace(file, content=content)
