"""What each backup needs, and whether it is there: the part of a verification that reads no packs whole.

Lists of blocks are read, decoded and hashed; every block in them must be in some pack, with its size. Chains must lead
on by the names and headers of their segments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from neokeep.errors import AWAY, IntegrityError, NeokeepError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import blocks_of, expand_file, has_blocks, listings, structure_ids
from neokeep.repository.holds import PREFIX as HOLDS
from neokeep.repository.index import decode_index
from neokeep.repository.pack import pack_name
from neokeep.repository.repository import pack_identities
from neokeep.repository.segment import contiguous, list_segments, peek, unlinked
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from neokeep.repository.contents import Listing
    from neokeep.repository.manifest import BlockList, FileEntry, Manifest
    from neokeep.repository.reader import BlockReader
    from neokeep.repository.repository import Repository
    from neokeep.repository.segment import SegmentHeader, SegmentName
    from neokeep.storage.base import StoredObject


@dataclass(slots=True)
class Needs:
    """What some backups need: which rows of the index, and for each backup which packs, by number."""

    rows: NDArray[np.bool_]
    packs: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    missing: set[bytes] = field(default_factory=set)


def bases_of(repository: Repository, backups: Sequence[Manifest], problems: dict[str, list[str]]) -> list[Manifest]:
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


def carriers_of(bases: Sequence[Manifest], backups: Sequence[Manifest]) -> dict[str, Manifest]:
    """Find for each incremental backup with server's files of its own the first that has the same.

    Many share one list, so each is looked at once. Those that share it with their full backup are not among them.
    """
    of_bases = {base.label: base.server.files for base in bases if base.server is not None}
    first: dict[BlockList, Manifest] = {}
    found: dict[str, Manifest] = {}
    for item in backups:
        if item.base is not None and item.server is not None and of_bases.get(item.base) != item.server.files:
            found[item.label] = first.setdefault(item.server.files, item)
    return found


def needs_of(reader: BlockReader, bases: Sequence[Manifest], problems: dict[str, list[str]]) -> Needs:
    """Look every block of some backups up; what cannot even be listed is a problem of its backup."""
    index = reader.index
    needs = Needs(np.zeros(len(index), np.bool_))
    for base in bases:
        used = np.zeros(len(index.packs), np.bool_)
        try:
            for ids, sizes in blocks_of(reader, base) if has_blocks(base) else ():
                wanted = np.frombuffer(ids, f"V{ID_SIZE}")
                rows = index.find(wanted)
                there = rows >= 0
                there[there] = index.sizes(rows[there]) == sizes[there]
                needs.missing.update(one.tobytes() for one in wanted[~there])
                needs.rows[rows[there]] = True
                used[index.packs_of(rows[there])] = True
        except AWAY:
            raise
        except NeokeepError as problem:
            problems[base.label].append(problem.message)
        needs.packs[base.label] = np.flatnonzero(used)
    return needs


def check_index_objects(
    repository: Repository, packs: dict[str, StoredObject], objects: dict[str, str], unreadable: dict[str, str]
) -> None:
    """Read every index object, and compare the sizes of packs with what it says."""
    present = pack_identities(iter(packs.values()))
    for item in repository.storage.list("index"):
        try:
            listed = decode_index(item.name, repository.storage.read(item.name))
        except ObjectMissing:
            continue  # Others took its place since it was listed.
        except IntegrityError as problem:
            objects[item.name] = problem.message
        except AWAY:
            raise
        except NeokeepError as problem:
            unreadable[item.name] = problem.message
        else:
            for pack in listed:
                size = present[pack.identity].size if pack.identity in present else pack.size
                if size != pack.size:
                    objects[pack_name(pack.identity)] = f"it has {size} bytes, and must have {pack.size}"


def check_holds(repository: Repository, objects: dict[str, str], unreadable: dict[str, str]) -> None:
    """Read every hold; one that is damaged holds for ever."""
    for item in repository.storage.list(HOLDS):
        try:
            content = repository.storage.read(item.name)
        except ObjectMissing:
            continue
        except IntegrityError as problem:
            objects[item.name] = problem.message
        except AWAY:
            raise
        except NeokeepError as problem:
            unreadable[item.name] = problem.message
        else:
            if blake3(content).hexdigest() != item.name.rsplit("/", 1)[1]:
                objects[item.name] = "it is damaged, and holds its backup for ever"


@dataclass(slots=True)
class ChainState:
    """The segments of a chain: those listed, headers of the good ones, those known as bad, and those not there now."""

    base: Manifest
    listed: list[SegmentName]
    headers: dict[SegmentName, SegmentHeader] = field(default_factory=dict)
    bad: set[SegmentName] = field(default_factory=set)
    gone: dict[SegmentName, str] = field(default_factory=dict)
    way: list[SegmentName] = field(default_factory=list)

    def find_way(self, repository: Repository) -> None:
        """Find the segments that follow on, by names, ids and checksums; of those that were not read, by headers."""
        for segment in self.listed:
            if segment not in self.headers and segment not in self.bad:
                header = peek(repository.storage, segment)
                if header is not None:
                    self.headers[segment] = header
        checksum = self.base.end.checksum
        for segment in contiguous(list(self.headers), self.base.end.transaction or 0):
            if unlinked(self.headers[segment], checksum):
                break
            checksum = self.headers[segment].tail.checksum
            self.way.append(segment)

    def problem_of(self, item: Manifest) -> str:
        """Say why the chain does not reach a backup; empty where it does."""
        reached = self.way[-1].last if self.way else self.base.end.transaction or 0
        if reached >= (item.end.transaction or 0):
            return ""
        return f"its chain is whole only up to transaction {reached}; it needs {item.end.transaction}"

    def needed_by(self, item: Manifest) -> list[SegmentName]:
        """List the segments on the way to a backup."""
        return [segment for segment in self.way if segment.first <= (item.end.transaction or 0)]


def chain_states(repository: Repository, bases: Sequence[Manifest]) -> list[ChainState]:
    """List the segments of chains."""
    return [ChainState(base, list_segments(repository.storage, base.label)) for base in bases]


def touched(reader: BlockReader, manifest: Manifest, damaged: set[bytes]) -> list[str]:
    """Say which files of a backup need a damaged block."""
    try:
        found = listings(reader, manifest)
        problems = [_structure_problem(listing, damaged) for listing in found]
        problems += [_file_problem(reader, file, damaged) for listing in found for file in listing.files]
    except AWAY:
        raise
    except NeokeepError as problem:
        return [problem.message]
    return [problem for problem in problems if problem]


def _structure_problem(listing: Listing, damaged: set[bytes]) -> str:
    hit = sum(identity in damaged for identity, _ in structure_ids(listing.own, listing.files))
    return f"{hit} blocks of its file list are missing or damaged" if hit else ""


def _file_problem(reader: BlockReader, file: FileEntry, damaged: set[bytes]) -> str:
    ids = expand_file(reader, file)
    count = len(ids) // ID_SIZE
    hit = sum(ids[at : at + ID_SIZE] in damaged for at in range(0, len(ids), ID_SIZE))
    return f"{file.path}: {hit} of {count} blocks are missing or damaged" if hit else ""
