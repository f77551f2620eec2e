"""The keys of a repository as its owners see them: listing, adding, removing, changing a passphrase.

Listing needs no key. Everything else opens the repository first, and proves what it stored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.encryption.creating import recipient_wrap, wraps_of
from neokeep.encryption.key_object import KeyObject
from neokeep.encryption.keyring import DamagedKey, Unlocked, add_key, list_keys, remove_key, replace_key, unlock
from neokeep.encryption.sealed import Sealed
from neokeep.encryption.sources import generate_identity, read_credentials
from neokeep.errors import NotEncryptedError, UsageError
from neokeep.repository.repository import ENCRYPTION, RepositoryConfig, read_config
from neokeep.storage.open import open_storage
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.encryption.secrets import Role
    from neokeep.storage.base import Storage


def describe_keys(place: str | Place) -> reports.KeyListReport:
    """List the keys of a repository.

    Raises:
        NotEncryptedError: it has none.
        RepositoryError: there is none.
    """
    storage, config = _encrypted(_place(place))
    keys = list_keys(storage, config.repository_id)
    return reports.KeyListReport(
        repository=storage.url,
        repository_id=config.repository_id,
        keys=tuple(key_info(key) for key in keys if isinstance(key, KeyObject)),
        damaged=tuple(
            reports.Failure(subject=key.id, kind=key.error.kind, message=key.error.message, remedy=key.error.remedy)
            for key in keys
            if isinstance(key, DamagedKey)
        ),
    )


def add_one(place: str | Place, *, role: Role, name: str, recipient: Path | None, new: KeySources) -> reports.KeyReport:
    """Add a key for a recipient, or for a new passphrase where there is none.

    Raises:
        UsageError: both are given, or neither.
        KeyNeededError, WrongKeyError: the repository does not open, or a writer would make a reader key.
    """
    if recipient is not None and new.given:
        raise UsageError("a recipient was given beside a new passphrase", remedy="Add one key after the other.")
    storage, config, unlocked = _unlocked(_place(place))
    if recipient is not None:
        wraps, reopen = [recipient_wrap(recipient, role, name)], None
    else:
        reopen = read_credentials(new, "the new key", twice=True)
        wraps = wraps_of(reopen, role, name)
        if not wraps:
            raise UsageError(
                "it is not said whom the new key is for",
                remedy="Give --recipient PUBLIC.pem, --new-passphrase-file or --new-passphrase-command.",
            )
    key = add_key(storage, config.repository_id, unlocked.secrets, wraps[0], reopen)
    return reports.KeyReport(repository=storage.url, key=key_info(key), removed=None)


def remove_one(place: str | Place, identity: str) -> reports.KeyReport:
    """Remove a key by its id or the begin of it.

    Raises:
        UsageError: there is no such key, or it is the last that can read.
        KeyNeededError, WrongKeyError: the repository does not open with a reader key.
    """
    storage, config, _ = _unlocked(_place(place))
    if storage.content_keys is not None:
        storage.content_keys.require_reader()
    removed = remove_key(storage, config.repository_id, identity)
    return reports.KeyReport(repository=storage.url, key=None, removed=removed)


def change_passphrase(place: str | Place, new: KeySources) -> reports.KeyReport:
    """Put another passphrase in the place of the one that opens the repository.

    Raises:
        UsageError: it was opened with an identity, or no new passphrase is given.
        KeyNeededError, WrongKeyError: the repository does not open.
    """
    storage, config, unlocked = _unlocked(_place(place))
    old = unlocked.key
    if old.kind != "passphrase":
        raise UsageError(
            "the repository was opened with an identity, which has no passphrase to change",
            remedy="Give the present passphrase; or add another key and remove this one.",
        )
    reopen = read_credentials(replace(new, identity_file=None), "the repository from now on", twice=True)
    wrap = next(iter(wraps_of(reopen, old.role, old.name)), None)
    if wrap is None:
        raise UsageError(
            "no new passphrase was given", remedy="Give --new-passphrase-file or --new-passphrase-command."
        )
    key = replace_key(storage, config.repository_id, unlocked, wrap, reopen)
    return reports.KeyReport(repository=storage.url, key=key_info(key), removed=old.id)


def generate(path: Path) -> reports.KeyPairReport:
    """Make a pair of keys in two new files.

    Raises:
        UsageError: one of the files is there already.
        AccessError, SpaceError: they cannot be written.
    """
    public = generate_identity(path)
    return reports.KeyPairReport(private_file=str(path), public_file=str(public))


def key_info(key: KeyObject) -> reports.KeyInfo:
    """Tell of one key what everybody may know."""
    return reports.KeyInfo(
        id=key.id,
        role=key.role,
        kind=key.kind,
        name=key.name,
        created_at=key.created_at,
        recipient=key.recipient.hex() or None,
    )


def _place(place: str | Place) -> Place:
    return Place(place) if isinstance(place, str) else place


def _encrypted(place: Place) -> tuple[Storage, RepositoryConfig]:
    storage = open_storage(place)
    config = read_config(storage)
    if ENCRYPTION not in config.features:
        raise NotEncryptedError(
            f"{storage.url} is not encrypted, so it has no keys",
            remedy="Whether a repository is encrypted is decided when it is made: neokeep init --passphrase-file FILE",
        )
    return storage, config


def _unlocked(place: Place) -> tuple[Storage, RepositoryConfig, Unlocked]:
    storage, config = _encrypted(place)
    unlocked = unlock(storage, config.repository_id, place.keys)
    return Sealed(storage, unlocked.secrets), config, unlocked
