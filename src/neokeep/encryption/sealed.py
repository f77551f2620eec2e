"""A storage whose names and objects are encrypted; whoever uses it sees both as they are without encryption.

An object is cut into pieces of 64 KiB, each sealed with AES-256-GCM under a key of this object alone. The nonce says
which piece it is and whether it is the last, the associated data is the object's stored name: so pieces cannot be
changed, moved, or left out at the end, and no object passes for another one. Bytes are laid out in docs/format.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from neokeep.encryption.content import ContentKeys
from neokeep.encryption.names import Names, is_plain
from neokeep.encryption.secrets import derived
from neokeep.errors import IntegrityError
from neokeep.storage.base import ObjectExists, ObjectMissing, StoredObject
from neokeep.storage.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from neokeep.encryption.secrets import Secrets
    from neokeep.storage.base import Storage

MAGIC = b"NKSEAL1\n"
SALT_SIZE = 16
HEAD_SIZE = len(MAGIC) + SALT_SIZE
PIECE = 64 * 1024
TAG = 16
_SEALED_PIECE = PIECE + TAG
_OBJECT = b"neokeep object"


class Sealed(Layer):
    """Encrypts names and objects on their way to another storage."""

    def __init__(self, inner: Storage, secrets: Secrets) -> None:
        super().__init__(inner)
        self._secrets = secrets
        self._content = ContentKeys(secrets)
        self._names = Names(secrets.names)
        self._key = secrets.objects

    @property
    def content_keys(self) -> ContentKeys:
        """See Storage.content_keys."""
        return self._content

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create."""
        stored = self._names.stored(name)
        try:
            self.inner.create(stored, data if is_plain(name) else seal(self._key, stored, memoryview(data).cast("B")))
        except ObjectExists as problem:
            raise ObjectExists(f"{name} exists already in {self.url}", remedy=problem.remedy) from problem

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read.

        Raises:
            ObjectMissing: there is none.
            IntegrityError: its seal does not hold, or is that of another object.
        """
        stored = self._names.stored(name)
        try:
            if is_plain(name):
                return self.inner.read(stored, offset, length)
            return self._read(stored, offset, length)
        except ObjectMissing as problem:
            raise ObjectMissing(f"{name} is missing in {self.url}", remedy=problem.remedy) from problem
        except _Broken as problem:
            raise IntegrityError(
                f"{name} is damaged, or is another object: its seal does not hold ({stored} in {self.url})",
                remedy="Run 'neokeep verify' to see what this touches.",
            ) from problem

    def stat(self, name: str) -> StoredObject:
        """See Storage.stat."""
        try:
            return self._described(name, self.inner.stat(self._names.stored(name)))
        except ObjectMissing as problem:
            raise ObjectMissing(f"{name} is missing in {self.url}", remedy=problem.remedy) from problem

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list. What was not named with the key of this repository is left out."""
        for item in self.inner.list(self._names.stored(prefix)):
            name = self._names.logical(item.name)
            if name is not None:
                yield self._described(name, item)

    def delete(self, name: str) -> None:
        """See Storage.delete."""
        self.inner.delete(self._names.stored(name))

    def _read(self, stored: str, offset: int, length: int | None) -> bytes:
        """Read the pieces that hold a range, and one byte more to learn whether others follow."""
        first = offset // PIECE
        count = None if length is None else (offset + max(length, 1) - 1) // PIECE - first + 1
        wanted = None if count is None else count * _SEALED_PIECE + 1
        if first == 0:
            data = self.inner.read(stored, 0, None if wanted is None else HEAD_SIZE + wanted)
            head, body = data[:HEAD_SIZE], memoryview(data)[HEAD_SIZE:]
        else:
            head = self.inner.read(stored, 0, HEAD_SIZE)
            body = memoryview(self.inner.read(stored, HEAD_SIZE + first * _SEALED_PIECE, wanted))
            if not body:
                # Behind the end; that this is the end is proven by the last piece.
                first, body = 0, memoryview(self.inner.read(stored))[HEAD_SIZE:]
                count = None
        content = unseal(self._key, stored, head, body, first, count)
        start = offset - first * PIECE
        return content[start:] if length is None else content[start : start + length]

    def _described(self, name: str, item: StoredObject) -> StoredObject:
        return StoredObject(name, item.size if is_plain(name) else content_size(item.size), item.created)


class _Broken(Exception):
    """A seal does not hold."""


def seal(key: bytes, stored: str, content: memoryview) -> bytearray:
    """Seal an object under a key of its own, for one stored name."""
    head = MAGIC + os.urandom(SALT_SIZE)
    cipher = _cipher(key, head)
    result = bytearray(sealed_size(len(content)))
    result[:HEAD_SIZE] = head
    view, pieces = memoryview(result), max(1, -(-len(content) // PIECE))
    name = stored.encode()
    for number in range(pieces):
        plain = content[number * PIECE : (number + 1) * PIECE]
        start = HEAD_SIZE + number * _SEALED_PIECE
        nonce = _nonce(number, last=number == pieces - 1)
        cipher.encrypt_into(nonce, plain, name, view[start : start + len(plain) + TAG])
    return result


def unseal(key: bytes, stored: str, head: bytes, body: memoryview, first: int, count: int | None) -> bytes:
    """Open up to `count` pieces from number `first` on, all where it is None; a byte behind them says that more follow.

    Raises:
        _Broken: they are not what was sealed under this name.
    """
    if len(head) != HEAD_SIZE or not head.startswith(MAGIC):
        raise _Broken
    cipher = _cipher(key, head)
    held = max(1, -(-len(body) // _SEALED_PIECE))
    name = stored.encode()
    opened: list[bytes] = []
    try:
        for at in range(held if count is None else min(held, count)):
            piece = body[at * _SEALED_PIECE : (at + 1) * _SEALED_PIECE]
            opened.append(cipher.decrypt(_nonce(first + at, last=at == held - 1), piece, name))
    except InvalidTag as problem:
        raise _Broken from problem
    return opened[0] if len(opened) == 1 else b"".join(opened)


def sealed_size(size: int) -> int:
    """Give the stored bytes of an object with so much content."""
    return HEAD_SIZE + size + max(1, -(-size // PIECE)) * TAG


def content_size(size: int) -> int:
    """Undo `sealed_size`; what cannot be sealed has none."""
    body = max(0, size - HEAD_SIZE)
    return max(0, body - -(-body // _SEALED_PIECE) * TAG)


def _cipher(key: bytes, head: bytes) -> AESGCM:
    return AESGCM(derived(key, _OBJECT, head[len(MAGIC) :]))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "little") + (b"\1" if last else b"\0")
