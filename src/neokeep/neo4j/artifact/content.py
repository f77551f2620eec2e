"""Reading what was unpacked, from the begin to the end, by numbers of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.neo4j.artifact.decode import cut_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.artifact.decode import Piece


class Content:
    """The pieces of a stream, read as one. `name` is that of the archive, for messages."""

    def __init__(self, name: str, pieces: Iterator[Piece]) -> None:
        self.name = name
        self._pieces = pieces
        self._piece = memoryview(b"")

    def some(self, most: int) -> memoryview:
        """Give the next bytes, up to `most`; none at the end. Valid until they are let go."""
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        taken, self._piece = self._piece[:most], self._piece[most:]
        return taken

    def exactly(self, size: int) -> bytes:
        """Give so many bytes.

        Raises:
            IntegrityError: the stream ends before.
        """
        parts = []
        while size:
            part = self.some(size)
            if not part:
                raise cut_off(self.name)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def peek(self, size: int) -> bytes:
        """Look at the next bytes, fewer only at the end."""
        while len(self._piece) < size and (more := next(self._pieces, b"")):
            self._piece = memoryview(bytes(self._piece) + more)
        return bytes(self._piece[:size])

    def going_on(self, pieces: Iterator[Piece]) -> Content:
        """Read on from here, what is held first, then these pieces."""
        other = Content(self.name, pieces)
        other._piece = self._piece
        return other

    @property
    def pieces(self) -> Iterator[Piece]:
        """What follows behind what is held."""
        return self._pieces
