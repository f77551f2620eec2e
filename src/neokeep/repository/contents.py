"""What is in a backup: its file list, and the blocks of each file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from neokeep.errors import IntegrityError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.blocklist import MAP_BLOCK, block_length, expand, split_ids
from neokeep.repository.manifest import FileEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

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


def blocks_of(reader: BlockReader, manifest: Manifest) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
    """Yield ids and content sizes of all blocks of a backup: of those that hold lists, and of those of each file.

    Raises:
        IntegrityError: a block that holds a list is missing or damaged.
    """
    files = file_list(reader, manifest)
    for identity, size in structure_ids(manifest.files, files):
        yield identity, np.array([size], np.int64)
    for file in files:
        ids = expand_file(reader, file)
        count = len(ids) // ID_SIZE
        sizes = np.full(count, file.content.block_size, np.int64)
        if count:
            sizes[-1] = file.content.size - (count - 1) * file.content.block_size
        yield ids, sizes
