"""Whether two repositories hold the same backup under one label.

A capture is known by all that its manifest says, times of microseconds among it. How blocks are called, who stored
them, what they cost there, why it is of its type and which log was new is the repository's own. So is what there is of
the server's other files: secrets are in encrypted ones only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from neokeep.repository.manifest import NO_BLOCKS, Manifest, Statistics

if TYPE_CHECKING:
    from neokeep.repository.repository import Repository

_NO_COST = Statistics(
    seconds=0, bytes_read=0, size_bytes=0, stored_bytes=0, blocks=0, new_blocks=0, attempts=0, file_retries=0
)


def same_backup(one: Manifest, other: Manifest) -> bool:
    """Tell whether two manifests are of one capture."""
    return _bare(one) == _bare(other)


def same_names(one: Repository, other: Repository) -> bool:
    """Tell whether two repositories give the same content the same block id."""
    return one.naming == other.naming


def _bare(manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(
        manifest, files=NO_BLOCKS, writer=None, statistics=_NO_COST, reason="", first_transaction=0, server=None
    )
