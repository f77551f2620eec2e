"""What `check` tries on a repository: opening it, a real write and read, its clock, its space, where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import ClockError
from neokeep.neo4j.store.layout import FileKind, list_database
from neokeep.reports import Finding
from neokeep.repository.open import open_repository
from neokeep.repository.probe import CLOCK_LIMIT_SECONDS, CLOCK_TOLERANCE_SECONDS, RACERS, Probed, probe
from neokeep.storage.layer import innermost
from neokeep.storage.local import LocalStorage
from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.source import Source
    from neokeep.storage.base import Storage
    from neokeep.storage.place import Place

_SUBJECT = "repository"


def check_repository(place: str | Place, source: Source | None) -> Iterator[Finding]:
    """Open the repository, probe it, and compare its space with what the source has.

    Raises:
        RepositoryError: there is none, or it does not honour what backups rest on.
    """
    repository = open_repository(place)
    count = sum(1 for _ in repository.manifests())
    yield Finding(subject=_SUBJECT, status="ok", message=f"{repository.storage.url} opens, {count} backups")
    probed = probe(repository.storage)
    yield Finding(
        subject=_SUBJECT,
        status="ok",
        message=f"written and read back; of {RACERS} writers of one name exactly one succeeded",
    )
    yield from _clock(probed)
    yield from _caveats(repository.storage, probed)
    if source is not None:
        yield from _space(repository.storage, source, first=count == 0)
        yield from _device(repository.storage, source)


def _clock(probed: Probed) -> Iterator[Finding]:
    if abs(probed.skew) > CLOCK_TOLERANCE_SECONDS:
        far = abs(probed.skew) > CLOCK_LIMIT_SECONDS
        yield Finding(
            subject=_SUBJECT,
            status="error" if far else "warning",
            message=f"the storage's clock differs from this machine's by {probed.skew:.0f} seconds",
            remedy="Let both follow a time server.",
            kind=ClockError.kind if far else "",
        )


def _caveats(storage: Storage, probed: Probed) -> Iterator[Finding]:
    for caveat in storage.caveats():
        yield Finding(
            subject=_SUBJECT, status="warning", message=caveat, remedy="Decide whether that is what you want."
        )
    if not probed.can_delete:
        yield Finding(
            subject=_SUBJECT,
            status="warning",
            message="objects cannot be removed: good against mistakes, but nothing is ever tidied up either",
            remedy="Nothing to do where the storage is meant to keep everything. Three small objects of this check "
            "stay there.",
        )


def _space(storage: Storage, source: Source, *, first: bool) -> Iterator[Finding]:
    free = storage.free_bytes()
    if free is None:
        return
    size = sum(
        file.size
        for database in source.databases()
        for file in list_database(database.store_directory).files
        if file.kind is not FileKind.NEVER
    )
    if free >= size:
        yield Finding(
            subject=_SUBJECT, status="ok", message=f"{format_size(free)} free for {format_size(size)} of databases"
        )
        return
    tight = free < size // 4
    yield Finding(
        subject=_SUBJECT,
        status="error" if tight and first else "warning",
        message=f"{format_size(free)} free for {format_size(size)} of databases; compressed they take about a third",
        remedy="Free space there, or choose a larger place.",
        kind="space" if tight and first else "",
    )


def _device(storage: Storage, source: Source) -> Iterator[Finding]:
    storage = innermost(storage)
    if not isinstance(storage, LocalStorage) or not source.databases_directory.is_dir():
        return
    if Path(storage.root).stat().st_dev == source.databases_directory.stat().st_dev:
        yield Finding(
            subject=_SUBJECT,
            status="warning",
            message="the repository lies on the same file system as the databases",
            remedy="Keep it on another disk, better on another machine: one failure should not take both.",
        )
