"""Index objects made anew: those that name deleted packs are replaced, many small ones become few, or all are rebuilt.

The index is a cache, so nothing here can lose a backup: what no index object names is read from the packs themselves.
New objects are stored before the old ones go.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.errors import IntegrityError, NeokeepError, RepositoryError
from neokeep.repository.index import decode_index, encode_index, index_name
from neokeep.repository.lease import leased
from neokeep.repository.pack import read_footer
from neokeep.repository.removing import Remover
from neokeep.repository.repository import DAMAGED, pack_identities
from neokeep.storage.base import ObjectExists
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from neokeep.progress import Progress
    from neokeep.repository.lease import Lease
    from neokeep.repository.pack import Pack
    from neokeep.repository.repository import Repository
    from neokeep.storage.base import Storage, StoredObject

LARGEST = 1 << 20
"""Blocks in an index object, unless a single pack has more: about 46 MB."""

FEW = 16
"""Small index objects that may lie about before they become one."""


def consolidate_index(repository: Repository, remover: Remover) -> None:
    """Replace the index objects that name packs which are gone, and small ones where there are many."""
    storage = repository.storage
    found: dict[str, tuple[Pack, ...]] = {}
    sizes: dict[str, int] = {}
    for item in storage.list("index"):
        with suppress(IntegrityError, RepositoryError):
            found[item.name] = decode_index(item.name, storage.read(item.name))
            sizes[item.name] = item.size
    # Packs are listed after the index objects: a pack that is stored meanwhile must not look as if it were gone.
    present = {identity: item.size for identity, item in pack_identities(storage.list("packs")).items()}
    outdated = {name for name, packs in found.items() if any(_is_gone(pack, present) for pack in packs)}
    small = {name for name, packs in found.items() if sum(len(pack.entries) for pack in packs) < LARGEST // 4}
    replaced = outdated | (small if len(small) >= FEW else set())
    packs = {pack.identity: pack for name in replaced for pack in found[name] if not _is_gone(pack, present)}
    written = _store(storage, packs.values())
    remover.remove((name, sizes[name]) for name in sorted(replaced - written))


def rebuild_index(repository: Repository, *, jobs: int, progress: Progress) -> reports.RebuildIndexReport:
    """Read what every pack says that it holds, store that as new index objects, and remove all others.

    Raises:
        LockedError: another process collects or rebuilds.
    """
    # The lease of collect: both replace index objects.
    from neokeep.repository.collect import LASTS, LEASE

    began = time.monotonic()
    storage = repository.storage
    with leased(storage, LEASE, LASTS) as lease:
        remover = Remover(storage, lease)
        before = list(storage.list("index"))
        packs, unreadable = _read_footers(storage, lease, jobs, progress)
        written = _store(storage, packs)
        old = [item for item in before if item.name not in written]
        remover.remove((item.name, item.size) for item in old)
        marks = {item.name.rsplit("/", 1)[1]: item.name for item in storage.list(DAMAGED)}
        gone = [item.name.rsplit("/", 1)[1] for item in old if item.name in remover.gone]
        remover.remove((marks[found], 0) for found in gone if found in marks)
    return reports.RebuildIndexReport(
        repository=storage.url,
        packs=len(packs),
        blocks=sum(len(pack.entries) for pack in packs),
        unreadable_packs=tuple(sorted(unreadable)),
        index_objects=len(written),
        removed_index_objects=sum(item.name in remover.gone for item in old),
        refused_objects=len(remover.refused),
        refused_because=next(iter(remover.refused.values()), ""),
        seconds=round(time.monotonic() - began, 3),
    )


def _read_footers(storage: Storage, lease: Lease, jobs: int, progress: Progress) -> tuple[list[Pack], dict[str, str]]:
    items = pack_identities(storage.list("packs"))
    sealed = storage.content_keys is not None
    pending: Iterator[tuple[bytes, StoredObject]] = iter(sorted(items.items()))
    packs: list[Pack] = []
    unreadable: dict[str, str] = {}
    lock = threading.Lock()
    progress.begin("reading packs", sum(item.size for item in items.values()))

    def work(stopping: threading.Event) -> None:
        while not stopping.is_set():
            with lock:
                identity, item = next(pending, (b"", None))
            if item is None:
                return
            try:
                pack = read_footer(identity, item.size, partial(storage.read, item.name), sealed=sealed)
            except NeokeepError as problem:
                with lock:
                    unreadable[item.name] = problem.message
                continue
            with lock:
                packs.append(pack)
                progress.advance(item.size)
                lease.renew()

    run_workers(work, jobs)
    progress.end()
    return sorted(packs, key=lambda pack: pack.identity), unreadable


def _is_gone(pack: Pack, present: dict[bytes, int]) -> bool:
    return present.get(pack.identity) != pack.size


def _store(storage: Storage, packs: Iterable[Pack]) -> set[str]:
    """Store packs as index objects; return their names."""
    names: set[str] = set()
    for group in _groups(packs):
        data = encode_index(group)
        names.add(index_name(data))
        with suppress(ObjectExists):
            storage.create(index_name(data), data)
    return names


def _groups(packs: Iterable[Pack]) -> Iterator[list[Pack]]:
    group: list[Pack] = []
    blocks = 0
    for pack in packs:
        if group and blocks + len(pack.entries) > LARGEST:
            yield group
            group, blocks = [], 0
        group.append(pack)
        blocks += len(pack.entries)
    if group:
        yield group
