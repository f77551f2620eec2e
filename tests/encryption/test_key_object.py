"""Key objects: who can open them, and that nothing in them can be changed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from helpers.encrypted import SECRETS, writers_part
from neokeep.encryption import key_object
from neokeep.encryption.key_object import KeyObject, ScryptParameters, decode, for_passphrase, for_recipient
from neokeep.errors import IntegrityError, RepositoryError

if TYPE_CHECKING:
    from neokeep.encryption.secrets import Secrets

IDENTITY = X25519PrivateKey.generate()
PUBLIC = IDENTITY.public_key().public_bytes_raw()
PASSPHRASE = b"correct horse"


def passphrase_key() -> KeyObject:
    return for_passphrase(SECRETS, "id", PASSPHRASE, role="reader", name="n", cost=16)


def recipient_key() -> KeyObject:
    return for_recipient(SECRETS, "id", PUBLIC, role="reader", name="n")


def opened(key: KeyObject) -> Secrets | None:
    return key.open_with_passphrase(PASSPHRASE) or key.open_with_identity(IDENTITY)


@pytest.mark.parametrize("make", [passphrase_key, recipient_key])
def test_what_was_wrapped_is_read_and_opened(make: object) -> None:
    key = make()  # type: ignore[operator]
    assert opened(decode(key.object_name, key.encode())) == SECRETS


def test_a_writer_key_holds_no_private_key() -> None:
    for key in (
        for_passphrase(SECRETS, "id", PASSPHRASE, role="writer", name="", cost=16),
        for_recipient(SECRETS, "id", PUBLIC, role="writer", name=""),
    ):
        assert opened(key) == writers_part(SECRETS)


def test_a_writer_cannot_make_a_reader_key() -> None:
    with pytest.raises(ValueError, match="writer"):
        for_recipient(writers_part(SECRETS), "id", PUBLIC, role="reader", name="")


@given(st.binary(max_size=50))
def test_another_passphrase_opens_nothing(other: bytes) -> None:
    if other != PASSPHRASE:
        assert passphrase_key().open_with_passphrase(other) is None


def test_another_identity_opens_nothing() -> None:
    assert recipient_key().open_with_identity(X25519PrivateKey.generate()) is None
    assert passphrase_key().open_with_identity(IDENTITY) is None
    assert recipient_key().open_with_passphrase(PASSPHRASE) is None


KEYS = [passphrase_key(), recipient_key()]


@given(st.sampled_from(KEYS), st.data())
def test_a_bit_that_flipped_anywhere_is_damage_and_not_a_wrong_key(key: KeyObject, data: st.DataObject) -> None:
    content = bytearray(key.encode())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    # A number of the format that grew is told as such; a blank that became another one changes nothing.
    with suppress(IntegrityError, RepositoryError):
        assert decode(key.object_name, bytes(content)) == key


@given(st.sampled_from(KEYS), st.data())
def test_a_key_that_was_cut_anywhere_is_damaged(key: KeyObject, data: st.DataObject) -> None:
    content = key.encode()
    with pytest.raises(IntegrityError):
        decode(key.object_name, content[: data.draw(st.integers(0, len(content) - 3))])


def test_a_key_under_the_name_of_another_is_damaged() -> None:
    with pytest.raises(IntegrityError, match="keys/0"):
        decode("keys/0", KEYS[0].encode())


@pytest.mark.parametrize(
    "change", [{"role": "writer"}, {"name": "other"}, {"repository_id": "other"}, {"id": "0" * 32}]
)
@pytest.mark.parametrize("key", KEYS, ids=["passphrase", "recipient"])
def test_what_was_changed_with_a_right_checksum_opens_nothing(key: KeyObject, change: dict[str, str]) -> None:
    assert opened(msgspec.structs.replace(key, **change).sealed()) is None


def test_parts_of_two_keys_do_not_make_one() -> None:
    other = recipient_key()
    mixed = msgspec.structs.replace(KEYS[1], wrapped=other.wrapped, ephemeral=other.ephemeral).sealed()
    assert opened(mixed) is None


@pytest.mark.parametrize(
    ("n", "r", "p"),
    [(1 << 24, 8, 1), (1 << 10, 1 << 20, 1), (1 << 17, 8, 1 << 20), (1000, 8, 1), (0, 8, 1), (16, 0, 1)],
)
def test_a_forged_key_cannot_exhaust_the_machine(n: int, r: int, p: int) -> None:
    forged = msgspec.structs.replace(KEYS[0], scrypt=ScryptParameters(n, r, p, bytes(16))).sealed()
    with pytest.raises(IntegrityError):
        decode(forged.object_name, forged.encode())


def test_a_key_of_a_newer_format_is_told() -> None:
    newer = msgspec.structs.replace(KEYS[0], format=key_object.FORMAT + 1).sealed()
    with pytest.raises(RepositoryError, match="newer"):
        decode(newer.object_name, newer.encode())


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    with pytest.raises((IntegrityError, RepositoryError)):
        decode("keys/0", data)
