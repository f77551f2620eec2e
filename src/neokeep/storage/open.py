"""From a place to its storage, with the decorators that its options ask for.

The libraries of a kind are imported only when it is used; where they are missing, the error says what to install.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import ConfigurationError
from neokeep.extras import MissingExtra
from neokeep.storage.address import Address, parse_address
from neokeep.storage.local import LocalStorage
from neokeep.storage.retrying import Retrying
from neokeep.storage.throttled import Throttled

if TYPE_CHECKING:
    from neokeep.storage.base import Storage
    from neokeep.storage.place import Place


_NO_LOCK = {
    "file": "whoever may write into a directory may also remove files, and only root can forbid it",
    "sftp": "SFTP has no request for it; a server may offer snapshots instead",
    "gs": "the library that neokeep uses cannot set a date there; set a retention policy on the bucket",
    "az": "the library that neokeep uses does not sign such a request; set a time-based policy on the container",
}


def open_storage(place: Place) -> Storage:
    """Open the storage that a user names. For a directory nothing is touched, for a server nothing is asked yet.

    Raises:
        UsageError: the name makes no sense.
        ConfigurationError: the options do not, or a library is missing.
    """
    address = parse_address(place.url)
    if place.options.immutable_for and address.scheme != "s3":
        raise ConfigurationError(
            f"{address.url} cannot keep objects from being removed (--immutable-for): {_NO_LOCK[address.scheme]}",
            remedy="Use an S3 bucket with object lock, or leave it out and lock by the storage's own means.",
        )
    storage = _backend(address, place)
    if address.scheme != "file":
        storage = Retrying(storage, place.options.retries)
    if place.options.bandwidth:
        storage = Throttled(storage, place.options.bandwidth)
    return storage


def _backend(address: Address, place: Place) -> Storage:
    if address.scheme == "file":
        return LocalStorage(Path(address.path))
    try:
        if address.scheme == "sftp":
            from neokeep.storage.sftp import SftpStorage

            return SftpStorage(address, place.options)
        from neokeep.storage.clouds import open_bucket

        return open_bucket(address, place.options)
    except ModuleNotFoundError as problem:
        extra = "sftp" if address.scheme == "sftp" else "cloud"
        raise MissingExtra(f"{address.scheme}://", problem.name, extra) from problem
