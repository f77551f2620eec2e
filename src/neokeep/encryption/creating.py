"""The first keys of a new repository: its secrets, and whom they are wrapped for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from neokeep.encryption.key_object import for_passphrase, for_recipient
from neokeep.encryption.keyring import Wrap, remove_first_keys, store_first_keys
from neokeep.encryption.secrets import Role, Secrets
from neokeep.encryption.sources import Credentials, read_credentials, read_recipient
from neokeep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neokeep.encryption.key_object import KeyObject
    from neokeep.storage.base import Storage
    from neokeep.storage.place import KeySources


@dataclass(frozen=True, slots=True, repr=False)
class FirstKeys:
    """New secrets, and how they are wrapped."""

    secrets: Secrets
    wraps: tuple[Wrap, ...]

    def store(self, storage: Storage, repository_id: str) -> list[KeyObject]:
        """Store the key objects of a repository that is about to be made."""
        keys = [wrap(self.secrets, repository_id) for wrap in self.wraps]
        store_first_keys(storage, keys)
        return keys

    @staticmethod
    def take_back(storage: Storage, keys: Sequence[KeyObject]) -> None:
        """Remove them again: the repository did not come to be."""
        remove_first_keys(storage, keys)


def first_keys(
    sources: KeySources, recipients: Sequence[Path] = (), writer_recipients: Sequence[Path] = ()
) -> FirstKeys | None:
    """Read what is given for a new repository; None where nothing is: it will not be encrypted.

    Raises:
        UsageError: nobody could read what is written there.
        ConfigurationError, AccessError: a key cannot be read.
    """
    if not (sources.given or recipients or writer_recipients):
        return None
    silent = sources if sources.prompt else replace(sources, ask=None)
    credentials = read_credentials(silent, "the new repository", twice=True)
    wraps = [
        *wraps_of(credentials, "reader", ""),
        *(recipient_wrap(path, "reader", "") for path in recipients),
        *(recipient_wrap(path, "writer", "") for path in writer_recipients),
    ]
    if len(wraps) == len(writer_recipients):
        raise UsageError(
            "only writer keys were given: nobody could ever restore from that repository",
            remedy="Give a passphrase, or a recipient that may read: --recipient PUBLIC.pem",
        )
    return FirstKeys(Secrets.generate(), tuple(wraps))


def wraps_of(credentials: Credentials, role: Role, name: str) -> list[Wrap]:
    """Wrap for what opens a key: a passphrase, an identity, or both."""
    wraps: list[Wrap] = []
    if credentials.passphrase is not None:
        passphrase = credentials.passphrase
        wraps.append(lambda secrets, id_: for_passphrase(secrets, id_, passphrase, role=role, name=name))
    if credentials.identity is not None:
        public = credentials.identity.public_key().public_bytes_raw()
        wraps.append(partial(_for_recipient, recipient=public, role=role, name=name))
    return wraps


def recipient_wrap(path: Path, role: Role, name: str) -> Wrap:
    """Wrap for the public key in a file, by default under the name of that file."""
    recipient = read_recipient(path)
    return partial(_for_recipient, recipient=recipient, role=role, name=name or path.name)


def _for_recipient(secrets: Secrets, repository_id: str, *, recipient: bytes, role: Role, name: str) -> KeyObject:
    return for_recipient(secrets, repository_id, recipient, role=role, name=name)
