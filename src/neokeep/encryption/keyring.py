"""The keys of a repository: opening with one, listing, adding, removing, changing a passphrase.

Key objects are written once like all others. Changing is adding, proving that the new one opens, and removing the old:
at no moment is there no key. At least one reader key always stays. Changes are made under a lease.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from neokeep.encryption import key_object
from neokeep.encryption.key_object import KeyObject
from neokeep.encryption.sources import Credentials, read_credentials
from neokeep.errors import IntegrityError, KeyNeededError, NeokeepError, RepositoryError, UsageError, WrongKeyError
from neokeep.repository.lease import leased
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.encryption.secrets import Role, Secrets
    from neokeep.storage.base import Storage
    from neokeep.storage.place import KeySources

LEASE = "keys"
LASTS = timedelta(minutes=30)
Wrap = Callable[["Secrets", str], KeyObject]
"""Makes the key object of some secrets for the repository of an id."""


@dataclass(frozen=True, slots=True)
class DamagedKey:
    """A key object that cannot be read, and why."""

    id: str
    error: NeokeepError


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What a key gave: the secrets of the repository, and the key object that held them."""

    secrets: Secrets
    key: KeyObject


def list_keys(storage: Storage, repository_id: str) -> list[KeyObject | DamagedKey]:
    """List the keys of a repository, oldest first, damaged ones last; those of another repository are left out."""
    found: list[KeyObject] = []
    damaged: list[DamagedKey] = []
    for item in storage.list(key_object.PREFIX):
        try:
            key = key_object.decode(item.name, storage.read(item.name, 0, key_object.LARGEST))
        except ObjectMissing:
            continue
        except (IntegrityError, RepositoryError) as problem:
            damaged.append(DamagedKey(item.name.rsplit("/", 1)[1], problem))
        else:
            if key.repository_id == repository_id:
                found.append(key)
    return [*sorted(found, key=lambda key: (key.created_at, key.id)), *damaged]


def unlock(storage: Storage, repository_id: str, sources: KeySources) -> Unlocked:
    """Open a repository with what is given; where that opens several keys, with a reader's.

    Raises:
        KeyNeededError: nothing is given, and nobody can be asked.
        WrongKeyError: it opens none.
        IntegrityError: it opens none, and key objects are damaged.
    """
    credentials = read_credentials(sources, storage.url)
    if credentials.passphrase is None and credentials.identity is None:
        raise KeyNeededError(
            f"{storage.url} is encrypted and no key was given",
            remedy="Give --passphrase-file, --passphrase-command or --identity-file, or the variables of the same "
            "names that begin with NEOKEEP_.",
        )
    keys = list_keys(storage, repository_id)
    whole = [key for key in keys if isinstance(key, KeyObject)]
    for key in sorted(whole, key=lambda key: key.role != "reader"):
        secrets = _opened(key, credentials)
        if secrets is not None:
            return Unlocked(secrets, key)
    damaged = [key for key in keys if isinstance(key, DamagedKey)]
    if damaged:
        raise IntegrityError(
            f"{key_object.PREFIX}/{damaged[0].id} is damaged, and no other key of {storage.url} fits what was given",
            remedy="Use another passphrase or identity, or put that object back from a copy of the repository.",
        )
    raise _wrong(storage.url, credentials, whole)


def _opened(key: KeyObject, credentials: Credentials) -> Secrets | None:
    secrets = None
    if credentials.identity is not None:
        secrets = key.open_with_identity(credentials.identity)
    if secrets is None and credentials.passphrase is not None:
        secrets = key.open_with_passphrase(credentials.passphrase)
    return secrets


def _wrong(url: str, credentials: Credentials, keys: Sequence[KeyObject]) -> WrongKeyError:
    if not keys:
        return WrongKeyError(
            f"{url} is encrypted and has no key at all: what is below {key_object.PREFIX}/ is gone",
            remedy="Put those objects back from a copy; without any of them nothing there can be read.",
        )
    if credentials.passphrase is None:
        return WrongKeyError(
            f"no key of {url} is made for this identity", remedy="Give another one; 'neokeep key list' needs none."
        )
    if all(key.kind != "passphrase" for key in keys):
        return WrongKeyError(f"{url} has no key with a passphrase", remedy="Give --identity-file.")
    return WrongKeyError(f"the passphrase opens no key of {url}", remedy="Check it, and that it is this repository's.")


def add_key(
    storage: Storage, repository_id: str, unlocked: Secrets, wrap: Wrap, reopen: Credentials | None
) -> KeyObject:
    """Store one more key; where `reopen` is given, prove with it that the stored object opens.

    Raises:
        LockedError: another process changes keys.
        KeyNeededError: a reader key was asked for, and only a writer's is at hand.
    """
    with leased(storage, LEASE, LASTS) as lease:
        key = _made(unlocked, repository_id, wrap)
        lease.check()
        _store(storage, key, unlocked, reopen)
    return key


def remove_key(storage: Storage, repository_id: str, identity: str) -> str:
    """Remove a key by the begin of its id; return the id.

    Raises:
        UsageError: there is none, there are several, or it is the last reader key.
        LockedError: another process changes keys.
    """
    with leased(storage, LEASE, LASTS) as lease:
        keys = list_keys(storage, repository_id)
        key = _named(keys, identity)
        _require_another_reader(keys, key.id)
        lease.check()
        storage.delete(f"{key_object.PREFIX}/{key.id}")
    return key.id


def replace_key(storage: Storage, repository_id: str, old: Unlocked, wrap: Wrap, reopen: Credentials) -> KeyObject:
    """Put a new key in the place of one: store it, prove that it opens, remove the old one.

    Raises:
        LockedError: another process changes keys.
        IntegrityError: the new one does not open; the old one stays.
    """
    with leased(storage, LEASE, LASTS) as lease:
        key = _made(old.secrets, repository_id, wrap)
        lease.check()
        _store(storage, key, old.secrets, reopen)
        lease.check()
        storage.delete(old.key.object_name)
    return key


def store_first_keys(storage: Storage, keys: Sequence[KeyObject]) -> None:
    """Store the keys of a repository that does not exist yet; where one fails, none stays."""
    try:
        for key in keys:
            storage.create(key.object_name, key.encode())
    except BaseException:
        remove_first_keys(storage, keys)
        raise


def remove_first_keys(storage: Storage, keys: Sequence[KeyObject]) -> None:
    """Remove keys of a repository that did not come to be."""
    for key in keys:
        with suppress(NeokeepError):
            storage.delete(key.object_name)


def _made(unlocked: Secrets, repository_id: str, wrap: Wrap) -> KeyObject:
    try:
        return wrap(unlocked, repository_id)
    except ValueError as problem:
        raise KeyNeededError(
            "only a reader can make a reader key, and a writer key was given",
            remedy="Give a reader key of this repository, or make a writer key.",
        ) from problem


def _store(storage: Storage, key: KeyObject, unlocked: Secrets, reopen: Credentials | None) -> None:
    """Store a key and read it back; a key that does not open what it should is removed again."""
    storage.create(key.object_name, key.encode())
    stored = key_object.decode(key.object_name, storage.read(key.object_name))
    if stored != key or (reopen is not None and not _gives(_opened(stored, reopen), unlocked, key.role)):
        storage.delete(key.object_name)
        raise IntegrityError(
            f"the new key {key.object_name} does not open the repository",
            remedy="Nothing else was changed. Check that storage, and try again.",
        )


def _gives(found: Secrets | None, secrets: Secrets, role: Role) -> bool:
    return found is not None and found.bundle(role) == secrets.bundle(role)


def _named(keys: Sequence[KeyObject | DamagedKey], identity: str) -> KeyObject | DamagedKey:
    found = [key for key in keys if key.id.startswith(identity)]
    if len(found) != 1 or not identity:
        what = "is no key of this repository" if not found else f"is the begin of {len(found)} keys"
        raise UsageError(f"{identity!r} {what}", remedy="See their ids: neokeep key list")
    return found[0]


def _require_another_reader(keys: Sequence[KeyObject | DamagedKey], identity: str) -> None:
    removed = next(key for key in keys if key.id == identity)
    if isinstance(removed, DamagedKey) or removed.role != "reader":
        return
    if not any(isinstance(key, KeyObject) and key.role == "reader" and key.id != identity for key in keys):
        raise UsageError(
            f"{identity} is the last reader key: without it nothing could be restored, ever",
            remedy="Add another reader key first: neokeep key add",
        )
