"""Key objects, `keys/ID`: the secrets of a repository, wrapped for one passphrase or one public key.

They are JSON for everybody to read but for the wrapped secrets. All that is readable is authenticated by the wrapping,
and a checksum tells a damaged object from a wrong key. Field by field in docs/format.md.
"""

from __future__ import annotations

import os
import re
import secrets as random
from datetime import UTC, datetime
from typing import Literal

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from neokeep.encryption.secrets import KEY_SIZE, Role, Secrets, derived
from neokeep.errors import IntegrityError, RepositoryError, SpaceError

FORMAT = 1
PREFIX = "keys"
LARGEST = 64 * 1024
"""Bytes of a key object, at most."""

COST = 1 << 17
"""scrypt's N of new passphrase keys: 128 MiB of memory and some half a second for each try."""

_MOST_MEMORY = 1 << 30
_MOST_WORK = 1 << 31
_ID = re.compile(r"[0-9a-f]{32}")
_RECIPIENT = b"neokeep recipient"
_NONCE = bytes(12)
"""Every wrapping has a key of its own: that comes from a random salt, or from a key pair made for it."""


class ScryptParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Salt and cost of scrypt (RFC 7914)."""

    n: int
    r: int
    p: int
    salt: bytes

    def derive(self, passphrase: bytes) -> bytes:
        """Derive the wrapping key; MemoryError where the machine has too little."""
        return Scrypt(self.salt, KEY_SIZE, self.n, self.r, self.p).derive(passphrase)

    def is_bounded(self) -> bool:
        """Tell whether these cost no more than a machine can give; a forged object must not exhaust it."""
        numbers = self.n > 1 and self.n & (self.n - 1) == 0 and self.r > 0 and self.p > 0 and len(self.salt) >= 16
        return numbers and 128 * self.n * self.r <= _MOST_MEMORY and 128 * self.n * self.r * self.p <= _MOST_WORK


class KeyObject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key of a repository. Of `scrypt` and `recipient` with `ephemeral`, those of its kind are there."""

    format: int
    id: str
    repository_id: str
    role: Role
    kind: Literal["passphrase", "recipient"]
    name: str
    created_at: datetime
    scrypt: ScryptParameters | None = None
    recipient: bytes = b""
    ephemeral: bytes = b""
    wrapped: bytes = b""
    checksum: str = ""

    @property
    def object_name(self) -> str:
        """The name of the object."""
        return f"{PREFIX}/{self.id}"

    @property
    def authenticated(self) -> bytes:
        """What the wrapping authenticates: the compact JSON without what is wrapped, and without the checksum."""
        return msgspec.json.encode(msgspec.structs.replace(self, wrapped=b"", checksum=""))

    def sealed(self) -> KeyObject:
        """Return this with its right checksum."""
        bare = msgspec.structs.replace(self, checksum="")
        return msgspec.structs.replace(self, checksum=blake3(msgspec.json.encode(bare)).hexdigest())

    def encode(self) -> bytes:
        """Serialise it."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def open_with_passphrase(self, passphrase: bytes) -> Secrets | None:
        """Unwrap the secrets; None where the passphrase is another one.

        Raises:
            SpaceError: this machine has not the memory that it takes.
        """
        if self.scrypt is None:
            return None
        try:
            key = self.scrypt.derive(passphrase)
        except MemoryError as problem:
            raise SpaceError(
                f"opening {self.object_name} takes {128 * self.scrypt.n * self.scrypt.r >> 20} MiB of memory",
                remedy="Give this process more, or use a recipient key, which needs none.",
            ) from problem
        return self._unwrapped(key)

    def open_with_identity(self, identity: X25519PrivateKey) -> Secrets | None:
        """Unwrap the secrets; None where the key is made for another identity."""
        if self.kind != "recipient" or identity.public_key().public_bytes_raw() != self.recipient:
            return None
        try:
            shared = identity.exchange(X25519PublicKey.from_public_bytes(self.ephemeral))
        except ValueError:
            return None
        return self._unwrapped(_recipient_key(shared, self.ephemeral, self.recipient))

    def _unwrapped(self, key: bytes) -> Secrets | None:
        try:
            bundle = AESGCM(key).decrypt(_NONCE, self.wrapped, self.authenticated)
            return Secrets.from_bundle(self.role, bundle)
        except (InvalidTag, ValueError):
            return None


def for_passphrase(
    secrets: Secrets, repository_id: str, passphrase: bytes, *, role: Role, name: str, cost: int | None = None
) -> KeyObject:
    """Wrap secrets for a passphrase."""
    scrypt = ScryptParameters(cost or COST, 8, 1, os.urandom(16))
    bare = _bare(repository_id, role, "passphrase", name)
    key = scrypt.derive(passphrase)
    return _wrapped(msgspec.structs.replace(bare, scrypt=scrypt), secrets, key)


def for_recipient(secrets: Secrets, repository_id: str, recipient: bytes, *, role: Role, name: str) -> KeyObject:
    """Wrap secrets for an X25519 public key of 32 bytes; ValueError where no secret can be agreed on with it."""
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    bare = _bare(repository_id, role, "recipient", name)
    made = msgspec.structs.replace(bare, recipient=recipient, ephemeral=public)
    return _wrapped(made, secrets, _recipient_key(shared, public, recipient))


def decode(name: str, data: bytes) -> KeyObject:
    """Read the object of a name.

    Raises:
        IntegrityError: it is damaged, or that of another name.
        RepositoryError: it is of a newer format.
    """
    try:
        if msgspec.json.decode(data, type=_Format).format > FORMAT:
            raise RepositoryError(f"{name} has a newer format than this neokeep", remedy="Upgrade neokeep.")
        key = msgspec.json.decode(data, type=KeyObject)
        sound = key == key.sealed() and key.object_name == name and _ID.fullmatch(key.id) and _is_complete(key)
    except (msgspec.MsgspecError, ValueError, OverflowError) as problem:
        raise _damaged(name) from problem
    if not sound:
        raise _damaged(name)
    return key


class _Format(msgspec.Struct, frozen=True):
    format: int


def _is_complete(key: KeyObject) -> bool:
    if key.kind == "passphrase":
        return key.scrypt is not None and key.scrypt.is_bounded() and not key.recipient and not key.ephemeral
    return key.scrypt is None and len(key.recipient) == len(key.ephemeral) == KEY_SIZE


def _bare(repository_id: str, role: Role, kind: Literal["passphrase", "recipient"], name: str) -> KeyObject:
    return KeyObject(
        format=FORMAT,
        id=random.token_hex(16),
        repository_id=repository_id,
        role=role,
        kind=kind,
        name=name,
        created_at=datetime.now(UTC),
    )


def _wrapped(bare: KeyObject, secrets: Secrets, key: bytes) -> KeyObject:
    wrapped = AESGCM(key).encrypt(_NONCE, secrets.bundle(bare.role), bare.authenticated)
    return msgspec.structs.replace(bare, wrapped=wrapped).sealed()


def _recipient_key(shared: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
    return derived(shared, _RECIPIENT + ephemeral + recipient)


def _damaged(name: str) -> IntegrityError:
    return IntegrityError(
        f"the key object {name} is damaged",
        remedy="Use another key of this repository; then remove this one with 'neokeep key remove', and add it anew.",
    )
