"""An incremental backup that is killed at any call harms nothing, and the chain goes on afterwards."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, put_back, take
from helpers.calls import recorded
from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.storages import MemoryStorage, Wrapped
from helpers.victim import Victim, steps
from neokeep.capture import chain as chains
from neokeep.repository.chains import chain_of
from neokeep.repository.open import init_repository, open_repository
from neokeep.repository.repository import Repository
from neokeep.repository.segment import list_segments, read_segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.database import Synthetic

pytestmark = pytest.mark.faults


class Gone(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def victim() -> Iterator[Victim]:
    process = Victim()
    yield process
    process.close()


def segments_are_whole(repository: Repository, base: str) -> int:
    """Prove that every segment object is whole; return to which transaction the chain reaches."""
    for segment in list_segments(repository.storage, base):
        read_segment(repository.storage, segment)
    return chain_of(repository, repository.manifest(base)).last_transaction


def goes_on(made: Synthetic, repository: Repository, base: str, home: Path) -> None:
    """Prove that the next incremental backup continues the same chain and restores to the newest state."""
    (info,) = run_backup(made, repository).backups
    assert (info.type, info.base, info.last_tx) == ("incremental", base, made.logs[-1].last_transaction)
    put_back(repository, home, info.label)
    assert content(home) == expected(made)
    shutil.rmtree(home)
    assert check(repository).ok


def test_whatever_call_it_is_killed_at(tmp_path: Path, victim: Victim) -> None:
    base, made = tmp_path / "base", make_database(tmp_path / "home")
    first = take(made, init_repository(str(base))).label
    old = expected(made)
    for _ in range(3):
        commit_more(made, rotate=True)
    shutil.copytree(base, tmp_path / "whole")
    calls = victim.calls_of("backup", tmp_path / "whole", made.home, type="incremental")
    assert calls > 8
    reached: list[int] = []
    existed: list[bool] = []
    for step in steps(calls, most=30):
        place = tmp_path / "killed"
        shutil.copytree(base, place)
        answer = victim.order("backup", place, made.home, type="incremental", kill_at=step)
        assert answer == "killed" or answer.startswith("done")
        repository = open_repository(str(place))
        reached.append(segments_are_whole(repository, first))
        found = [item.label for item in repository.manifests()]
        existed.append(len(found) == 2)
        assert found[0] == first
        assert check(repository).ok, step
        put_back(repository, tmp_path / "restored", first)
        assert content(tmp_path / "restored") == old
        shutil.rmtree(tmp_path / "restored")
        if existed[-1]:
            put_back(repository, tmp_path / "restored", found[1])
            assert content(tmp_path / "restored") == expected(made)
            shutil.rmtree(tmp_path / "restored")
        goes_on(made, repository, first, tmp_path / "restored")
        shutil.rmtree(place)
    assert (existed[0], existed[-1]) == (False, True)
    assert existed == sorted(existed)
    assert reached == sorted(reached)
    assert {9, 12, 15, 18} == set(reached)


def test_whatever_call_of_the_storage_it_ends_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains.read_on, "__defaults__", (900,))
    made = make_database(tmp_path / "home")
    whole = MemoryStorage()
    first = take(made, Repository.create(whole)).label
    commit_more(made, 5)
    commit_more(made, 5, rotate=True)
    before = dict(whole.objects)

    def attempt(storage: MemoryStorage, end_at: int) -> int:
        made_calls = 0

        def count(_operation: str, _name: str) -> None:
            nonlocal made_calls
            if made_calls == end_at:
                raise Gone
            made_calls += 1

        try:
            run_backup(made, Repository.open(Wrapped(storage, count)))
        except Gone:
            return -1
        return made_calls

    calls = attempt(whole, -1)
    assert calls > 8
    for end_at in range(1, calls):
        storage = MemoryStorage()
        for name, data in before.items():
            storage.create(name, data)
        assert attempt(storage, end_at) == -1
        repository = Repository.open(storage)
        segments_are_whole(repository, first)
        # Only the very last call comes after the manifest: the look whether the full backup is still there.
        assert len(storage.names("backups/")) == (2 if end_at == calls - 1 else 1)
        goes_on(made, repository, first, tmp_path / "restored")


def test_the_manifest_comes_after_every_segment_is_durable(tmp_path: Path) -> None:
    place = tmp_path / "repository"
    repository = init_repository(str(place))
    made = make_database(tmp_path / "home")
    take(made, repository)
    for _ in range(2):
        commit_more(made, rotate=True)
    with recorded() as calls:
        label = run_backup(made, repository).backups[0].label
    links = [path for name, path in calls if name == "link"]
    assert [path.removeprefix(f"{place}/").split("/")[0] for path in links] == ["segments", "segments", "backups"]
    assert links[-1].endswith(label)
    for number, path in enumerate(links):
        at = calls.index(("link", path))
        until = calls.index(("link", links[number + 1])) if number + 1 < len(links) else len(calls)
        assert ("fsync", path.rsplit("/", 1)[0]) in calls[at:until], f"{path} is not durable before what follows"
