"""A repository: its configuration, its backups, and the way to its blocks.

Opening reads one small object, and the keys where it is encrypted. Everything is write-once; any number of processes
may write at the same time. `config` carries required features, all object bodies pass through the codecs of this
package, and all storage through the Storage interface: of an encrypted repository it seals names and objects.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from neokeep.errors import IntegrityError, NeokeepError, NotEncryptedError, RepositoryError
from neokeep.repository.condemned import condemned_packs
from neokeep.repository.manifest import (
    PREFIX,
    Manifest,
    decode_manifest,
    encode_manifest,
    manifest_name,
    next_label,
)
from neokeep.repository.sessions import is_revoked, require_session, revoked_writers, void
from neokeep.storage.base import ObjectExists, ObjectMissing, Storage, StoredObject
from neokeep.storage.place import NO_KEYS, KeySources

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from neokeep.encryption.creating import FirstKeys
    from neokeep.repository.index import BlockIndex
    from neokeep.repository.pack import Pack

FORMAT = 1
CONFIG = "config"
DAMAGED = "damaged"
ENCRYPTION = "encryption"
FEATURES: frozenset[str] = frozenset({ENCRYPTION})
"""Required features that this version understands."""


class RepositoryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of the `config` object: JSON, written once at init.

    `checksum` is the BLAKE3, in hex, of the same JSON in its compact form with an empty checksum.
    """

    format: int
    repository_id: str
    created_at: datetime
    features: tuple[str, ...]
    checksum: str = ""

    def sealed(self) -> RepositoryConfig:
        """Return this with its right checksum."""
        bare = msgspec.structs.replace(self, checksum="")
        return msgspec.structs.replace(self, checksum=blake3(msgspec.json.encode(bare)).hexdigest())


@dataclass(frozen=True, slots=True)
class DamagedManifest:
    """A manifest object that cannot be read, and why."""

    label: str
    error: NeokeepError


class Repository:
    """An open repository."""

    def __init__(self, storage: Storage, config: RepositoryConfig) -> None:
        self.storage = storage
        self.config = config
        storage.expect(CONFIG)

    @property
    def encrypted(self) -> bool:
        """Whether what is stored can be read with a key only."""
        return ENCRYPTION in self.config.features

    @classmethod
    def create(cls, storage: Storage, keys: FirstKeys | None = None) -> Repository:
        """Make a new repository in an empty place, encrypted where there are keys.

        Raises:
            RepositoryError: there is one already, or the place does not honour create-if-absent.
        """
        features = () if keys is None else (ENCRYPTION,)
        config = RepositoryConfig(
            format=FORMAT, repository_id=str(uuid.uuid4()), created_at=datetime.now(UTC), features=features
        ).sealed()
        # Keys first: a repository that exists can be opened.
        stored = [] if keys is None else keys.store(storage, config.repository_id)
        try:
            storage.create(CONFIG, msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n")
        except ObjectExists as problem:
            if keys is not None:
                keys.take_back(storage, stored)
            raise RepositoryError(
                f"{storage.url} holds a repository already", remedy="Use it as it is, or choose another place."
            ) from problem
        if keys is None:
            return cls(storage, config)
        from neokeep.encryption.sealed import Sealed

        return cls(Sealed(storage, keys.secrets), config)

    @classmethod
    def open(cls, storage: Storage, keys: KeySources = NO_KEYS) -> Repository:
        """Open an existing repository.

        Raises:
            RepositoryError: there is none, or its format is newer than this neokeep.
            KeyNeededError, WrongKeyError: it is encrypted, and no key is given or none fits.
            NotEncryptedError: a key is given, and it is not encrypted.
        """
        config = read_config(storage)
        if ENCRYPTION in config.features:
            from neokeep.encryption.keyring import unlock
            from neokeep.encryption.sealed import Sealed

            return cls(Sealed(storage, unlock(storage, config.repository_id, keys).secrets), config)
        if keys.given:
            raise NotEncryptedError(
                f"{storage.url} is not encrypted, and a key was given",
                remedy="Check that it is the right repository. If it is, leave the key out: what is stored there can "
                "be read by everybody who can read the storage. Where a key is for another repository of the same "
                "command, write it to neokeep.toml, with that one under [repositories].",
            )
        return cls(storage, config)

    @property
    def naming(self) -> bytes:
        """What block ids depend on beside content: repositories of one naming give the same content the same id."""
        keys = self.storage.content_keys
        return b"" if keys is None else keys.block_ids

    def manifests(self) -> Iterator[Manifest | DamagedManifest]:
        """Read every manifest, oldest first; damaged ones are told, not raised."""
        found: list[Manifest | DamagedManifest] = []
        revoked = revoked_writers(self.storage)
        for item in self.storage.list(PREFIX):
            label = item.name.removeprefix(f"{PREFIX}/")
            try:
                manifest = self._read_manifest(label)
                found.append(manifest if manifest.writer not in revoked else DamagedManifest(label, void(manifest)))
            except ObjectMissing:
                continue  # It expired since it was listed.
            except IntegrityError as problem:
                found.append(DamagedManifest(label, problem))
        yield from sorted(found, key=_age)

    def manifest(self, label: str) -> Manifest:
        """Read one manifest.

        Raises:
            ObjectMissing: there is no such backup.
            IntegrityError: it is damaged, or its writer had been given up.
        """
        try:
            manifest = self._read_manifest(label)
        except (ObjectMissing, ValueError) as problem:
            raise ObjectMissing(
                f"there is no backup {label} in {self.storage.url}",
                remedy=f"List them with: neokeep info --repo {self.storage.url}",
            ) from problem
        if manifest.writer is not None and is_revoked(self.storage, manifest.writer):
            raise void(manifest)
        return manifest

    def _read_manifest(self, label: str) -> Manifest:
        name = manifest_name(label)
        manifest = decode_manifest(name, self.storage.read(name))
        if manifest.label != label:
            raise IntegrityError(f"the manifest {name} is that of {manifest.label}", remedy="Use another backup.")
        return manifest

    def commit(self, manifest: Manifest, *, keep_label: bool = False, shared_with: str | None = None) -> Manifest:
        """Make a backup exist. Where its label is taken, by a backup of the same second, the next free one is used.

        `shared_with` is a backup whose blocks it takes without a writer.

        Raises:
            RepositoryError: its writer was given up meanwhile, or a backup expired with which it goes on or shares.
            ObjectExists: its label is taken and `keep_label` is given.
        """
        grounds = {manifest.base, shared_with} - {None}
        self._require_grounds(manifest.writer, grounds)
        while True:
            try:
                self.storage.create(manifest_name(manifest.label), encode_manifest(manifest))
            except ObjectExists:
                if keep_label:
                    raise
                manifest = msgspec.structs.replace(manifest, label=next_label(manifest.label))
            else:
                break
        try:
            # One that expired may have left its label to this very backup.
            self._require_grounds(manifest.writer, grounds, gone=manifest.label)
        except RepositoryError:
            with suppress(NeokeepError):  # It is of no use to anybody; collect and expire remove it too.
                self.storage.delete(manifest_name(manifest.label))
            raise
        return manifest

    def _require_grounds(self, writer: str | None, grounds: Collection[str | None], gone: str = "") -> None:
        """Prove that what a manifest rests on was not given up: before it is created, and once more when it is there.

        Whoever gives up and deletes does the same the other way round, so one of the two always sees the other.
        """
        if writer is not None:
            require_session(self.storage, writer)
        for label in filter(None, grounds):
            expired = label == gone
            if not expired:
                try:
                    self.storage.stat(manifest_name(label))
                except ObjectMissing:
                    expired = True
            if expired:
                raise RepositoryError(
                    f"{label}, with which this backup goes on, expired meanwhile", remedy="Repeat the backup."
                )

    def read_index(self, avoided: frozenset[bytes] | None = None) -> BlockIndex:
        """Read which blocks there are now: from the index objects, and from the packs that none of them lists.

        Whoever works with blocks reads it once at the begin: other processes store packs at any time. Packs that are
        `avoided`, those that are condemned where nothing else is said, are counted on last.
        """
        from neokeep.repository.index import BlockIndex

        condemned = condemned_packs(self.storage) if avoided is None else avoided
        return BlockIndex(self._known_packs(), self.damaged_objects(), condemned)

    def damaged_objects(self) -> frozenset[bytes]:
        """Hashes of packs and index objects that a verification found damaged.

        The blocks of such a pack are stored anew by the next backup that has them.
        """
        return frozenset(pack_identities(self.storage.list(DAMAGED)))

    def damage_found_since(self, moment: datetime) -> bool:
        """Tell whether a verification found an object damaged after a moment, by the storage's clock."""
        return any(item.created > moment for item in self.storage.list(DAMAGED))

    def mark_damaged(self, identity: bytes) -> None:
        """Remember that the object of this hash is damaged."""
        with suppress(ObjectExists):
            self.storage.create(f"{DAMAGED}/{identity.hex()}", b"")

    def _known_packs(self) -> list[Pack]:
        """Read the footers of all packs that are there with their full size, from the index objects where possible."""
        from neokeep.repository.index import decode_index
        from neokeep.repository.pack import read_footer

        present = pack_identities(self.storage.list("packs"))
        listed: dict[bytes, Pack] = {}
        for item in self.storage.list("index"):
            try:
                listed.update((pack.identity, pack) for pack in decode_index(item.name, self.storage.read(item.name)))
            except (IntegrityError, RepositoryError):
                continue  # Only a cache: the packs say the same.
        known: list[Pack] = []
        for identity, item in present.items():
            pack = listed.get(identity)
            if pack is None:
                try:
                    pack = read_footer(
                        identity, item.size, partial(self.storage.read, item.name), sealed=self.encrypted
                    )
                except (IntegrityError, ObjectMissing):
                    continue
            if pack.size == item.size:
                known.append(pack)
        return known


def pack_identities(items: Iterator[StoredObject]) -> dict[bytes, StoredObject]:
    """Order objects by the hash that is the last level of their names; others are left out."""
    found: dict[bytes, StoredObject] = {}
    for item in items:
        with suppress(ValueError):
            found[bytes.fromhex(item.name.rsplit("/", 1)[1])] = item
    return found


class _Format(msgspec.Struct, frozen=True):
    """The part of a config object that every version of neokeep has to understand."""

    format: int


def read_config(storage: Storage) -> RepositoryConfig:
    """Read what a repository says of itself; no key is needed for it.

    Raises:
        RepositoryError: there is none, or its format is newer than this neokeep.
        IntegrityError: it is damaged.
    """
    try:
        data = storage.read(CONFIG)
    except ObjectMissing as problem:
        raise RepositoryError(
            f"there is no neokeep repository in {storage.url}",
            remedy=f"Check --repo, or make one with: neokeep init --repo {storage.url}",
        ) from problem
    return _read_config(data, storage.url)


def _read_config(data: bytes, url: str) -> RepositoryConfig:
    damaged = IntegrityError(
        f"the config object of {url} is damaged",
        remedy="Write it anew as docs/format.md says: it holds the format and the id, nothing that is secret.",
    )
    try:
        written = msgspec.json.decode(data, type=_Format).format
        if written > FORMAT:
            raise RepositoryError(f"{url} has format {written}, newer than this neokeep", remedy="Upgrade neokeep.")
        config = msgspec.json.decode(data, type=RepositoryConfig)
    except msgspec.MsgspecError as problem:
        raise damaged from problem
    if config != config.sealed():
        raise damaged
    unknown = sorted(set(config.features) - FEATURES)
    if unknown:
        raise RepositoryError(f"{url} needs features that this neokeep lacks: {unknown}", remedy="Upgrade neokeep.")
    return config


def _age(item: Manifest | DamagedManifest) -> tuple[datetime, str]:
    if isinstance(item, DamagedManifest):
        return datetime.min.replace(tzinfo=UTC), item.label
    return item.finished_at, item.label
