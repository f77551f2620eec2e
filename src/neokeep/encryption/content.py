"""Sealing what only readers may open: blocks in packs, and the log in segments.

Whoever seals makes an X25519 key pair for one pack or segment and forgets its private half; the key comes by
HKDF-SHA256 from the exchange with the repository's public content key. So a writer cannot open what it wrote a moment
ago. Bytes are laid out in docs/format.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from neokeep.encryption.secrets import KEY_SIZE, derived
from neokeep.errors import KeyNeededError

if TYPE_CHECKING:
    from neokeep.encryption.secrets import Secrets

SALT_SIZE = 16
HEAD_SIZE = SALT_SIZE + KEY_SIZE
"""Salt and ephemeral public key: from these and the private content key comes the key of a pack or segment."""

TAG = 16
_CONTENT = b"neokeep content"
_MOST_KNOWN = 4096

Data = bytes | bytearray | memoryview


class NotSealed(Exception):
    """Bytes that were not sealed with this key, under this number, for this purpose."""


class Seal:
    """The key of one pack or segment; `head` is stored with it. Safe to use from several threads."""

    def __init__(self, head: bytes, key: bytes) -> None:
        self.head = head
        self._cipher = AESGCM(key)

    def seal_into(self, number: int, content: Data, purpose: bytes, target: memoryview) -> None:
        """Seal content; `target` has 16 bytes more. No number may be used twice."""
        self._cipher.encrypt_into(_nonce(number), content, purpose, target)

    def seal(self, number: int, content: Data, purpose: bytes) -> bytes:
        """Seal content. No number may be used twice."""
        return self._cipher.encrypt(_nonce(number), content, purpose)

    def open(self, number: int, sealed: Data, purpose: Data) -> bytes:
        """Undo `seal`.

        Raises:
            NotSealed: it was not sealed so.
        """
        try:
            return self._cipher.decrypt(_nonce(number), sealed, purpose)
        except InvalidTag as problem:
            raise NotSealed from problem


class ContentKeys:
    """Makes and opens seals. Safe to use from several threads."""

    def __init__(self, secrets: Secrets) -> None:
        self._public = X25519PublicKey.from_public_bytes(secrets.content_public)
        self._public_bytes = secrets.content_public
        private = secrets.content_private
        self._private = None if private is None else X25519PrivateKey.from_private_bytes(private)
        self._known: dict[bytes, Seal] = {}
        self.block_ids = secrets.block_ids
        """The key of the ids of blocks."""

    @property
    def can_open(self) -> bool:
        """Whether this is a reader."""
        return self._private is not None

    def require_reader(self) -> None:
        """Prove that contents can be opened.

        Raises:
            KeyNeededError: only a writer's key is at hand.
        """
        if self._private is None:
            raise KeyNeededError(
                "this needs a reader key; the one that was given is a writer key, which can make backups and list them "
                "but cannot open their contents",
                remedy="Give a reader key of this repository; 'neokeep key list' shows which there are.",
            )

    def new_seal(self) -> Seal:
        """Make the key of a new pack or segment."""
        ephemeral = X25519PrivateKey.generate()
        head = os.urandom(SALT_SIZE) + ephemeral.public_key().public_bytes_raw()
        return self._seal(head, ephemeral.exchange(self._public))

    def seal_of(self, head: bytes) -> Seal:
        """Find the key of a pack or segment by what is stored with it.

        Raises:
            KeyNeededError: only a writer's key is at hand.
            NotSealed: this cannot be the head of one.
        """
        known = self._known.get(head)
        if known is not None:
            return known
        self.require_reader()
        assert self._private is not None
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(head[SALT_SIZE:]))
        except ValueError as problem:  # Of another length, or one of the few points that give no secret.
            raise NotSealed from problem
        made = self._seal(head, shared)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[head] = made
        return made

    def _seal(self, head: bytes, shared: bytes) -> Seal:
        purpose = _CONTENT + head[SALT_SIZE:] + self._public_bytes
        return Seal(head, derived(shared, purpose, head[:SALT_SIZE]))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "little")
