"""`verify`: find out whether all that the backups need is there, and every byte of it right.

Every pack is read whole and compared with the hash that is its name; every block that a backup needs is decoded and
hashed, once however many backups share it. Damage is told by object, by backup and by file. A damaged object is
remembered in the repository: the next full backup stores the blocks of such a pack anew, which heals older backups that
share them. Damage that is known already and touches no backup does not make a verification fail again.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from neokeep import reports
from neokeep.errors import AWAY, IntegrityError, NeokeepError, RepositoryError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import blocks_of, expand_file, file_list, structure_ids
from neokeep.repository.fetch import FetchPlan, Wanted, plan_fetch
from neokeep.repository.index import decode_index
from neokeep.repository.manifest import Manifest
from neokeep.repository.pack import pack_name
from neokeep.repository.reader import BlockReader
from neokeep.repository.segment import (
    SegmentMissing,
    SegmentName,
    contiguous,
    list_segments,
    read_segment,
    unlinked,
)
from neokeep.storage.base import ObjectMissing
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from neokeep.progress import Progress
    from neokeep.repository.manifest import FileEntry
    from neokeep.repository.repository import DamagedManifest, Repository
    from neokeep.repository.segment import SegmentHeader

_TEXT_ID = f"S{ID_SIZE}"
"""Ids as byte strings, which numpy can sort; all have the same length, so trailing zeros do not matter."""


@dataclass(slots=True)
class _Findings:
    """What reading found: damaged and unreadable objects with the reason, and damaged or missing blocks.

    What could not be read now may be readable again; only what was read and is wrong is remembered as damaged.
    """

    objects: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    blocks: set[bytes] = field(default_factory=set)
    bytes_checked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def verify(repository: Repository, label: str | None, *, jobs: int, progress: Progress) -> reports.VerifyReport:
    """Verify one backup, or the whole repository.

    Raises:
        RepositoryError: there is no such backup.
    """
    began = time.monotonic()
    chosen = [repository.manifest(label)] if label is not None else list(repository.manifests())
    findings = _Findings()
    known_damage = repository.damaged_objects()
    problems = _manifest_problems(chosen)
    backups = [item for item in chosen if isinstance(item, Manifest)]
    bases = _bases(repository, backups, problems)
    of_base: dict[str, list[str]] = {base.label: [] for base in bases}
    reader = BlockReader.of(repository)
    wanted = _needed(reader, bases, of_base)
    if label is None:
        _check_index_objects(repository, findings)
    _check_packs(repository, reader, wanted, findings, every_pack=label is None, jobs=jobs, progress=progress)
    for base in bases:
        if findings.blocks and not of_base[base.label]:
            of_base[base.label] = _touched(reader, base, findings.blocks)
        _check_chain(repository, base, backups, problems, findings)
    for item in backups:
        found = of_base.get(item.base or item.label, [])
        problems[item.label] += found if item.base is None else [f"its full backup: {problem}" for problem in found]
    new_damage = [name for name in findings.objects if _hash_of(name) not in known_damage]
    for name in new_damage:
        _remember(repository, name)
    databases = {item.label: item.database for item in chosen if isinstance(item, Manifest)}
    return reports.VerifyReport(
        repository=repository.storage.url,
        ok=not any(problems.values()) and not new_damage and not findings.unreadable,
        backups=tuple(
            reports.VerifiedBackup(
                label=name, database=databases.get(name, ""), ok=not problems[name], problems=tuple(problems[name])
            )
            for name in problems
        ),
        damaged_objects=tuple(
            f"{name}: {reason}" for name, reason in sorted((findings.objects | findings.unreadable).items())
        ),
        blocks=len(wanted.ids),
        bytes_checked=findings.bytes_checked,
        seconds=round(time.monotonic() - began, 3),
    )


def _manifest_problems(chosen: Sequence[Manifest | DamagedManifest]) -> dict[str, list[str]]:
    return {item.label: [] if isinstance(item, Manifest) else [item.error.message] for item in chosen}


def _needed(reader: BlockReader, manifests: Sequence[Manifest], problems: dict[str, list[str]]) -> Wanted:
    """Collect every distinct block of some backups; what cannot even be listed is a problem of its backup."""
    ids: NDArray[np.bytes_] = np.empty(0, _TEXT_ID)
    sizes = np.empty(0, np.int64)
    for manifest in manifests:
        try:
            parts = list(blocks_of(reader, manifest))
        except AWAY:
            raise
        except NeokeepError as problem:
            problems[manifest.label].append(problem.message)
            continue
        found_ids = np.concatenate([ids, *(np.frombuffer(part, _TEXT_ID) for part, _ in parts)])
        found_sizes = np.concatenate([sizes, *(lengths for _, lengths in parts)])
        ids, first = np.unique(found_ids, return_index=True)
        sizes = found_sizes[first]
    rows = np.arange(len(ids), dtype=np.int64)
    return Wanted(ids.view(f"V{ID_SIZE}"), sizes, rows, np.zeros(len(ids), np.int64))


def _bases(repository: Repository, backups: Sequence[Manifest], problems: dict[str, list[str]]) -> list[Manifest]:
    """Find the full backups that some backups rest on, themselves among them."""
    known = {item.label: item for item in backups if item.type == "full"}
    for item in backups:
        if item.base is not None and item.base not in known:
            try:
                known[item.base] = repository.manifest(item.base)
            except AWAY:
                raise
            except NeokeepError as problem:
                problems[item.label].append(f"its full backup: {problem.message}")
    return list(known.values())


def _check_chain(
    repository: Repository,
    base: Manifest,
    backups: Sequence[Manifest],
    problems: dict[str, list[str]],
    findings: _Findings,
) -> None:
    """Read every segment of a chain; say which incremental backups it does not reach."""
    good: dict[SegmentName, SegmentHeader] = {}
    gone: dict[SegmentName, str] = {}
    for segment in list_segments(repository.storage, base.label):
        try:
            header, data = read_segment(repository.storage, segment)
        except SegmentMissing as problem:
            gone[segment] = problem.message
        except IntegrityError as problem:
            findings.objects[segment.name] = problem.message
        except AWAY:
            raise
        except NeokeepError as problem:
            findings.unreadable[segment.name] = problem.message
        else:
            good[segment] = header
            findings.bytes_checked += len(data)
    # A segment that was merged may be removed while the others are read; what is listed still has to be there.
    listed = {segment.name for segment in list_segments(repository.storage, base.label)} if gone else set()
    findings.objects.update((segment.name, message) for segment, message in gone.items() if segment.name in listed)
    reached = _reached(base, good)
    for item in backups:
        if item.base == base.label and reached < (item.end.transaction or 0):
            problems[item.label].append(
                f"its chain is whole only up to transaction {reached}; it needs {item.end.transaction}"
            )


def _reached(base: Manifest, good: dict[SegmentName, SegmentHeader]) -> int:
    """Find the last transaction up to which segments follow on, by their ids and by their checksums."""
    reached, checksum = base.end.transaction or 0, base.end.checksum
    for segment in contiguous(list(good), reached):
        if unlinked(good[segment], checksum):
            break
        reached, checksum = segment.last, good[segment].tail.checksum
    return reached


def _check_index_objects(repository: Repository, findings: _Findings) -> None:
    for item in repository.storage.list("index"):
        try:
            decode_index(item.name, repository.storage.read(item.name))
        except ObjectMissing:
            continue  # Others took its place since it was listed.
        except IntegrityError as problem:
            findings.objects[item.name] = problem.message
        except AWAY:
            raise
        except NeokeepError as problem:
            findings.unreadable[item.name] = problem.message


def _check_packs(
    repository: Repository,
    reader: BlockReader,
    wanted: Wanted,
    findings: _Findings,
    *,
    every_pack: bool,
    jobs: int,
    progress: Progress,
) -> None:
    """Read packs whole: all that there are, or those that hold a wanted block."""
    index = reader.index
    plan = plan_fetch(index, wanted)
    findings.blocks.update(wanted.ids[row].tobytes() for row in plan.missing)
    numbers = {pack.identity: number for number, pack in enumerate(index.packs)}
    if every_pack:
        sizes = {item.name: item.size for item in repository.storage.list("packs")}
        known = {pack_name(identity): number for identity, number in numbers.items()}
        todo = [(name, known.get(name, -1)) for name in sorted(sizes)]
        total = sum(sizes.values())
    else:
        used = [int(number) for number in np.unique(plan.pack)]
        todo = [(pack_name(index.packs[number].identity), number) for number in used]
        total = sum(index.packs[number].size for number in used)
    pending = iter(todo)
    lock = threading.Lock()
    progress.begin("verifying", total)

    def work(stopping: threading.Event) -> None:
        while not stopping.is_set():
            with lock:
                name, number = next(pending, ("", -1))
            if not name:
                return
            progress.advance(_check_pack(reader, name, number, plan, findings))

    run_workers(work, jobs)
    progress.end()


def _check_pack(reader: BlockReader, name: str, number: int, plan: FetchPlan, findings: _Findings) -> int:
    """Check one pack and the wanted blocks in it; return the bytes read."""
    first, last = np.searchsorted(plan.pack, [number, number + 1])
    try:
        data = reader.storage.read(name)
    except RepositoryError as problem:
        if isinstance(problem, ObjectMissing) and first == last:
            return 0  # No backup needed it, and it was collected since it was listed.
        data = b""
        with findings.lock:
            findings.unreadable[name] = problem.message
    damaged = bool(data) and blake3(data).hexdigest() != name.rsplit("/", 1)[1]
    bad = [row for row in range(first, last) if not _is_good(reader, plan, row, memoryview(data))]
    with findings.lock:
        findings.bytes_checked += len(data)
        if damaged:
            findings.objects[name] = "its content is not what its name says"
        findings.blocks.update(plan.wanted.ids[row].tobytes() for row in bad)
    return len(data)


def _is_good(reader: BlockReader, plan: FetchPlan, row: int, data: memoryview) -> bool:
    offset, stored = int(plan.offset[row]), int(plan.stored[row])
    identity, size = plan.wanted.ids[row].tobytes(), int(plan.wanted.sizes[row])
    try:
        reader.decode(int(plan.pack[row]), offset, data[offset : offset + stored], identity, size)
    except IntegrityError:
        return False
    return True


def _remember(repository: Repository, name: str) -> None:
    """Note a damaged object, unless its name is not one that neokeep gives."""
    identity = _hash_of(name)
    if identity is not None:
        with suppress(NeokeepError):  # On a repository that is full or may only be read, the report still counts.
            repository.mark_damaged(identity)


def _hash_of(name: str) -> bytes | None:
    try:
        return bytes.fromhex(name.replace("-", "/").rsplit("/", 1)[1])
    except ValueError:
        return None


def _touched(reader: BlockReader, manifest: Manifest, damaged: set[bytes]) -> list[str]:
    """Say which files of a backup need a damaged block."""
    try:
        files = file_list(reader, manifest)
        problems = [_structure_problem(manifest, files, damaged)]
        problems += [_file_problem(reader, file, damaged) for file in files]
    except AWAY:
        raise
    except NeokeepError as problem:
        return [problem.message]
    return [problem for problem in problems if problem]


def _structure_problem(manifest: Manifest, files: Sequence[FileEntry], damaged: set[bytes]) -> str:
    hit = sum(identity in damaged for identity, _ in structure_ids(manifest.files, files))
    return f"{hit} blocks of its file list are missing or damaged" if hit else ""


def _file_problem(reader: BlockReader, file: FileEntry, damaged: set[bytes]) -> str:
    ids = expand_file(reader, file)
    count = len(ids) // ID_SIZE
    hit = sum(ids[at : at + ID_SIZE] in damaged for at in range(0, len(ids), ID_SIZE))
    return f"{file.path}: {hit} of {count} blocks are missing or damaged" if hit else ""
