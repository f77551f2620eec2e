"""What is in a backup: its file list, that of the server's other files, and the blocks of each file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from neokeep.errors import IntegrityError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.blocklist import MAP_BLOCK, block_length, expand, split_ids
from neokeep.repository.manifest import BlockList, FileEntry, ServerFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from neokeep.repository.manifest import Manifest
    from neokeep.repository.reader import BlockReader

Entry = TypeVar("Entry", FileEntry, ServerFile)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of files of a backup: its own blocks, and the files in it that have some."""

    own: BlockList
    files: tuple[FileEntry, ...]


def has_blocks(manifest: Manifest) -> bool:
    """Tell whether a backup has blocks of its own: every full one, and what holds other files of the server."""
    return bool(manifest.files.size) or manifest.server is not None


def listings(reader: BlockReader, manifest: Manifest, seen: set[BlockList] | None = None) -> list[Listing]:
    """Read the lists of files of a backup, without those of server's files that were `seen`, and note them there.

    Raises:
        IntegrityError: a block of them is missing or damaged.
    """
    found = [Listing(manifest.files, tuple(file_list(reader, manifest)))] if manifest.files.size else []
    if manifest.server is not None and (seen is None or manifest.server.files not in seen):
        if seen is not None:
            seen.add(manifest.server.files)
        found.append(server_listing(manifest.server.files, server_file_list(reader, manifest)))
    return found


def files_of(found: Sequence[Listing]) -> list[FileEntry]:
    """Put the files of several lists one behind the other."""
    return [file for listing in found for file in listing.files]


def server_listing(own: BlockList, files: Sequence[ServerFile]) -> Listing:
    """See files of a server as what has blocks in a backup."""
    return Listing(
        own,
        tuple(
            FileEntry(area=file.area, path=file.path, kind="other", mode=file.mode, content=file.content)
            for file in files
            if file.content is not None
        ),
    )


def server_file_list(reader: BlockReader, manifest: Manifest) -> list[ServerFile]:
    """Read the list of the server's other files; empty where the backup has none.

    Raises:
        IntegrityError: a block of it is missing or damaged.
    """
    return [] if manifest.server is None else _read_list(reader, manifest.label, manifest.server.files, ServerFile)


def read_content(reader: BlockReader, content: BlockList) -> Iterator[bytes]:
    """Read content block by block.

    Raises:
        IntegrityError: a block of it is missing or damaged.
    """
    for number, identity in enumerate(split_ids(expand(content, reader.fetch))):
        yield reader.fetch(identity, block_length(content, number))


def file_list(reader: BlockReader, manifest: Manifest) -> list[FileEntry]:
    """Read the file list of a backup.

    Raises:
        IntegrityError: a block of it is missing or damaged.
    """
    return _read_list(reader, manifest.label, manifest.files, FileEntry)


def _read_list(reader: BlockReader, label: str, content: BlockList, kind: type[Entry]) -> list[Entry]:
    data = b"".join(read_content(reader, content))
    try:
        return msgspec.json.decode(data, type=list[kind])  # type: ignore[valid-type]
    except msgspec.MsgspecError as problem:
        raise IntegrityError(
            f"the file list of backup {label} cannot be read", remedy="Use another backup."
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


def blocks_of(
    reader: BlockReader, manifest: Manifest, seen: set[BlockList] | None = None
) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
    """Yield ids and content sizes of all blocks of a backup: of those that hold lists, and of those of each file.

    Lists of server's files that were `seen` are passed over, and noted there: many backups share one.

    Raises:
        IntegrityError: a block that holds a list is missing or damaged.
    """
    found = listings(reader, manifest, seen)
    for listing in found:
        for identity, size in structure_ids(listing.own, listing.files):
            yield identity, np.array([size], np.int64)
    for file in files_of(found):
        ids = expand_file(reader, file)
        count = len(ids) // ID_SIZE
        sizes = np.full(count, file.content.block_size, np.int64)
        if count:
            sizes[-1] = file.content.size - (count - 1) * file.content.block_size
        yield ids, sizes
