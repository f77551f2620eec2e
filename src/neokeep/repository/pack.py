"""Packs: objects of about 32 MiB that hold many blocks and say which.

A pack is named by the BLAKE3 of its bytes, so any tool can check one. Its footer lists its blocks: the index is only a
cache of all footers. In an encrypted repository each block is sealed. Bytes are laid out in docs/format.md.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from neokeep.errors import IntegrityError
from neokeep.files import AlignedBuffer
from neokeep.repository.block import ID_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from neokeep.encryption.content import ContentKeys, Seal

MAGIC = b"NKPACK1\n"
SEALED_MAGIC = b"NKPACK2\n"
END_MAGIC = b"NKPEND1\n"
SALT_SIZE = 16
HEAD_SIZE = len(MAGIC) + SALT_SIZE
SEAL_SIZE = SALT_SIZE + 32
"""What stands behind the magic of a sealed pack: a salt, and the public key that was made for it."""

_TAG = 16
TARGET_SIZE = 32 * 1024 * 1024
FOOTER_ROOM = 2 * 1024 * 1024

ENTRY = np.dtype([("id", f"V{ID_SIZE}"), ("offset", "<u4"), ("stored", "<u4"), ("size", "<u4")])
"""One block of a pack: id, offset in the pack, stored bytes, content bytes."""

_ENTRY = struct.Struct(f"<{ID_SIZE}sIII")
_TRAILER = struct.Struct("<32sI4x8s")
TRAILER_SIZE = _TRAILER.size
MOST_ENTRIES = (FOOTER_ROOM - TRAILER_SIZE) // _ENTRY.size


@dataclass(frozen=True, slots=True)
class Pack:
    """A stored pack: its id, its size in bytes, and its entries (1-d array of ENTRY).

    `seal` is what the key of its blocks comes from; empty where they are not sealed.
    """

    identity: bytes
    size: int
    entries: NDArray[np.void]
    seal: bytes = b""


def pack_name(identity: bytes) -> str:
    """Return the object name of a pack."""
    text = identity.hex()
    return f"packs/{text[:2]}/{text}"


class PackBuilder:
    """Collects blocks in one aligned buffer and hands whole packs to `store`. One per thread.

    With keys, each block is sealed on its way into the buffer: its number is its offset, which no other block has.
    The first pack is stored when it has the part `first` of a whole one.
    """

    def __init__(
        self, store: Callable[[str, memoryview], None], keys: ContentKeys | None = None, first: float = 1.0
    ) -> None:
        self._store = store
        self._target = int(first * TARGET_SIZE)
        self._keys = keys
        self._seal: Seal | None = None
        self._buffer = AlignedBuffer(TARGET_SIZE + FOOTER_ROOM)
        self._entries = bytearray()
        self._end = 0
        self.packs: list[Pack] = []
        self._restart()

    def _restart(self) -> None:
        # Salted: a pack that replaces a damaged one must not have its name, or create-if-absent would keep the damage.
        self._seal = None if self._keys is None else self._keys.new_seal()
        head = MAGIC + os.urandom(SALT_SIZE) if self._seal is None else SEALED_MAGIC + self._seal.head
        self._buffer.view[: len(head)] = head
        self._end = len(head)
        self._entries = bytearray()

    def add(self, identity: bytes, head: bytes, payload: Buffer, size: int) -> None:
        """Append one block, which is stored in two parts; stores the pack first when it would not fit any more."""
        plain = len(head) + memoryview(payload).nbytes
        stored = plain if self._seal is None else plain + _TAG
        if self._end + stored > self._target or len(self._entries) >= MOST_ENTRIES * _ENTRY.size:
            self.flush()
        view = self._buffer.view
        if self._seal is None:
            behind = self._end + len(head)
            view[self._end : behind] = head
            view[behind : self._end + stored] = payload
        else:
            content = b"".join((head, payload))
            self._seal.seal_into(self._end, content, identity, view[self._end : self._end + stored])
        self._entries += _ENTRY.pack(identity, self._end, stored, size)
        self._end += stored

    def absorb(self, other: PackBuilder) -> None:
        """Take over what another builder collected and did not store yet."""
        for identity, offset, stored, size in _ENTRY.iter_unpack(other._entries):
            view = other._buffer.view[offset : offset + stored]
            if other._seal is not None:
                view = memoryview(other._seal.open(offset, view, identity))
            self.add(identity, b"", view, size)
        other._restart()

    def flush(self) -> None:
        """Store what was collected, if anything."""
        if not self._entries:
            return
        footer = bytes(self._entries)
        count = len(footer) // _ENTRY.size
        trailer = _TRAILER.pack(blake3(footer).digest(), count, END_MAGIC)
        size = self._end + len(footer) + len(trailer)
        view = self._buffer.view[:size]
        view[self._end :] = footer + trailer
        identity = blake3(view).digest()
        self._store(pack_name(identity), view)
        seal = b"" if self._seal is None else self._seal.head
        self.packs.append(Pack(identity, size, np.frombuffer(footer, ENTRY), seal))
        self._target = TARGET_SIZE
        self._restart()

    def close(self) -> None:
        """Give the buffer back; what was not flushed is dropped."""
        self._buffer.close()


def read_footer(identity: bytes, size: int, read: Callable[[int, int], bytes], *, sealed: bool = False) -> Pack:
    """Read which blocks a stored pack holds, from its end; `read(offset, length)` reads the object.

    Of a `sealed` pack its head is read too.

    Raises:
        IntegrityError: the pack is cut or its footer is damaged, or it is not sealed and should be.
    """
    head_size = len(MAGIC) + SEAL_SIZE if sealed else HEAD_SIZE
    if size < head_size + TRAILER_SIZE:
        raise _damaged(identity, "is cut")
    try:
        digest, count, magic = _TRAILER.unpack(read(size - TRAILER_SIZE, TRAILER_SIZE))
    except (struct.error, ValueError, OSError) as problem:
        raise _damaged(identity, "is cut") from problem
    length = count * _ENTRY.size
    if magic != END_MAGIC or length + TRAILER_SIZE + head_size > size:
        raise _damaged(identity, "does not end as a pack must")
    footer = read(size - TRAILER_SIZE - length, length)
    if len(footer) != length or blake3(footer).digest() != digest:
        raise _damaged(identity, "has a damaged footer")
    head = read(0, head_size) if sealed else b""
    if sealed and (len(head) != head_size or not head.startswith(SEALED_MAGIC)):
        raise _damaged(identity, "does not begin as a sealed pack must")
    return Pack(identity, size, np.frombuffer(footer, ENTRY), head[len(SEALED_MAGIC) :])


def check_pack(identity: bytes, data: bytes, *, sealed: bool = False) -> Pack:
    """Prove that `data` is the pack of that name and return what it holds."""
    if blake3(data).digest() != identity:
        raise _damaged(identity, "does not have the content that its name says")
    return read_footer(identity, len(data), lambda offset, length: data[offset : offset + length], sealed=sealed)


def _damaged(identity: bytes, what: str) -> IntegrityError:
    return IntegrityError(
        f"{pack_name(identity)} {what}", remedy="Run 'neokeep verify' to see which backups this touches."
    )
