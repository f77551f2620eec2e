"""From what a user calls a repository to an open one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import UsageError
from neokeep.files import explained, fsync_directory
from neokeep.repository.probe import probe
from neokeep.repository.repository import CONFIG, Repository
from neokeep.storage.local import LocalStorage

if TYPE_CHECKING:
    from neokeep.storage.base import Storage


def init_repository(place: str) -> Repository:
    """Make a new repository at `place`, which must be free or an empty directory.

    Raises:
        RepositoryError: there is one already, or the place cannot hold one.
    """
    root = _local_path(place)
    with explained("make", root):
        if not root.is_dir():
            root.mkdir(parents=True, mode=0o750)
            fsync_directory(root.parent)
        strangers = [name for name in sorted(item.name for item in root.iterdir()) if name not in _OWN_NAMES]
    if strangers:
        raise UsageError(
            f"{root} is not empty: it holds {', '.join(strangers[:5])}",
            remedy="Choose a directory of its own for the repository.",
        )
    storage = LocalStorage(root)
    if not (root / CONFIG).exists():
        probe(storage)
    return Repository.create(storage)


def open_repository(place: str) -> Repository:
    """Open the repository at `place`.

    Raises:
        RepositoryError: there is none.
    """
    return Repository.open(open_storage(place))


def open_storage(place: str) -> Storage:
    """Open the storage that a user names."""
    return LocalStorage(_local_path(place))


_OWN_NAMES = {
    "config", "packs", "index", "backups", "segments", "damaged", "holds", "released", "writers", "revoked",
    "condemned", "leases", "probe", "tmp", "lost+found",
}  # fmt: skip


def _local_path(place: str) -> Path:
    if "://" in place:
        scheme, rest = place.split("://", 1)
        if scheme != "file":
            raise UsageError(
                f"{scheme}:// is not a kind of storage that this version of neokeep knows",
                remedy="Name a local directory.",
            )
        place = rest
    if not place:
        raise UsageError("the repository has an empty name", remedy="Give --repo DIR or set NEOKEEP_REPO.")
    return Path(place).expanduser().absolute()
