"""What the repository costs: against the bare work that it cannot avoid, and with a million blocks in it.

The bare work on a stopped store is to read, hash, compress and seal it, without keeping anything; that of a restore is
to read, open, decompress, hash, write and sync. What it takes without syncing, which no restore may do, is shown too.
Run as a script this module does it, so that whole processes are measured against whole processes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import statistics
import struct
import sys
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from neokeep import api
from neokeep.lab.home import create_home
from neokeep.lab.measure import measured, neokeep, print_ratio, print_table, size_of
from neokeep.lab.storage_servers import s3_server
from neokeep.repository.block import ID_SIZE, block_size
from neokeep.repository.index import encode_index, index_name
from neokeep.repository.manifest import Manifest, new_label
from neokeep.repository.pack import ENTRY, HEAD_SIZE, TARGET_SIZE, TRAILER_SIZE, Pack, pack_name
from neokeep.storage.local import LocalStorage
from neokeep.workers import run_workers

if TYPE_CHECKING:
    import threading

    from neokeep.lab.measure import Run
    from neokeep.neo4j.server import Server
    from neokeep.repository.repository import Repository

RUNS = 3
BLOCKS = 1_000_000
_STORED = 32 * 1024
_PER_INDEX = 250_000
_BACKUPS = 60
_LEVEL = 1
_PIECE = 8 * 1024 * 1024
_HEAD = struct.Struct("<32sII")


def million_blocks(version: str, folder: Path) -> None:
    """Measure `info`, a small backup and its memory on a repository of a million blocks, beside an empty one."""
    home = folder / "small"
    server = create_home(home, version, {}, lambda _: None)
    server.start()
    server.stop()
    places = {"one backup": folder / "few", f"{BLOCKS:,} blocks": folder / "million"}
    for place in places.values():
        api.init(place)
        api.backup(home, place, ["neo4j"])
    _fill(api.open_repository(folder / "million"), folder / "million")
    infos: dict[str, list[Run]] = {name: [] for name in places}
    backups: dict[str, list[Run]] = {name: [] for name in places}
    for _ in range(RUNS):
        for name, place in places.items():
            infos[name].append(neokeep("info", "--repo", str(place)))
            backups[name].append(
                neokeep("backup", "neo4j", "--type", "full", "--home", str(home), "--repo", str(place))
            )
    print_table("info", {name: (runs, "") for name, runs in infos.items()})
    print_table("a backup of 1 MB", {name: (runs, "") for name, runs in backups.items()})
    few, many = (max(run.peak for run in runs) for runs in backups.values())
    print(f"  memory for each block      {(many - few) / BLOCKS:7.0f} bytes\n", flush=True)


def _fill(repository: Repository, place: Path) -> None:
    """Add packs that are there with their right sizes and no content, their index, and backups that share one store."""
    unlisted: list[Pack] = []
    per_pack = (TARGET_SIZE - HEAD_SIZE) // _STORED
    for first in range(0, BLOCKS, per_pack):
        entries = np.zeros(min(per_pack, BLOCKS - first), ENTRY)
        entries["id"] = np.frombuffer(secrets.token_bytes(ID_SIZE * len(entries)), f"V{ID_SIZE}")
        entries["offset"] = HEAD_SIZE + _STORED * np.arange(len(entries))
        entries["stored"], entries["size"] = _STORED, 4 * _STORED
        size = HEAD_SIZE + _STORED * len(entries) + entries.nbytes + TRAILER_SIZE
        pack = Pack(secrets.token_bytes(ID_SIZE), size, entries)
        path = place / pack_name(pack.identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, size)
        unlisted.append(pack)
    storage = LocalStorage(place)
    per_index = _PER_INDEX // per_pack
    for at in range(0, len(unlisted), per_index):
        data = encode_index(unlisted[at : at + per_index])
        storage.create(index_name(data), data)
    (base,) = (item for item in repository.manifests() if isinstance(item, Manifest))
    for number in range(1, _BACKUPS):
        moment = base.started_at - timedelta(days=number)
        label = new_label(base.database, moment)
        repository.commit(msgspec.structs.replace(base, label=label, started_at=moment, finished_at=moment))


def throughput(server: Server, folder: Path) -> None:
    """Measure encrypted backup and restore against the bare work, into a directory and into a bucket.

    With a pair of keys: from a passphrase each command derives a key first, which costs half a second on purpose.
    """
    store = server.home / "data" / "databases" / "neo4j"
    size = size_of(store)
    key = folder / "key"
    neokeep("key", "generate", str(key))
    sealed, opened, home, local = (folder / name for name in ("sealed", "opened", "restored", "encrypted"))
    with s3_server(folder / "s3") as s3:
        s3.bucket("bench")
        places = {"directory": str(local), "versitygw": "s3://bench/encrypted"}
        environment = dict(os.environ) | s3.environment | {"NEOKEEP_IDENTITY_FILE": str(key)}
        runs: dict[str, list[Run]] = defaultdict(list)
        _bare("keep", store, sealed)
        for _ in range(RUNS):
            runs["bare backup"].append(_bare("seal", store, sealed))
            runs["bare restore"].append(_bare("open", sealed, opened))
            shutil.rmtree(opened)
            runs["bare restore, not synced"].append(_bare("open-only", sealed, opened))
            for name, place in places.items():
                neokeep("init", "--repo", place, "--recipient", f"{key}.pub", environment=environment)
                backup = ("backup", "neo4j", "--type", "full", "--home", str(server.home), "--repo")
                runs[f"backup, {name}"].append(neokeep(*backup, place, "--no-nice", environment=environment))
                neokeep("init", "--repo", f"{place}-nice", "--recipient", f"{key}.pub", environment=environment)
                # What it leaves to others: here the gateway is one of them, on the same processors.
                runs[f"backup, {name}, nice"].append(neokeep(*backup, f"{place}-nice", environment=environment))
                restore = ("restore", "neo4j", "--home", str(home), "--repo", place)
                runs[f"restore, {name}"].append(neokeep(*restore, environment=environment))
                shutil.rmtree(home)
            objects = s3.data / "bench"
            for made in (opened, local, folder / "encrypted-nice", objects / "encrypted", objects / "encrypted-nice"):
                shutil.rmtree(made)
    print_table("encrypted repository", {name: (runs[name], _rate(size, runs[name])) for name in sorted(runs)})
    for name, measurements in runs.items():
        if not name.startswith("bare"):
            print_ratio(f"bare / {name}", runs[f"bare {name.split(',')[0]}"], measurements)
            if name.startswith("restore"):
                print_ratio(f"not synced / {name}", runs["bare restore, not synced"], measurements)


def _rate(size: int, runs: list[Run]) -> str:
    return f"{size / statistics.median(run.seconds for run in runs) / 1e6:.0f} MB/s"


def _bare(what: str, source: Path, target: Path) -> Run:
    return measured([sys.executable, "-m", "neokeep.lab.bench_repository", what, str(source), str(target)])


class Bare:
    """The work that no encrypted backup of this kind can avoid, on every core, and its counterpart."""

    def __init__(self, source: Path, target: Path) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(bytes(32))
        self._source, self._target = source, target
        self._pending: SimpleQueue[tuple[Path, int, int]] = SimpleQueue()
        self._threads = os.cpu_count() or 1
        self._kept = False

    def keep(self) -> None:
        """Do as `seal` does, and keep what comes of it for `open`."""
        self._target.mkdir()
        self._kept = True
        self.seal()

    def seal(self) -> None:
        """Read, hash, compress and seal every block of some files."""
        for path in sorted(path for path in self._source.rglob("*") if path.is_file()):
            size = path.stat().st_size
            for at in range(0, size, _PIECE):
                self._pending.put((path, at, min(_PIECE, size - at)))
        run_workers(self._seal, self._threads)

    def _seal(self, stopping: threading.Event) -> None:
        from blake3 import blake3
        from zstandard import ZstdCompressor

        compressor, buffer = ZstdCompressor(_LEVEL), bytearray(_PIECE)
        while not stopping.is_set():
            try:
                path, at, length = self._pending.get_nowait()
            except Empty:
                return
            view, size = memoryview(buffer)[:length], block_size(path.stat().st_size)
            with path.open("rb", buffering=0) as file:
                os.preadv(file.fileno(), [view], at)
            kept: list[bytes] = []
            for start in range(0, length, size):
                block = view[start : start + size]
                identity = blake3(block, key=bytes(32)).digest()
                sealed = self._cipher.encrypt(start.to_bytes(12, "little"), compressor.compress(block), identity)
                kept += [_HEAD.pack(identity, start, len(sealed)), sealed] if self._kept else []
            if kept:
                (self._target / f"{path.name}.{at}").write_bytes(b"".join(kept))

    def open(self) -> None:
        """Do as `open_only` does, and make the files durable."""
        self.open_only()
        for path in self._target.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def open_only(self) -> None:
        """Read what was sealed, open, decompress and hash it, and write the files."""
        for path in sorted(self._source.iterdir()):
            self._pending.put((path, int(path.suffix[1:]), 0))
        self._target.mkdir()
        for name in {path.stem for path in self._source.iterdir()}:
            (self._target / name).touch()
        run_workers(self._open, self._threads)

    def _open(self, stopping: threading.Event) -> None:
        from blake3 import blake3
        from zstandard import ZstdDecompressor

        decompressor = ZstdDecompressor()
        while not stopping.is_set():
            try:
                path, at, _ = self._pending.get_nowait()
            except Empty:
                return
            data, place = memoryview(path.read_bytes()), 0
            descriptor = os.open(self._target / path.stem, os.O_WRONLY)
            while place < len(data):
                identity, start, length = _HEAD.unpack_from(data, place)
                place += _HEAD.size + length
                sealed = data[place - length : place]
                content = decompressor.decompress(self._cipher.decrypt(start.to_bytes(12, "little"), sealed, identity))
                if blake3(content, key=bytes(32)).digest() != identity:
                    sys.exit(f"{path} is damaged")
                os.pwrite(descriptor, content, at + start)
            os.close(descriptor)


if __name__ == "__main__":
    bare = Bare(Path(sys.argv[2]), Path(sys.argv[3]))
    {"seal": bare.seal, "keep": bare.keep, "open": bare.open, "open-only": bare.open_only}[sys.argv[1]]()
