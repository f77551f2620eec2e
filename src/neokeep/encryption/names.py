"""Names that tell nothing: every level below the first is encrypted, always to the same text.

AES-SIV (RFC 5297) is deterministic, so create-if-absent and listing below a level work as they do without encryption,
and it proves that a name was made with the key: what somebody else put there is ignored. The path above a level is
part of what is authenticated, so the same label looks different at each place.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from neokeep.storage.base import checked_name

PLAIN = frozenset({"config", "keys", "packs", "probe", "tmp"})
"""First levels below which nothing is changed, neither names nor contents."""

PADDED_TO = 64
LONGEST_LEVEL = 128
"""Bytes of a level; more would not fit a file name when they are encrypted."""

_PARENTS = 4096


def is_plain(name: str) -> bool:
    """Tell whether a name and its object are stored as they are."""
    return name.partition("/")[0] in PLAIN


class Names:
    """Encrypts and decrypts names of objects. Safe to use from several threads."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)
        # Levels that many names share; the last level of each name is its own.
        self._stored_parent = lru_cache(_PARENTS)(self._stored_levels)
        self._logical_parent = lru_cache(_PARENTS)(self._logical_levels)

    def stored(self, name: str) -> str:
        """Give the name under which an object is stored.

        Raises:
            ValueError: it is no name, or would become too long.
        """
        checked_name(name)
        if is_plain(name):
            return name
        parent, separator, level = name.rpartition("/")
        return checked_name(f"{self._stored_parent(parent)}/{self._seal(parent, level)}") if separator else name

    def logical(self, stored: str) -> str | None:
        """Undo `stored`; None for a name that was not made with this key."""
        if is_plain(stored):
            return stored
        above, separator, level = stored.rpartition("/")
        if not separator:
            return stored
        parent = self._logical_parent(above)
        opened = None if parent is None else self._open(parent, level)
        return None if opened is None else f"{parent}/{opened}"

    def _stored_levels(self, name: str) -> str:
        return self.stored(name)

    def _logical_levels(self, stored: str) -> str | None:
        return self.logical(stored)

    def _seal(self, parent: str, level: str) -> str:
        plain = level.encode()
        if len(plain) > LONGEST_LEVEL:
            raise ValueError(f"not an object name: {level!r} is too long to be encrypted")
        padded = plain.ljust(-(-len(plain) // PADDED_TO) * PADDED_TO, b"\0")
        sealed = self._cipher.encrypt(padded, [parent.encode()])
        return base64.b32encode(sealed).decode().rstrip("=").lower()

    def _open(self, parent: str, level: str) -> str | None:
        try:
            sealed = base64.b32decode(level.upper() + "=" * (-len(level) % 8))
            name = self._cipher.decrypt(sealed, [parent.encode()]).rstrip(b"\0").decode()
            # Base 32 has several texts for some bytes; only the one that is written counts.
            return name if self._seal(parent, name) == level else None
        except (InvalidTag, ValueError):
            return None
