"""Synthetic homes with one database that a capture takes for a real, stopped one."""

from __future__ import annotations

import os
import random
import struct
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from helpers.txlog import LEGACY_VERSION, STORE_ID, BuiltLog, build_log, checkpoint_file, checkpoint_record
from neokeep.neo4j.source import Database, Source, find_source
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = 8192
STATE = struct.Struct(">IIqqqqqiib")


def neostore_bytes(kernel: int, random_id: int = -77) -> bytes:
    """A neostore page of 4.4, or of 5.0 and later."""
    if kernel < 5:
        values = [1_700_000_000_000, random_id, 0, 1, LEGACY_VERSION]
        slots = [struct.pack(">q", value) for value in values]
    else:
        blob = STORE_ID[:9] + struct.pack(">q", random_id) + STORE_ID[17:]
        slots = [bytes(8)] * 4 + [bytes.fromhex("CF1BBCDCB7A56463")]
        slots += [blob[at : at + 8] for at in range(0, 64, 8)]
    return b"".join(b"\1" + slot for slot in slots).ljust(PAGE, b"\0")


def state_page(stable: int, unstable: int, *, clean: bool) -> bytes:
    return (STATE.pack(stable, unstable, 3, 1, 9, -1, -1, 0, 0, int(clean)) * 2).ljust(PAGE, b"\0")


def tree_bytes(stable: int, pages: int = 4, fill: int = 7) -> bytes:
    """A GBPTree file of some pages, closed cleanly."""
    meta = struct.pack(">ii", 2, PAGE).ljust(PAGE, b"\0")
    clean, dirty = state_page(stable, stable + 1, clean=True), state_page(stable, stable + 1, clean=False)
    return meta + clean + dirty + bytes([fill]) * (PAGE * pages)


@cache
def some_bytes(seed: int, size: int) -> bytes:
    """Bytes that look like a store: pages of zeros, of noise, of repeated text; the same for the same seed."""
    noise = random.Random(seed)
    pages: list[bytes] = []
    for _ in range(-(-size // PAGE)):
        kind = noise.randrange(3)
        text = f"record {noise.randrange(1000)} ".encode()
        pages.append(bytes(PAGE) if kind == 0 else noise.randbytes(PAGE) if kind == 1 else (text * PAGE)[:PAGE])
    return b"".join(pages)[:size]


def store_files(kernel: int, seed: int, size: int = 20 * PAGE) -> dict[str, bytes]:
    files = {
        "neostore": neostore_bytes(kernel),
        "neostore.nodestore.db": some_bytes(seed, size),
        "neostore.nodestore.db.id": tree_bytes(3 + seed),
        "neostore.relationshipstore.db": some_bytes(seed + 1, 3 * size + 511),
        "neostore.propertystore.db": bytes(size),
        "neostore.propertystore.db.strings": b"",
        "neostore.counts.db": tree_bytes(5 + seed, pages=9),
        "schema/index/range-1.0/7/index-7": tree_bytes(6 + seed, pages=2),
        "tools/metrics": some_bytes(seed + 2, 100),
    }
    if kernel < 5:
        files["schema/index/native-btree-1.0/7/index-7"] = files.pop("schema/index/range-1.0/7/index-7")
    return files


@dataclass
class Synthetic:
    """A made-up home; `store` and `log` are the files of its database by relative path."""

    home: Path
    kernel: int
    database: str
    store: dict[str, bytes]
    logs: list[BuiltLog]
    log: dict[str, bytes] = field(default_factory=dict)

    @property
    def store_directory(self) -> Path:
        return self.home / "data" / "databases" / self.database

    @property
    def log_directory(self) -> Path:
        return self.home / "data" / "transactions" / self.database

    @property
    def source(self) -> Source:
        return find_source(self.home, name="test")

    @property
    def opened(self) -> Database:
        return self.source.database(self.database)

    def write(self) -> Synthetic:
        for directory, files in ((self.store_directory, self.store), (self.log_directory, self.log)):
            write_tree(directory, files)
        return self


def write_tree(directory: Path, files: dict[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read_tree(directory: Path) -> dict[str, bytes]:
    """All files below a directory, links followed, without locks."""
    found: dict[str, bytes] = {}
    for folder, _, names in os.walk(directory, followlinks=True):
        for name in names:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, directory)
            if name not in ("database_lock", "store_lock") and ".neokeep" not in relative:
                with open(path, "rb") as file:
                    found[relative] = file.read()
    return found


def make_logs(kernel: int, files: int = 2, each: int = 4, first: int = 0, last_before: int = 1) -> list[BuiltLog]:
    logs: list[BuiltLog] = []
    for number in range(files):
        payloads = [some_bytes(100 * number + at, 300 + 40 * at) for at in range(each)]
        if logs:
            logs.append(logs[-1].next(payloads))
        else:
            logs.append(build_log(kernel, payloads, version=first, last_before=last_before))
    return logs


def log_files(logs: list[BuiltLog], checkpoint_at: int = 1, zeros: int = 100_000) -> dict[str, bytes]:
    """Log files, the newest with zeros behind, and a checkpoint behind transaction `checkpoint_at` of the first."""
    first, kernel = logs[0], logs[0].kernel
    files = {f"neostore.transaction.db.{log.version}": log.data for log in logs}
    files[f"neostore.transaction.db.{logs[-1].version}"] += bytes(zeros)
    place = first.boundaries[checkpoint_at]
    record = checkpoint_record(kernel, first.version, place, first.last_before + checkpoint_at)
    files["checkpoint.0"] = checkpoint_file(kernel, [record], zeros=0 if kernel < 5 else 1000)
    return files


def make_database(
    home: Path, kernel: int = 20, *, seed: int = 1, database: str = "neo4j", files: int = 2, pages: int = 20
) -> Synthetic:
    """Make a home with one stopped database, whose larger files have some pages."""
    logs = make_logs(kernel, files)
    made = Synthetic(home, kernel, database, store_files(kernel, seed, pages * PAGE), logs, log_files(logs))
    return made.write()


def make_clean(home: Path, kernel: int = 20) -> Synthetic:
    """A stopped database that nothing is left to recover of."""
    logs = make_logs(kernel, files=1)
    last = len(logs[0].boundaries) - 1
    log = log_files(logs, checkpoint_at=last)
    return Synthetic(home, kernel, "neo4j", store_files(kernel, 1), logs, log).write()


def captured_logs(made: Synthetic) -> dict[str, bytes]:
    """What a restore of it must have for logs: no zeros behind the end."""
    files = {name: content for name, content in made.log.items() if name.startswith("checkpoint")}
    for name, content in files.items():
        size = 64 if made.kernel < 5 else 128
        record = {4: 192, 32: 486}.get(made.kernel, 232)
        files[name] = content[: size + record]
    return files | {f"neostore.transaction.db.{log.version}": log.data for log in made.logs}


class Watcher(Silent):
    """Progress that calls back: a place to change files in the middle of a copy."""

    def __init__(self, on_advance: Callable[[int], None]) -> None:
        self._on_advance = on_advance

    def advance(self, done_bytes: int) -> None:
        self._on_advance(done_bytes)
