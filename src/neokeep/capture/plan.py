"""What to copy, and what a change of the file list during the copy means. Pure functions over listings.

A capture is void when something changed that the transaction log does not explain; ordinary events (an index made,
dropped or merged, a tree rebuilt) only change what is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from neokeep.neo4j.store.layout import FileKind, ListedFile, Listing, index_directory, rebuildable
from neokeep.repository.manifest import LeftOut


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """Single files to copy, Lucene directories to copy as a whole, and what stays behind with its reason."""

    files: tuple[ListedFile, ...]
    lucene: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to the file list during a copy.

    `void` is the reason why the capture must start over; `drop` maps paths, or directories of whole indexes, that must
    not be in the backup although they were copied, to the reason; `left_out` are newcomers; `events` are for people.
    """

    void: str | None
    drop: dict[str, str]
    left_out: tuple[LeftOut, ...]
    events: tuple[str, ...]


def plan_copy(listing: Listing, indexes: str) -> CopyPlan:
    """Decide what to copy of a listed database; `indexes` is `copy` or `rebuild`."""
    files: list[ListedFile] = []
    left_out: list[LeftOut] = []
    skipped_indexes: set[str] = set()
    for file in listing.files:
        if file.kind is FileKind.NEVER:
            continue
        if indexes == "rebuild" and rebuildable(file.path):
            skipped_indexes.add(index_directory(file.path) or file.path)
            continue
        if file.kind is not FileKind.LUCENE:
            files.append(file)
    left_out += [LeftOut(path=path, reason="--indexes=rebuild", rebuilt=True) for path in sorted(skipped_indexes)]
    lucene = () if indexes == "rebuild" else listing.lucene
    size = sum(file.size for file in files) + sum(
        file.size for file in listing.of_kind(FileKind.LUCENE) if indexes != "rebuild"
    )
    return CopyPlan(tuple(files), lucene, tuple(left_out), size)


def explain_changes(before: Listing, after: Listing) -> Changes:
    """Compare the file lists of the begin and the end of a copy."""
    old = {file.path: file for file in before.files if file.kind is not FileKind.NEVER}
    new = {file.path: file for file in after.files if file.kind is not FileKind.NEVER}
    void = _void_reason(old, new)
    if void is not None:
        return Changes(void, {}, (), ())
    old_indexes, new_indexes = _indexes(old), _indexes(new)
    drop = dict.fromkeys(sorted(old_indexes - new_indexes), "the index was dropped during the capture")
    made = sorted(new_indexes - old_indexes)
    left_out = [LeftOut(path=index, reason="the index was made during the capture", rebuilt=True) for index in made]
    for path in sorted(old.keys() - new.keys()):
        index = index_directory(path)
        # Lucene files come and go with merges; the commit that was copied is whole.
        if index not in drop and old[path].kind is not FileKind.LUCENE:
            drop[index or path] = "the file vanished during the capture"
    for path in sorted(new.keys() - old.keys()):
        index = index_directory(path)
        if index is None:
            left_out.append(LeftOut(path=path, reason="it appeared during the capture", rebuilt=rebuildable(path)))
        elif index in old_indexes and new[path].kind is FileKind.TREE:
            drop[index] = "the index was made anew during the capture"
    events = [f"{item.path}: {item.reason}" for item in left_out] + [f"{path}: {why}" for path, why in drop.items()]
    return Changes(None, drop, tuple(left_out), tuple(events))


def _void_reason(old: dict[str, ListedFile], new: dict[str, ListedFile]) -> str | None:
    """Say what the transaction log cannot explain: record stores are made, removed or cut by no transaction."""
    stores = (FileKind.RECORD_STORE, FileKind.NEOSTORE)
    for path in sorted(old.keys() | new.keys()):
        if (old.get(path) or new[path]).kind not in stores:
            continue
        if path not in new:
            return f"{path} vanished"
        if path not in old:
            return f"{path} appeared"
        if new[path].size < old[path].size:
            return f"{path} shrank from {old[path].size} to {new[path].size} bytes"
    return None


def _indexes(files: dict[str, ListedFile]) -> set[str]:
    return {index for index in map(index_directory, files) if index is not None}


def is_dropped(path: str, drop: dict[str, str]) -> bool:
    """Tell whether a file, or the index that it belongs to, is among what must not be in the backup."""
    return path in drop or index_directory(path) in drop
