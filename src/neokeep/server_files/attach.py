"""Putting the server's other files into an incremental backup, which has no blocks else.

Where they are as they were in the newest backup of the chain, their list there is taken over: nothing is stored, and no
index is read. Otherwise they are stored by a writer of blocks, as in a full backup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from neokeep.server_files.gather import NamesOnly, keeps_secrets, store

if TYPE_CHECKING:
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository
    from neokeep.server_files.gather import Gathered


def commit_with(
    gathered: Gathered | None, newest: Manifest | None, repository: Repository, manifest: Manifest
) -> Manifest:
    """Commit an incremental backup together with what was gathered; `newest` is one of its chain to share with.

    Raises:
        RepositoryError: a backup that it rests on expired meanwhile, or its writer was given up.
    """
    # It may be the twin of one in another repository, whose writer is not known here.
    manifest = msgspec.structs.replace(manifest, writer=None, server=None)
    if gathered is None:
        return repository.commit(manifest)
    encrypted = keeps_secrets(repository)
    server = store(gathered, NamesOnly(repository), encrypted=encrypted)
    if newest is not None and newest.server is not None and newest.server.files == server.files:
        return repository.commit(msgspec.structs.replace(manifest, server=server), shared_with=newest.label)
    from neokeep.repository.writer import BlockWriter

    writer = BlockWriter(repository)
    try:
        server = store(gathered, writer, encrypted=encrypted)
        writer.finish()
        cost = msgspec.structs.replace(
            manifest.statistics,
            stored_bytes=manifest.statistics.stored_bytes + writer.stored_bytes,
            blocks=writer.blocks,
            new_blocks=writer.new_blocks,
        )
        return writer.commit(msgspec.structs.replace(manifest, server=server, statistics=cost))
    finally:
        writer.close()
