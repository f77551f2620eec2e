"""The `neostore` file: which store is this, and in which format.

`read_store_id(directory)` answers with a `StoreId` for record stores in aligned or standard format, of 4.4 and of 5.x
and later, and refuses everything else by name: block and high_limit stores, and directories that hold no database.
The parsers take bytes and raise SourceError, nothing else. Big endian: one page of 9-byte slots (in-use byte, value).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.errors import AccessError, NeokeepError, SourceError
from neokeep.files import explain

if TYPE_CHECKING:
    from pathlib import Path

NEOSTORE = "neostore"
STORE_ID_BYTES = 64
LEGACY_STORE_ID_BYTES = 40

_SLOT = struct.Struct(">Bq")
_LONG = struct.Struct(">q")
_LEGACY_ID = struct.Struct(">5q")
_NOT_LEGACY = struct.unpack(">q", bytes.fromhex("CF1BBCDCB7A56463"))[0]
_MARKER_SLOT = 4
_STORE_UUID_SLOTS = (0, 1)
_DATABASE_UUID_SLOTS = (2, 3)
_STORE_ID_SLOTS = range(5, 13)
_SERIALISATION = 1
_SUPPORTED_FORMATS = frozenset({"aligned", "standard"})
_LEGACY_FORMATS = {"AF": "aligned", "SF": "standard", "HL": "high_limit", "vE": "high_limit", "v0": "standard"}
_LEGACY_VERSIONS = frozenset({"AF4.3.0", "SF4.3.0"})
_HEADER_BYTES = 8192
_BLOCK_PREFIX = "block."


@dataclass(frozen=True, slots=True)
class StoreId:
    """What tells one store from another; never changes while a store lives in one format.

    `version` is the format version: `1.1` since 5.0, `AF4.3.0` and the like in 4.4.
    """

    creation_time: int
    random: int
    engine: str
    store_format: str
    version: str
    legacy: bool = False

    @classmethod
    def parse(cls, blob: bytes, where: str) -> StoreId:
        """Read the serialised form of 5.0 and later, zero-padded or not, as log headers and checkpoints hold it."""
        try:
            return cls._parse(blob)
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise _unreadable(where) from error

    @classmethod
    def _parse(cls, blob: bytes) -> StoreId:
        kind, creation, random = struct.unpack_from(">Bqq", blob)
        if kind != _SERIALISATION:
            raise IndexError(kind)
        engine, at = _short_text(blob, 17)
        family, at = _short_text(blob, at)
        return cls(creation, random, engine, family, f"{blob[at]}.{blob[at + 1]}")

    @classmethod
    def parse_legacy(cls, blob: bytes, where: str) -> StoreId:
        """Read the 40-byte form of 4.4 log headers and checkpoints."""
        if len(blob) < LEGACY_STORE_ID_BYTES:
            raise _unreadable(where)
        creation, random, version, _, _ = _LEGACY_ID.unpack_from(blob)
        return cls.from_legacy(creation, random, version, where)

    @classmethod
    def from_legacy(cls, creation_time: int, random: int, version: int, where: str) -> StoreId:
        """Build the id of a 4.4 store from its numbers; `version` is the packed text."""
        text = _legacy_text(version)
        if text is None:
            raise _unreadable(where)
        store_format = _LEGACY_FORMATS.get(text[:2], text)
        return cls(creation_time, random, "record", store_format, text, legacy=True)

    def __str__(self) -> str:
        numbers = f"{self.creation_time & _MASK:016x}{self.random & _MASK:016x}"
        if self.legacy:
            return f"{self.version}-{numbers}"
        return f"{self.engine}-{self.store_format}-{self.version}-{numbers}"


_MASK = 0xFFFF_FFFF_FFFF_FFFF


def parse_neostore(page: bytes, where: str) -> StoreId:
    """Read the store id from the bytes of a `neostore` file, whatever its format; SourceError when there is none."""
    slots = [_slot(page, number) for number in range(_STORE_ID_SLOTS.stop)]
    marker = slots[_MARKER_SLOT]
    if marker is None:
        raise _unreadable(where)
    if marker != _NOT_LEGACY:
        creation, random = slots[0], slots[1]
        if creation is None or random is None:
            raise _unreadable(where)
        return StoreId.from_legacy(creation, random, marker, where)
    blob = b"".join(_LONG.pack(slots[number] or 0) for number in _STORE_ID_SLOTS)
    return StoreId.parse(blob, where)


def require_supported(store_id: StoreId, where: str) -> None:
    """Refuse a store that is not of the record engine in aligned or standard format, version 4.3.0 or 1.x."""
    known_version = store_id.version in _LEGACY_VERSIONS if store_id.legacy else store_id.version.startswith("1.")
    if store_id.engine == "record" and store_id.store_format in _SUPPORTED_FORMATS and known_version:
        return
    raise _unsupported(f"{store_id.engine}-{store_id.store_format}-{store_id.version}", where)


def refuse_block_store(path: str, where: str) -> None:
    """Refuse a store of whose files one is called so, by its relative path, where that is one in block format.

    Raises:
        SourceError: it is.
    """
    if path.startswith(_BLOCK_PREFIX):
        raise _unsupported("block", where)


def read_store_id(directory: Path) -> StoreId:
    """Read and accept the store id of the database in `directory`; SourceError for a store that is not supported."""
    path = directory / NEOSTORE
    try:
        with path.open("rb") as file:
            page = file.read(_HEADER_BYTES)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise _no_neostore(directory) from None
    except PermissionError as error:
        raise _forbidden(path) from error
    except OSError as error:
        raise explain(error, "read", path) from error
    store_id = parse_neostore(page, str(path))
    require_supported(store_id, str(directory))
    return store_id


def database_ids(directory: Path) -> tuple[bytes | None, bytes]:
    """Read the id of the database (None where it has none) and that of its store, 16 bytes each, of 5.0 and later."""
    path = directory / NEOSTORE
    try:
        with path.open("rb") as file:
            page = file.read(_HEADER_BYTES)
    except OSError as error:
        raise explain(error, "read", path) from error
    store = [_slot(page, number) for number in _STORE_UUID_SLOTS]
    database = [_slot(page, number) for number in _DATABASE_UUID_SLOTS]
    own = None if None in database else b"".join(_LONG.pack(half or 0) for half in database)
    return own, b"".join(_LONG.pack(half or 0) for half in store)


def looks_like_database(directory: Path) -> bool:
    """Whether a directory holds a database of any format; unreadable directories raise AccessError."""
    return any(name == NEOSTORE or name.startswith(_BLOCK_PREFIX) for name in _names(directory))


def _slot(page: bytes, number: int) -> int | None:
    offset = number * _SLOT.size
    if len(page) < offset + _SLOT.size:
        return None
    in_use, value = _SLOT.unpack_from(page, offset)
    return int(value) if in_use == 1 else None


def _short_text(blob: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + blob[at]
    if blob[at] == 0 or end > len(blob):
        raise IndexError(at)
    text = blob[at + 1 : end].decode("ascii")
    if not text.replace("_", "").replace("-", "").isalnum():
        raise IndexError(at)
    return text, end


def _legacy_text(packed: int) -> str | None:
    """Unpack a store version: the lowest byte is the length, the characters follow upwards."""
    data = (packed & _MASK).to_bytes(8, "little")
    text = data[1 : 1 + data[0]] if 0 < data[0] <= 7 else b""
    return text.decode("ascii") if text and all(0x20 < byte < 0x7F for byte in text) else None


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise _forbidden(directory) from error
    except OSError as error:
        raise explain(error, "list", directory) from error


def _no_neostore(directory: Path) -> NeokeepError:
    if any(name.startswith(_BLOCK_PREFIX) for name in _names(directory)):
        return _unsupported("block", str(directory))
    return SourceError(
        f"{directory} holds no Neo4j database: there is no file {NEOSTORE}",
        remedy="Name a database of this server; 'neokeep check' lists them.",
    )


def _unsupported(store_format: str, where: str) -> SourceError:
    return SourceError(
        f"the store in {where} has the format {store_format}, which neokeep cannot capture",
        remedy="Only the formats of Community Edition, aligned and standard, are supported; use Neo4j Enterprise's own"
        " backup, or migrate the database with 'neo4j-admin database migrate --to-format=aligned'.",
    )


def _unreadable(where: str) -> SourceError:
    return SourceError(
        f"there is no store id in {where}: the bytes are not those of a Neo4j store that neokeep knows",
        remedy="Check that this is a database of Neo4j 4.4 or later, and that the file is not damaged.",
    )


def _forbidden(path: Path) -> AccessError:
    return AccessError(
        f"{path} may not be read by this user",
        remedy="Run neokeep as the user that runs Neo4j, or give this user read access to the database files.",
    )
