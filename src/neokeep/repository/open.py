"""From what a user calls a repository to an open one."""

from __future__ import annotations

from neokeep.errors import UsageError
from neokeep.repository.probe import probe
from neokeep.repository.repository import CONFIG, Repository
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place

_OWN_NAMES = {
    "config", "packs", "index", "backups", "segments", "damaged", "holds", "released", "writers", "revoked",
    "condemned", "leases", "healing", "probe", "tmp", "lost+found",
}  # fmt: skip


def init_repository(place: str | Place) -> Repository:
    """Make a new repository at `place`, which must be free, or an empty directory or prefix.

    Raises:
        RepositoryError: there is one already, or the place cannot hold one.
        UsageError: the place holds something else.
        AccessError, CredentialsError, UnreachableError, ClockError: the storage cannot be used.
    """
    storage = open_storage(_place(place))
    present = storage.prepare()
    strangers = [name for name in present if name not in _OWN_NAMES]
    if strangers:
        raise UsageError(
            f"{storage.url} is not empty: it holds {', '.join(strangers[:5])}",
            remedy="Choose a directory or prefix of its own for the repository.",
        )
    if CONFIG not in present:
        probe(storage)
    return Repository.create(storage)


def open_repository(place: str | Place) -> Repository:
    """Open the repository at `place`.

    Raises:
        RepositoryError: there is none.
        AccessError, CredentialsError, UnreachableError, ClockError: the storage cannot be used.
    """
    return Repository.open(open_storage(_place(place)))


def _place(place: str | Place) -> Place:
    return Place(place) if isinstance(place, str) else place
