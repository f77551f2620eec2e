"""Taking, restoring and verifying backups of synthetic databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.database import Synthetic, captured_logs, read_tree
from helpers.storages import MemoryStorage
from neokeep.capture.backup import back_up
from neokeep.capture.options import CaptureOptions
from neokeep.progress import Progress, Silent
from neokeep.repository.repository import Repository
from neokeep.repository.verify import verify
from neokeep.restore.restore import restore

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.reports import BackupInfo, RestoreReport, VerifyReport

SILENT: Progress = Silent()


def new_repository() -> tuple[Repository, MemoryStorage]:
    storage = MemoryStorage()
    return Repository.create(storage), storage


def take(
    made: Synthetic, repository: Repository, *, jobs: int = 2, indexes: str = "copy", progress: Progress = SILENT
) -> BackupInfo:
    """Back up the database of a synthetic home."""
    options = CaptureOptions(type="full", jobs=jobs, gentle=False, indexes=indexes)
    (info,) = back_up(made.source, repository, [made.database], options=options, progress=progress).backups
    return info


def put_back(
    repository: Repository, home: Path, label: str | None = None, *, overwrite: bool = False, jobs: int = 2
) -> RestoreReport:
    return restore(
        repository, home, "neo4j", label=label, from_source="test", overwrite=overwrite, jobs=jobs, progress=SILENT
    )


def labels(repository: Repository) -> list[str]:
    return [item.label for item in repository.manifests()]


def check(repository: Repository, label: str | None = None) -> VerifyReport:
    return verify(repository, label, jobs=2, progress=SILENT)


def content(home: Path, database: str = "neo4j") -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Store and logs of a database, as a server would see them."""
    data = home / "data"
    return read_tree(data / "databases" / database), read_tree(data / "transactions" / database)


def expected(made: Synthetic) -> tuple[dict[str, bytes], dict[str, bytes]]:
    return made.store, captured_logs(made)


def copied(storage: MemoryStorage) -> MemoryStorage:
    """Another storage with the same objects."""
    other = MemoryStorage()
    for name, data in storage.objects.items():
        other.create(name, data)
    return other
