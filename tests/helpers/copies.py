"""Two repositories: copying between them, and telling whether what is in both restores to the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.backups import SILENT, content, copied, expected, new_repository, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database, some_bytes, write_tree
from neokeep.copies.copy import copy_backups
from neokeep.repository.repository import Repository
from neokeep.restore.restore import restore

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from helpers.storages import MemoryStorage
    from neokeep.reports import CopyReport


class OtherNames(Repository):
    """A repository that calls the same content otherwise, as far as others know."""

    @property
    def naming(self) -> bytes:
        return b"other"


SMALL_PACKS = 100_000
"""Bytes of a pack of which a small repository has several."""

Content = tuple[dict[str, bytes], dict[str, bytes]]


def copied_over(source: Repository, target: Repository, *labels: str, jobs: int = 2) -> CopyReport:
    return copy_backups(source, target, labels, jobs=jobs, progress=SILENT)


def two_chains(made: Synthetic, repository: Repository) -> dict[str, Content]:
    """Take two full backups that share most blocks, each with two incremental ones; what each has to restore to."""
    wanted: dict[str, Content] = {}
    for number in range(2):
        changed = {"neostore.nodestore.db": some_bytes(50 + number, 200_000)}
        made.store |= changed
        write_tree(made.store_directory, changed)
        base = take(made, repository).label
        wanted[base] = snapshot(made)
        for _ in range(2):
            commit_more(made)
            (backup,) = run_backup(made, repository).backups
            wanted[backup.label] = (wanted[base][0], snapshot(made)[1])
    return wanted


@dataclass(frozen=True)
class Twins:
    """Two storages with repositories that hold the same two chains, and what each backup restores to."""

    first: MemoryStorage
    second: MemoryStorage
    wanted: dict[str, Content]

    @classmethod
    def make(cls, directory: Path) -> Twins:
        """Make them."""
        (here, first), (there, second) = new_repository(), new_repository()
        wanted = two_chains(make_database(directory), here)
        assert not copied_over(here, there).failures
        return cls(first, second, wanted)

    def copied(self) -> tuple[MemoryStorage, MemoryStorage, dict[str, Content]]:
        """Give both anew, called `here` and `there`, for one test to damage."""
        here, there = copied(self.first), copied(self.second)
        here.url, there.url = "here", "there"
        return here, there, self.wanted


def snapshot(made: Synthetic) -> Content:
    store, logs = expected(made)
    return dict(store), dict(logs)


def restores(repository: Repository, wanted: dict[str, Content], directory: Path) -> None:
    """Every backup restores to what it has to."""
    for number, (label, files) in enumerate(wanted.items()):
        home = directory / f"home-{number}"
        restore(repository, home, "neo4j", label=label, from_source="test", overwrite=True, jobs=2, progress=SILENT)
        assert content(home) == files, label
