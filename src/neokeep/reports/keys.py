"""Reports on the keys of encrypted repositories."""

from __future__ import annotations

from datetime import datetime

import msgspec

from neokeep.reports.backups import Failure


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a repository, as everybody may see it. `recipient` is a public key in hex, null for a passphrase."""

    id: str
    role: str
    kind: str
    name: str
    created_at: datetime
    recipient: str | None


class KeyListReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `key list`."""

    repository: str
    repository_id: str
    keys: tuple[KeyInfo, ...]
    damaged: tuple[Failure, ...] = ()


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `key add`, `key remove` and `key change-passphrase`: the key that came, the id of one that went."""

    repository: str
    key: KeyInfo | None
    removed: str | None


class KeyPairReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `key generate`: the files."""

    private_file: str
    public_file: str
