"""`verify`: find out whether all that the backups need is there, and every byte of it right.

Every verification looks at the structure: manifests, holds, index objects, lists of blocks, names and headers of
segments. One of content also reads packs and segments whole, all of them or a part. Every pack is compared with the
hash that is its name, and every block in it that a backup needs is decoded and hashed. Damage is told by object, by
backup and by file. A damaged object is remembered in the repository: the next full backup stores the blocks of such a
pack anew, which heals older backups. Damage that is known and touches no backup does not make it fail again.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from neokeep import reports
from neokeep.errors import NeokeepError
from neokeep.repository.coverage import WHOLE, Part, next_part, read_part
from neokeep.repository.manifest import Manifest
from neokeep.repository.pack import pack_name
from neokeep.repository.proving import BlocksByPack, Findings, Task, prove
from neokeep.repository.reader import BlockReader
from neokeep.repository.recording import Recorder
from neokeep.repository.repository import pack_identities
from neokeep.repository.segment import list_segments
from neokeep.repository.survey import (
    bases_of,
    carriers_of,
    chain_states,
    check_holds,
    check_index_objects,
    needs_of,
    touched,
)
from neokeep.repository.verified import CONTENT, ProvenBackup, Run
from neokeep.repository.verify_options import EVERYTHING, VerifyOptions
from neokeep.units import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository
    from neokeep.repository.survey import ChainState, Needs
    from neokeep.repository.verified import Record
    from neokeep.storage.base import StoredObject


@dataclass(slots=True)
class _Work:
    """One verification: what it looks at, and what it found so far."""

    repository: Repository
    label: str | None
    part: Part
    recorder: Recorder
    since: datetime
    backups: list[Manifest]
    bases: list[Manifest]
    carriers: dict[str, Manifest]
    reader: BlockReader
    needs: Needs
    packs: dict[str, StoredObject]
    chains: list[ChainState]
    problems: dict[str, list[str]]
    of_holder: dict[str, list[str]]
    """What is wrong with the blocks of a full backup, or of the first of those with the same files of a server."""
    resumed: bool = False
    findings: Findings = field(default_factory=Findings)


def verify(
    repository: Repository,
    label: str | None,
    *,
    options: VerifyOptions = EVERYTHING,
    jobs: int,
    progress: Progress,
) -> reports.VerifyReport:
    """Verify one backup, or the whole repository.

    Raises:
        RepositoryError: there is no such backup.
        UsageError: the options do not fit together.
    """
    began = time.monotonic()
    options.check(label)
    recorder = Recorder.begin(repository.storage)
    part = _part_of(options, recorder.known)
    since = _since(options, label, recorder)
    resumed = recorder.now is not None and since != recorder.now
    if resumed:
        progress.say(f"going on with the verification that began at {format_time(since)}")
    work = _look(repository, label, part or WHOLE, recorder, since, progress)
    work.resumed = resumed
    known_damage = repository.damaged_objects()
    _read(work, options, known_damage, jobs, progress)
    _judge(work, known_damage)
    new_damage = _new_damage(work, known_damage)
    for name in new_damage:
        _remember(repository, name)
    ok = not any(work.problems.values()) and not new_damage and not work.findings.unreadable
    record = _record(work, options, part, ok=ok)
    return _report(work, options, part, record, ok=ok, seconds=round(time.monotonic() - began, 3))


def _report(
    work: _Work, options: VerifyOptions, part: Part | None, record: Record, *, ok: bool, seconds: float
) -> reports.VerifyReport:
    databases = {item.label: item.database for item in work.backups}
    findings = work.findings
    return reports.VerifyReport(
        repository=work.repository.storage.url,
        ok=ok,
        backups=tuple(_verified(name, databases.get(name, ""), work.problems[name], record) for name in work.problems),
        damaged_objects=tuple(
            f"{name}: {reason}" for name, reason in sorted((findings.objects | findings.unreadable).items())
        ),
        blocks=int(np.count_nonzero(work.needs.rows)) + len(work.needs.missing),
        bytes_checked=findings.bytes_checked,
        seconds=seconds,
        depth=options.depth,
        part=None if part is None else str(part),
        resumed_from=work.since if work.resumed else None,
        blocks_checked=findings.blocks_checked,
        recorded=work.recorder.now is not None,
        not_recorded_because=work.recorder.refusal,
    )


def _part_of(options: VerifyOptions, known: Record) -> Part | None:
    if options.part is None:
        return None
    number, of = read_part(options.part)
    return next_part(known.coverage, of) if number is None else Part(number, of)


def _since(options: VerifyOptions, label: str | None, recorder: Recorder) -> datetime:
    """Choose since when an object has to be proven not to be read again: now, or the begin of what was interrupted."""
    now, begun = recorder.now or datetime.now(UTC), recorder.known.going_on
    everything = label is None and options.of_everything
    if recorder.now is None or not everything or options.again or begun is None:
        return now
    return begun if begun <= now <= begun + options.resume_within else now


def _look(
    repository: Repository, label: str | None, part: Part, recorder: Recorder, since: datetime, progress: Progress
) -> _Work:
    """Look at everything that is not read whole: manifests, holds, index objects, and lists of blocks."""
    chosen = [repository.manifest(label)] if label is not None else list(repository.manifests())
    problems = {item.label: [] if isinstance(item, Manifest) else [item.error.message] for item in chosen}
    backups = [item for item in chosen if isinstance(item, Manifest)]
    bases = bases_of(repository, backups, problems)
    carriers = carriers_of(bases, backups)
    holders = [*bases, *dict.fromkeys(carriers.values())]
    of_holder: dict[str, list[str]] = {holder.label: [] for holder in holders}
    reader = BlockReader.of(repository)
    progress.say("looking for what the backups need")
    needs = needs_of(reader, holders, of_holder)
    packs = {item.name: item for item in pack_identities(repository.storage.list("packs")).values()}
    chains = chain_states(repository, bases)
    work = _Work(
        repository, label, part, recorder, since, backups, bases, carriers, reader, needs, packs, chains, problems,
        of_holder,
    )  # fmt: skip
    work.findings.blocks |= needs.missing
    if label is None:
        check_index_objects(repository, packs, work.findings.objects, work.findings.unreadable)
        check_holds(repository, work.findings.objects, work.findings.unreadable)
    return work


def _read(work: _Work, options: VerifyOptions, known_damage: frozenset[bytes], jobs: int, progress: Progress) -> None:
    """Read packs and segments whole: those of the share, and packs known as damaged that backups need."""
    needed = {int(number) for numbers in work.needs.packs.values() for number in numbers}
    tasks = [
        task
        for task in _tasks(work, needed)
        if (options.depth == CONTENT and _is_due(work, task))
        or (task.number in needed and task.identity in known_damage)
    ]
    saves = work.label is None and options.of_everything

    def done_below(key: int) -> None:
        if saves:
            with work.findings.lock:
                objects, failed = list(work.findings.objects), set(work.findings.failed)
            for name in objects:
                if _hash_of(name) not in known_damage:
                    _remember(work.repository, name)
            work.recorder.progress(work.part, key, work.since, failed)

    blocks = BlocksByPack(work.reader, work.needs.rows)
    prove(work.repository.storage, tasks, blocks, work.findings, jobs=jobs, progress=progress, done_below=done_below)


def _tasks(work: _Work, needed: set[int]) -> Iterator[Task]:
    """List all that may be read: every pack that is there or only those that are needed, and the segments of chains."""
    numbers = {pack.identity: number for number, pack in enumerate(work.reader.index.packs)}
    if work.label is None:
        for identity, item in pack_identities(iter(work.packs.values())).items():
            yield Task(item.name, identity, item.size, numbers.get(identity, -1))
    else:
        for number in sorted(needed):
            pack = work.reader.index.packs[number]
            yield Task(pack_name(pack.identity), pack.identity, pack.size, number)
    for chain in work.chains:
        for segment in chain.listed:
            yield Task(segment.name, segment.hash, segment.size, segment=segment, chain=chain)


def _is_due(work: _Work, task: Task) -> bool:
    if not work.part.holds(task.identity):
        return False
    if not work.resumed:
        return True
    created = task.segment.created if task.segment else work.packs[task.name].created
    proven = work.recorder.known.proven(task.name, task.identity, created)
    return proven is None or proven < work.since


def _judge(work: _Work, known_damage: frozenset[bytes]) -> None:
    """Say of each backup what is wrong with it."""
    findings = work.findings
    for chain in work.chains:
        # A segment that was merged may be removed while the others are read; what is listed has to be there.
        there = {one.name for one in list_segments(work.repository.storage, chain.base.label)} if chain.gone else set()
        findings.objects.update((one.name, message) for one, message in chain.gone.items() if one.name in there)
        chain.bad |= {one for one in chain.listed if one.hash in known_damage and one not in chain.headers}
        chain.find_way(work.repository)
    states = {chain.base.label: chain for chain in work.chains}
    for holder in (*work.bases, *work.carriers.values()):
        if findings.blocks and not work.of_holder[holder.label]:
            work.of_holder[holder.label] = touched(work.reader, holder, findings.blocks)
    for item in work.backups:
        found = work.of_holder.get(item.base or item.label, [])
        if item.base is not None:
            found = [f"its full backup: {problem}" for problem in found]
            if item.label in work.carriers:
                found += work.of_holder[work.carriers[item.label].label]
            if item.base in states:
                found += filter(None, [states[item.base].problem_of(item)])
        work.problems[item.label] += found


def _new_damage(work: _Work, known_damage: frozenset[bytes]) -> list[str]:
    """List the damaged objects that were not told before: what an interrupted verification found was not."""
    unproven = work.recorder.known.unproven
    return [
        name
        for name in work.findings.objects
        if _hash_of(name) not in known_damage or (work.resumed and name in unproven and unproven[name] >= work.since)
    ]


def _record(work: _Work, options: VerifyOptions, part: Part | None, *, ok: bool) -> Record:
    """Write down what was proven; return what is known then."""
    recorder = work.recorder
    begun = recorder.now or datetime.now(UTC)
    run = Run(begun=begun, depth=options.depth, part=None if part is None else str(part), backup=work.label, ok=ok)
    share = (work.part, work.since) if work.label is None and options.depth == CONTENT else None
    present = None
    if work.label is None:
        present = {*work.packs, *(segment.name for chain in work.chains for segment in chain.listed)}
    return recorder.finish(run, share, work.findings, present, list(_proven(work, begun)))


def _proven(work: _Work, now: datetime) -> Iterator[ProvenBackup]:
    """Say since when all that each backup needs is proven: the oldest proof of any of it."""
    index, states = work.reader.index, {chain.base.label: chain for chain in work.chains}
    manifests = {item.label: item for item in work.backups}
    proven = {
        label: _oldest([_pack_proven(work, index.packs[number].identity, now) for number in numbers] + [now])
        for label, numbers in work.needs.packs.items()
    }
    for label, problems in work.problems.items():
        item = manifests.get(label)
        if item is None or problems:
            yield ProvenBackup(label=label, judged=now, whole=False)
            continue
        times = [proven[item.base or item.label]]
        if item.base is not None:
            times += [proven[work.carriers[label].label]] if label in work.carriers else []
            times += [_when(work, one.name, one.hash, one.created, now) for one in states[item.base].needed_by(item)]
        yield ProvenBackup(label=label, judged=now, whole=True, structure=now, content=_oldest(times))


def _pack_proven(work: _Work, identity: bytes, now: datetime) -> datetime | None:
    name = pack_name(identity)
    item = work.packs.get(name)
    return None if item is None else _when(work, name, identity, item.created, now)


def _when(work: _Work, name: str, identity: bytes, created: datetime, now: datetime) -> datetime | None:
    if name in work.findings.proven:
        return now
    return None if name in work.findings.failed else work.recorder.known.proven(name, identity, created)


def _oldest(times: Sequence[datetime | None]) -> datetime | None:
    return None if None in times else min(time for time in times if time is not None)


def _verified(label: str, database: str, problems: Sequence[str], record: Record) -> reports.VerifiedBackup:
    known = record.of_backup(label)
    return reports.VerifiedBackup(
        label=label,
        database=database,
        ok=not problems,
        problems=tuple(problems),
        structure_proven_at=known.structure if known else None,
        content_proven_at=known.content if known else None,
    )


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
