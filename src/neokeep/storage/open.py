"""From a place to its storage, with the decorators that its options ask for.

The libraries of a kind are imported only when it is used; where they are missing, the error says what to install.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import ConfigurationError
from neokeep.storage.address import Address, parse_address
from neokeep.storage.local import LocalStorage
from neokeep.storage.retrying import Retrying
from neokeep.storage.throttled import Throttled

if TYPE_CHECKING:
    from neokeep.storage.base import Storage
    from neokeep.storage.place import Place


def open_storage(place: Place) -> Storage:
    """Open the storage that a user names. For a directory nothing is touched, for a server nothing is asked yet.

    Raises:
        UsageError: the name makes no sense.
        ConfigurationError: the options do not, or a library is missing.
    """
    address = parse_address(place.url)
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
        raise ConfigurationError(
            f"{address.scheme}:// needs {problem.name}, which is not installed",
            remedy=f"Install it, for example: pip install 'neokeep[{extra}]'",
        ) from problem
