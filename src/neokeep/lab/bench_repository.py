"""What the repository costs: against the bare work that it cannot avoid, and with a million blocks in it.

The bare pipeline reads a stopped store, hashes, compresses and seals it as a backup does, and keeps nothing. Run as a
script it is that pipeline, or restores' counterpart; so whole processes are measured against whole processes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from neokeep import api
from neokeep.lab.home import create_home
from neokeep.lab.measure import measured, neokeep, print_table
from neokeep.repository.block import ID_SIZE, block_size
from neokeep.repository.index import encode_index, index_name
from neokeep.repository.manifest import Manifest, new_label
from neokeep.repository.pack import ENTRY, HEAD_SIZE, TARGET_SIZE, TRAILER_SIZE, Pack, pack_name
from neokeep.storage.local import LocalStorage
from neokeep.workers import run_workers

if TYPE_CHECKING:
    import threading

    from neokeep.lab.measure import Run
    from neokeep.repository.repository import Repository

RUNS = 3
BLOCKS = 1_000_000
_STORED = 32 * 1024
_PER_INDEX = 250_000
_BACKUPS = 60
_LEVEL = 1


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


def bare_pipeline(store: Path, jobs: int) -> Run:
    """Measure reading, hashing, compressing and sealing of a store as a process of its own."""
    return measured([sys.executable, "-m", "neokeep.lab.bench_repository", str(store), str(jobs)])


def _pipeline(store: Path, jobs: int) -> None:
    from blake3 import blake3
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from zstandard import ZstdCompressor

    pending: SimpleQueue[tuple[Path, int, int]] = SimpleQueue()
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        size = path.stat().st_size
        for at in range(0, size, 8 << 20):
            pending.put((path, at, min(8 << 20, size - at)))
    key = secrets.token_bytes(32)

    def work(stopping: threading.Event) -> None:
        cipher, compressor, buffer = AESGCM(AESGCM.generate_key(256)), ZstdCompressor(_LEVEL), bytearray(8 << 20)
        number = 0
        while not stopping.is_set():
            try:
                path, at, length = pending.get_nowait()
            except Empty:
                return
            view, size = memoryview(buffer)[:length], block_size(path.stat().st_size)
            with path.open("rb", buffering=0) as file:
                os.preadv(file.fileno(), [view], at)
            for start in range(0, length, size):
                block = view[start : start + size]
                identity = blake3(block, key=key).digest()
                number += 1
                cipher.encrypt(number.to_bytes(12, "little"), compressor.compress(block), identity)

    run_workers(work, jobs)


def remove(place: Path) -> None:
    """Remove a repository between two runs."""
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    _pipeline(Path(sys.argv[1]), int(sys.argv[2]))
