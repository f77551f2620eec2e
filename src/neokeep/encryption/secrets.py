"""The secrets of one repository, and the keys that are derived from them.

Writers hold the metadata key and the public half of the content key pair; readers hold the private half too. Every key
that is used is derived with HKDF-SHA256 (RFC 5869) and a text of its own, so none serves two purposes. Layout:
docs/format.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Role = Literal["reader", "writer"]
KEY_SIZE = 32
_BLOCK_IDS = b"neokeep block ids"
_NAMES = b"neokeep names"
_OBJECTS = b"neokeep objects"


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What the keys of a repository open: 32 bytes each; `content_private` is None for a writer."""

    metadata: bytes
    content_public: bytes
    content_private: bytes | None

    @classmethod
    def generate(cls) -> Secrets:
        """Make the secrets of a new repository."""
        private = X25519PrivateKey.generate()
        return cls(os.urandom(KEY_SIZE), private.public_key().public_bytes_raw(), private.private_bytes_raw())

    @classmethod
    def from_bundle(cls, role: Role, bundle: bytes) -> Secrets:
        """Undo `bundle`; ValueError where the length is wrong."""
        if len(bundle) != 2 * KEY_SIZE:
            raise ValueError("a bundle of keys has 64 bytes")
        metadata, content = bundle[:KEY_SIZE], bundle[KEY_SIZE:]
        if role == "writer":
            return cls(metadata, content, None)
        return cls(metadata, X25519PrivateKey.from_private_bytes(content).public_key().public_bytes_raw(), content)

    def bundle(self, role: Role) -> bytes:
        """Put together what a role gets: the metadata key, then the private or the public content key.

        Raises:
            ValueError: the private key is not at hand.
        """
        content = self.content_public if role == "writer" else self.content_private
        if content is None:
            raise ValueError("a writer cannot give what it does not have")
        return self.metadata + content

    @property
    def role(self) -> Role:
        """Who holds this."""
        return "writer" if self.content_private is None else "reader"

    @property
    def block_ids(self) -> bytes:
        """The key of the ids of blocks: 32 bytes."""
        return derived(self.metadata, _BLOCK_IDS)

    @property
    def names(self) -> bytes:
        """The key of names: 64 bytes, for AES-SIV with AES-256."""
        return derived(self.metadata, _NAMES, length=64)

    @property
    def objects(self) -> bytes:
        """The key from which those of sealed objects come: 32 bytes."""
        return derived(self.metadata, _OBJECTS)

    def __repr__(self) -> str:
        return f"Secrets(role={self.role!r})"


def derived(key: bytes, purpose: bytes, salt: bytes = b"", *, length: int = KEY_SIZE) -> bytes:
    """Derive a key for one purpose by HKDF-SHA256."""
    return HKDF(SHA256(), length, salt, purpose).derive(key)
