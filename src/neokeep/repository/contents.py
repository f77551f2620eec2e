"""What is in a backup: its file list, and the blocks of each file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import IntegrityError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.blocklist import MAP_BLOCK, block_length, expand, split_ids
from neokeep.repository.manifest import FileEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neokeep.repository.manifest import BlockList, Manifest
    from neokeep.repository.reader import BlockReader


def file_list(reader: BlockReader, manifest: Manifest) -> list[FileEntry]:
    """Read the file list of a backup.

    Raises:
        IntegrityError: a block of it is missing or damaged.
    """
    content = manifest.files
    ids = split_ids(expand(content, reader.fetch))
    data = b"".join(reader.fetch(identity, block_length(content, number)) for number, identity in enumerate(ids))
    try:
        return msgspec.json.decode(data, type=list[FileEntry])
    except msgspec.MsgspecError as problem:
        raise IntegrityError(
            f"the file list of backup {manifest.label} cannot be read", remedy="Use another backup."
        ) from problem


def structure_ids(own: BlockList, files: Sequence[FileEntry]) -> Iterator[tuple[bytes, int]]:
    """Yield id and content size of every block that holds a list: the file list itself, and lists of ids."""
    for content in (own, *(file.content for file in files)):
        if content.depth == 1 or content is own:
            roots = split_ids(content.ids)
            total = content.size if content.depth == 0 else -(-content.size // content.block_size) * ID_SIZE
            size = content.block_size if content.depth == 0 else MAP_BLOCK
            for number, identity in enumerate(roots):
                yield identity, min(size, total - number * size)


def expand_file(reader: BlockReader, file: FileEntry) -> bytes:
    """Return the ids of all blocks of a file, concatenated.

    Raises:
        IntegrityError: a block that holds them is missing or damaged.
    """
    return expand(file.content, reader.fetch)
