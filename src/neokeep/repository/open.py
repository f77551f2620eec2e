"""From what a user calls a repository to an open one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.errors import UsageError
from neokeep.repository.probe import probe
from neokeep.repository.repository import CONFIG, Repository
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_OWN_NAMES = {
    "config", "keys", "packs", "index", "backups", "segments", "damaged", "holds", "released", "writers", "revoked",
    "condemned", "leases", "verified", "healing", "probe", "tmp", "lost+found",
}  # fmt: skip


def init_repository(
    place: str | Place, recipients: Sequence[Path] = (), writer_recipients: Sequence[Path] = ()
) -> Repository:
    """Make a new repository at `place`, which must be free, or an empty directory or prefix.

    It is encrypted where the place has keys, or there are recipients: files with public keys.

    Raises:
        RepositoryError: there is one already, or the place cannot hold one.
        ConfigurationError: a key cannot be read.
        UsageError: the place holds something else.
        AccessError, CredentialsError, UnreachableError, ClockError: the storage cannot be used.
    """
    chosen = _place(place)
    keys = None
    if chosen.keys.given or recipients or writer_recipients:
        from neokeep.encryption.creating import first_keys

        keys = first_keys(chosen.keys, recipients, writer_recipients)
    storage = open_storage(chosen)
    present = storage.prepare()
    strangers = [name for name in present if name not in _OWN_NAMES]
    if strangers:
        raise UsageError(
            f"{storage.url} is not empty: it holds {', '.join(strangers[:5])}",
            remedy="Choose a directory or prefix of its own for the repository.",
        )
    if CONFIG in present:
        keys = None  # It is refused; no key is left there for it.
    else:
        probe(storage)
    return Repository.create(storage, keys)


def open_repository(place: str | Place) -> Repository:
    """Open the repository at `place`.

    Raises:
        RepositoryError: there is none.
        KeyNeededError, WrongKeyError: it is encrypted, and no key is given or none fits.
        NotEncryptedError: a key is given, and it is not encrypted.
        AccessError, CredentialsError, UnreachableError, ClockError: the storage cannot be used.
    """
    chosen = _place(place)
    return Repository.open(open_storage(chosen), chosen.keys)


def _place(place: str | Place) -> Place:
    return Place(place) if isinstance(place, str) else place
