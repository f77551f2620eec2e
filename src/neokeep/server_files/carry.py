"""The server's other files of a chain in the full backup that it is consolidated into: by their blocks, not anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from neokeep.errors import AWAY, NeokeepError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import blocks_of
from neokeep.repository.manifest import NO_BLOCKS, Manifest, ServerFiles
from neokeep.repository.reader import BlockReader

if TYPE_CHECKING:
    from neokeep.repository.repository import Repository
    from neokeep.repository.writer import BlockWriter


@dataclass(frozen=True, slots=True)
class Carried:
    """What the new backup has of them, and what there is to tell."""

    files: ServerFiles | None
    events: tuple[str, ...] = ()


def carried_over(repository: Repository, base: Manifest, writer: BlockWriter) -> Carried:
    """Take over the newest of the server's other files in a chain, as far as the repository has them whole."""
    chain = [
        item
        for item in repository.manifests()
        if isinstance(item, Manifest) and base.label in (item.label, item.base) and item.server is not None
    ]
    newest = max(chain, key=lambda item: item.finished_at, default=None)
    if newest is None or newest.server is None:
        return Carried(None)
    bare = msgspec.structs.replace(newest, files=NO_BLOCKS)
    try:
        found = [ids for ids, _ in blocks_of(BlockReader.of(repository), bare)]
    except AWAY:
        raise
    except NeokeepError as problem:
        return Carried(None, (f"the server's other files are left out: {problem.message}",))
    distinct = np.unique(np.frombuffer(b"".join(found), f"S{ID_SIZE}")).view(f"V{ID_SIZE}")
    if not writer.count_on(distinct).all():
        return Carried(None, ("the server's other files are left out: some blocks of them are missing or damaged",))
    return Carried(newest.server)
