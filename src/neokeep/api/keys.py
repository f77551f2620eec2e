"""The keys of encrypted repositories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.api.places import optional_path, place_of
from neokeep.errors import UsageError
from neokeep.storage.place import NO_KEYS, KeySources, Place

if TYPE_CHECKING:
    from neokeep.api.places import Directory
    from neokeep.encryption.secrets import Role
    from neokeep.reports import KeyListReport, KeyPairReport, KeyReport


def key_list(place: Directory | Place) -> KeyListReport:
    """List the keys of an encrypted repository; no key is needed for it."""
    from neokeep.repository.keys import describe_keys

    return describe_keys(place_of(place))


def key_add(
    place: Directory | Place,
    *,
    role: Role = "reader",
    name: str = "",
    recipient: Directory | None = None,
    new: KeySources = NO_KEYS,
) -> KeyReport:
    """Add a key for a recipient (a file with a public key), or for the new passphrase that `new` finds."""
    from neokeep.repository.keys import add_one

    if role not in {"reader", "writer"}:
        raise UsageError(f"role={role!r} is not known", remedy="Use 'reader' or 'writer'.")
    return add_one(place_of(place), role=role, name=name, recipient=optional_path(recipient), new=new)


def key_remove(place: Directory | Place, identity: str) -> KeyReport:
    """Remove a key by its id or the begin of it; the last reader key stays."""
    from neokeep.repository.keys import remove_one

    return remove_one(place_of(place), identity)


def key_change_passphrase(place: Directory | Place, new: KeySources) -> KeyReport:
    """Put the passphrase that `new` finds in the place of the one that opens the repository."""
    from neokeep.repository.keys import change_passphrase

    return change_passphrase(place_of(place), new)


def key_generate(path: Directory) -> KeyPairReport:
    """Make a pair of keys: the private one in a new file, the public one beside it with `.pub` added."""
    from neokeep.repository.keys import generate

    return generate(Path(path))
