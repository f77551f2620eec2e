#!/usr/bin/env python3
"""Restore a backup from a neokeep repository without neokeep: this file, Python 3.11, blake3 and zstd are enough.

    restore_without_neokeep.py [--key FILE] REPOSITORY                  lists the backups
    restore_without_neokeep.py [--key FILE] REPOSITORY LABEL TARGET     writes TARGET/store and TARGET/log
TARGET must not exist or be empty. Put TARGET/store in the place of data/databases/NAME and TARGET/log in the place of
data/transactions/NAME of a stopped server, give both to the server's user, and start Neo4j: it recovers the database.
Before Python 3.14 zstd comes from the package backports.zstd. The bytes are those of docs/format.md, format 1.
Every hash on the way is checked; a damaged block is looked for in every pack. Exit status: 0 well, 1 not, 2 usage.
Of an encrypted repository FILE holds the passphrase, or a private key in PEM; it takes the package cryptography.
"""

import hashlib
import json
import os
import struct
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from blake3 import blake3

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, decompress
else:
    from backports.zstd import ZstdError, decompress
try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError:
    InvalidTag = ZstdError  # Only encrypted repositories need it.

ENTRY = struct.Struct("<32sIII")  # id of the block, offset in the pack, stored bytes, content bytes
TRAILER = struct.Struct("<32sI4x8s")  # BLAKE3 of the entries, their number, magic
ID, MAP_BLOCK, PAGE, PIECE = 32, 1024 * 1024, 8192, 65536 + 16  # an id, a block of ids, a page, a sealed piece
BROKEN = (OSError, ZstdError, InvalidTag, ArithmeticError, LookupError, NameError, ValueError, struct.error)


def derived(key: bytes, purpose: bytes, salt: bytes = b"") -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, purpose).derive(key)


def unlocked(root: Path, secret: bytes) -> tuple[bytes, "X25519PrivateKey"]:
    """Open a reader's key object with a passphrase or a private key: metadata key and private content key."""
    pem = serialization.load_pem_private_key(secret, None) if secret.startswith(b"-----BEGIN") else None
    for path in sorted((root / "keys").iterdir()):
        key = json.loads(path.read_bytes())
        public, made = b64decode(key["recipient"]), b64decode(key["ephemeral"])
        if key["role"] != "reader" or (pem.public_key().public_bytes_raw() if pem else b"") != public:
            continue
        if pem:
            shared = pem.exchange(X25519PublicKey.from_public_bytes(made))
            wrapping = derived(shared, b"neokeep recipient" + made + public)
        else:
            cost = key["scrypt"] | {"salt": b64decode(key["scrypt"]["salt"]), "maxmem": 2**31 - 1, "dklen": 32}
            wrapping = hashlib.scrypt(secret.removesuffix(b"\n").removesuffix(b"\r"), **cost)
        bare = json.dumps(key | {"wrapped": "", "checksum": ""}, separators=(",", ":"), ensure_ascii=False)
        with suppress(InvalidTag):
            bundle = AESGCM(wrapping).decrypt(bytes(12), b64decode(key["wrapped"]), bare.encode())
            return bundle[:32], X25519PrivateKey.from_private_bytes(bundle[32:])
    raise ValueError("what --key names opens no reader key of this repository")


def decoded(data: bytes) -> bytes:
    """Undo the codec of a stored block: raw, zstd, or zstd of pages of records that were turned by columns."""
    codec, payload = data[0], data[1:]
    if codec < 2:
        return decompress(payload) if codec else payload
    record, turned = payload[0], decompress(payload[1:])
    pages, whole = len(turned) // PAGE, PAGE // record * record
    records, count = bytearray(pages * whole), pages * whole // record
    for at in range(record):
        records[at::record] = turned[at * count : (at + 1) * count]
    rests, width = turned[len(records) :], PAGE - whole
    return b"".join(records[n * whole :][:whole] + rests[n * width :][:width] for n in range(pages))


def part(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        return file.read(length)


class Repository:
    """Reads manifests, and blocks from whatever packs have them whole; restores."""

    def __init__(self, root: Path, key_file: str) -> None:
        self.root, self.places = root, dict[bytes, list[tuple[Path, int, int]]]()
        try:
            config = json.loads((root / "config").read_bytes())
        except (OSError, ValueError) as problem:  # A lost config is no reason to give up.
            print(f"warning: the config object cannot be read ({problem}); going on as for format 1", file=sys.stderr)
            config = {"format": 1, "features": ["encryption"] if key_file else []}
        if config["format"] != 1 or config["features"] != (["encryption"] if key_file else []):
            raise ValueError(f"format {config['format']}, features {config['features']}: unknown, or --key is missing")
        self.metadata, self.private = unlocked(root, Path(key_file).read_bytes()) if key_file else (b"", None)

    def manifests(self) -> Iterator[dict]:
        for path in sorted((self.root / "backups").iterdir()):
            try:
                data = path.read_bytes()
                if self.private:
                    key = AESGCM(derived(derived(self.metadata, b"neokeep objects"), b"neokeep object", data[8:24]))
                    pieces = [data[at : at + PIECE] for at in range(24, len(data), PIECE)]
                    nonces = [n.to_bytes(11, "little") + bytes([n == len(pieces) - 1]) for n in range(len(pieces))]
                    name, parts = f"backups/{path.name}".encode(), zip(nonces, pieces, strict=True)
                    data = b"".join(key.decrypt(nonce, piece, name) for nonce, piece in parts)
                if data[:8] != b"NKBACK1\n" or blake3(data[40:]).digest() != data[8:40]:
                    raise ValueError("it is damaged")
                yield json.loads(decompress(data[40:]))
            except BROKEN as problem:
                print(f"warning: {path} cannot be read: {problem!r}", file=sys.stderr)

    def find_blocks(self) -> None:
        for path in sorted(self.root.glob("packs/??/*")):
            try:
                digest, count, _ = TRAILER.unpack(part(path, -TRAILER.size, TRAILER.size))
                footer = part(path, -TRAILER.size - count * ENTRY.size, count * ENTRY.size)
                if blake3(footer).digest() != digest:
                    raise ValueError("its footer is damaged")
            except BROKEN as problem:
                print(f"warning: {path} is left aside: {problem}", file=sys.stderr)
                continue
            for identity, offset, stored, _ in ENTRY.iter_unpack(footer):
                self.places.setdefault(identity, []).append((path, offset, stored))

    def block(self, identity: bytes, size: int) -> bytes:
        for path, offset, stored in self.places.get(identity, []):
            with suppress(*BROKEN):
                data, hasher = part(path, offset, stored), blake3()
                if self.private:
                    salt, made = part(path, 8, 16), part(path, 24, 32)
                    purpose = b"neokeep content" + made + self.private.public_key().public_bytes_raw()
                    key = derived(self.private.exchange(X25519PublicKey.from_public_bytes(made)), purpose, salt)
                    data = AESGCM(key).decrypt(offset.to_bytes(12, "little"), data, identity)
                    hasher = blake3(key=derived(self.metadata, b"neokeep block ids"))
                content = decoded(data)
                if len(content) == size and hasher.update(content).digest() == identity:
                    return content
        raise ValueError(f"block {identity.hex()} is missing or damaged")

    def each(self, content: dict) -> Iterator[bytes]:
        step, size, ids = content["block_size"], content["size"], b64decode(content["ids"])
        total = -(-size // step) * ID
        if content["depth"] == 1:
            maps = [ids[at : at + ID] for at in range(0, len(ids), ID)]
            ids = b"".join(self.block(one, min(MAP_BLOCK, total - at * MAP_BLOCK)) for at, one in enumerate(maps))
        if len(ids) != total or blake3(ids).digest() != b64decode(content["hash"]):
            raise ValueError("a list of blocks does not match its hash")
        for at in range(total // ID):
            yield self.block(ids[at * ID : (at + 1) * ID], min(step, size - at * step))

    def restore(self, label: str, target: Path) -> None:
        if target.exists() and any(target.iterdir()):
            raise ValueError(f"{target} is not empty")
        manifest = {one["label"]: one for one in self.manifests()}[label]
        if manifest["type"] != "full":
            raise ValueError(f"{label} is no full backup; restore {manifest.get('base')}")
        self.find_blocks()
        files: list[dict] = json.loads(b"".join(self.each(manifest["files"])))
        if len(files) != manifest["file_count"]:
            raise ValueError("the file list is not complete")
        for file in files:
            path = PurePosixPath(file["path"])
            if file["area"] not in {"store", "log"} or path.is_absolute() or ".." in path.parts:
                raise ValueError(f"the file list names a place outside the target: {file['path']}")
            place = target / file["area"] / path
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as out:
                out.writelines(self.each(file["content"]))
                os.fchmod(out.fileno(), file["mode"])
        os.sync()
        print(f"{label}: {len(files)} files of {manifest['database']} restored to {target}")


def main(arguments: list[str]) -> None:
    """List or restore."""
    key_file = arguments[1] if arguments[:1] == ["--key"] and arguments[1:] else ""
    place, *wanted = (arguments[2:] if key_file else arguments) or ("", "")
    if len(wanted) not in {0, 2} or place.startswith("-"):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        repository = Repository(Path(place), key_file)
        for one in () if wanted else repository.manifests():
            source, last = one["source"]["name"], one["end"]["transaction"]
            print(f"{one['label']}  {one['database']} of {source}, to transaction {last}")
        if wanted:
            repository.restore(wanted[0], Path(wanted[1]))
    except BROKEN as problem:
        sys.exit(f"error: {problem!r}\nWhat was written so far is not complete: do not use it.")


if __name__ == "__main__":
    main(sys.argv[1:])
