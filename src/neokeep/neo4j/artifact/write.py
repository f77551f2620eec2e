"""Writing an archive of Neo4j as a stream: a `.dump` (DZV1), or a full `.backup` (BZV2) where there is metadata.

The sizes of all files are known before the first byte, as the layout wants it. Times in the tar are fixed, so that the
same files make the same archive. zstd works on several threads; what they hold at a time is bounded.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from zstandard import STRATEGY_FAST, ZstdCompressionParameters, ZstdCompressor

from neokeep.neo4j.artifact.metadata import encode_metadata
from neokeep.neo4j.artifact.read import COUNTS, COUNTS_VERSION, MARK
from neokeep.neo4j.artifact.tar import BLOCK

if TYPE_CHECKING:
    from zstandard import ZstdCompressionWriter

    from neokeep.neo4j.artifact.metadata import BackupMetadata

Data = bytes | bytearray | memoryview
Write = Callable[[Data], object]
"""Takes bytes on their way out."""

LEVEL = 3
OWN_FRAME_FROM = 16 * 1024 * 1024
"""Bytes of a file from which on it is packed by what suits its records; smaller ones go with what is around them."""

_BY_LEVEL = {"compression_level": LEVEL}
# Small tables stay in the processor's cache. Measured on stores of 5.26: relationships are smaller than with level 3 in
# half of the time; properties are larger by 2 percent in 0.6 of it, and all of it is as large as with level 3.
_SUITED = {
    "neostore.relationshipstore.db": {"strategy": STRATEGY_FAST, "window_log": 19, "hash_log": 14, "min_match": 4},
    "neostore.propertystore.db": {"strategy": STRATEGY_FAST, "window_log": 20, "hash_log": 12, "min_match": 6},
}
_TIME = 946_727_935
"""Seconds since the epoch that Neo4j 2026 gives to all files, for the same reason."""

_FOLDER_MODE = 0o755
_GATHERED = 1024 * 1024
_END = bytes(2 * BLOCK)


class _Sink:
    """What the library writes to."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is kept here."""


class ArtifactWriter:
    """Writes one archive: for each file its header, then its bytes; then the end."""

    def __init__(
        self, write: Write, files: int, size: int, *, metadata: BackupMetadata | None = None, threads: int
    ) -> None:
        write(b"DZV1" if metadata is None else b"BZV2")
        self._sink, self._threads = _Sink(write), max(1, threads)
        self._suited: dict[str, int] = _BY_LEVEL
        self._stream = self._frame()
        self._files, self._size, self._left = files, size, 0
        self._padding = 0
        self._folders: set[str] = set()
        self._stream.write(MARK)
        if metadata is not None:
            self._stream.write(encode_metadata(metadata))
        self._stream.write(COUNTS.pack(COUNTS_VERSION, files, size))

    def begin_file(self, path: str, size: int, mode: int) -> None:
        """Begin the next file; so many bytes of it have to follow. Its directories come before it.

        The load of Neo4j 4.4 makes no directory that has no entry.
        """
        self._end_file()
        self._suit(path, size)
        for folder in (path[:at] for at, letter in enumerate(path) if letter == "/"):
            if folder not in self._folders:
                self._folders.add(folder)
                self._header(folder, 0, _FOLDER_MODE, tarfile.DIRTYPE)
        self._header(path, size, mode, tarfile.REGTYPE)
        self._files -= 1
        self._size -= size
        self._left, self._padding = size, -size % BLOCK

    def write(self, data: Data) -> None:
        """Add the next bytes of the file."""
        self._left -= len(data)
        self._stream.write(data)

    def finish(self) -> None:
        """End the archive: nothing may be missing.

        Raises:
            ValueError: there were other files or bytes than was said; what was written is no archive.
        """
        self._end_file()
        if self._files or self._size:
            raise ValueError(f"{self._files} files and {self._size} bytes are missing in the archive")
        self._stream.write(_END)
        self._stream.close()  # type: ignore[no-untyped-call]

    def _suit(self, path: str, size: int) -> None:
        """Begin another zstd frame where the next file is packed in another way: Neo4j reads them as one."""
        suited = _SUITED.get(path, _BY_LEVEL)
        if size >= OWN_FRAME_FROM and suited is not self._suited:
            self._stream.close()  # type: ignore[no-untyped-call]
            self._suited = suited
            self._stream = self._frame()

    def _frame(self) -> ZstdCompressionWriter:
        # With threads of its own the library makes the same bytes whatever their number.
        parameters = ZstdCompressionParameters(write_checksum=True, threads=self._threads, **self._suited)
        packer = ZstdCompressor(compression_params=parameters)
        return packer.stream_writer(self._sink, write_size=_GATHERED, closefd=False)  # type: ignore[arg-type]

    def _header(self, path: str, size: int, mode: int, kind: bytes) -> None:
        info = tarfile.TarInfo(path)
        info.size, info.mode, info.mtime, info.type = size, mode, _TIME, kind
        self._stream.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _end_file(self) -> None:
        if self._left:
            raise ValueError(f"{self._left} bytes are missing in a file of the archive")
        self._stream.write(bytes(self._padding))
        self._padding = 0
