"""Condemned objects: what garbage collection found that nothing needs, and will delete when a grace period is over.

A list of them is written once, named by its hash. Writers read all lists when they begin and count on no pack in
one. Bytes are laid out in docs/format.md.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from neokeep.compression import ZstdError, compress, decompress
from neokeep.errors import IntegrityError
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from neokeep.storage.base import Storage

PREFIX = "condemned"
MAGIC = b"NKCOND1\n"
_ID_SIZE = 32  # Not imported: opening a repository must not load what works with blocks.


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    packs: bytes
    segments: tuple[str, ...]
    salt: str


@dataclass(frozen=True, slots=True)
class Condemned:
    """One list: its object name, when it was created by the storage's clock, ids of packs, and names of segments."""

    name: str
    created: datetime
    packs: tuple[bytes, ...]
    segments: tuple[str, ...]


def condemn(storage: Storage, packs: Sequence[bytes], segments: Sequence[str]) -> str:
    """Store a list of what nothing needs; return its name."""
    # Salted: what was reprieved and is condemned again later has to wait anew.
    content = _Content(packs=b"".join(packs), segments=tuple(segments), salt=secrets.token_hex(8))
    data = MAGIC + compress(msgspec.json.encode(content), 3)
    name = f"{PREFIX}/{blake3(data).hexdigest()}"
    storage.create(name, data)
    return name


def list_condemned(storage: Storage) -> list[Condemned]:
    """Read all lists, the oldest first. One that is damaged counts for nobody, so nothing in it is deleted."""
    found: list[Condemned] = []
    for item in storage.list(PREFIX):
        try:
            content = _decode(item.name, storage.read(item.name))
        except (ObjectMissing, IntegrityError):
            continue
        if content is not None:
            packs = tuple(content.packs[at : at + _ID_SIZE] for at in range(0, len(content.packs), _ID_SIZE))
            found.append(Condemned(item.name, item.created, packs, content.segments))
    return sorted(found, key=lambda one: (one.created, one.name))


def condemned_packs(storage: Storage) -> frozenset[bytes]:
    """Give the ids of all packs that are condemned now."""
    return frozenset(pack for one in list_condemned(storage) for pack in one.packs)


def _decode(name: str, data: bytes) -> _Content | None:
    if not data.startswith(MAGIC) or blake3(data).hexdigest() != name.rsplit("/", 1)[1]:
        return None
    try:
        content = msgspec.json.decode(decompress(data[len(MAGIC) :]), type=_Content)
    except (msgspec.MsgspecError, ZstdError):
        return None
    return content if len(content.packs) % _ID_SIZE == 0 else None
