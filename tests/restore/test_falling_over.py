"""A restore from several repositories: whatever one cannot give comes from the next, and that is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from helpers.backups import SILENT, content, copied, new_repository, put_back
from helpers.chains import commit_more, run_backup
from helpers.copies import SMALL_PACKS, OtherNames, Twins, copied_over
from helpers.database import make_database
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import IntegrityError, UnreachableError, UsageError
from neokeep.repository import pack as packing
from neokeep.repository.contents import file_list, structure_ids
from neokeep.repository.reader import BlockReader
from neokeep.repository.repository import Repository
from neokeep.restore.several import restore_from_several
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.copies import Content
    from neokeep.reports import RestoreReport

    Scene = tuple[MemoryStorage, MemoryStorage, dict[str, Content]]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Two repositories with the same two chains, in many packs, and what each backup restores to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "TARGET_SIZE", SMALL_PACKS)
        return Twins.make(tmp_path_factory.mktemp("originals") / "made")


@pytest.fixture
def scene(originals: Twins, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The same, for one test to damage."""
    monkeypatch.setattr(packing, "TARGET_SIZE", SMALL_PACKS)
    return originals.copied()


def back(repositories: Sequence[Repository | None], home: Path, label: str | None = None, **more: Any) -> RestoreReport:
    openers = [(f"r{number}", lambda one=one: one or away()) for number, one in enumerate(repositories)]
    return restore_from_several(
        openers, home, "neo4j", label=label, from_source="test", jobs=2, progress=SILENT, **more
    )


def away() -> Repository:
    raise UnreachableError("it does not answer")


def opened(*storages: MemoryStorage) -> list[Repository]:
    return [Repository.open(storage) for storage in storages]


@pytest.mark.parametrize("other_names", [False, True])
@pytest.mark.parametrize("how", ["flipped", "removed"])
def test_each_takes_over_what_the_other_lost(scene: Scene, tmp_path: Path, how: str, other_names: bool) -> None:
    storage, other, wanted = scene
    label = list(wanted)[-1]
    # Every second pack is lost here, of the others each is lost there, and here the log too.
    here = storage.names("packs/")[::2]
    # Without its lists nothing tells what a repository calls its blocks: then the next one gives all of it.
    lists = _lists(storage, label) if other_names else set()
    here = [name for name in here if not lists & {entry["id"].tobytes() for entry in _entries(storage, name)}]
    blocks = {name: {entry["id"].tobytes() for entry in _entries(storage, name)} for name in storage.names("packs/")}
    lost_here = set().union(*(blocks[name] for name in here))
    there = [
        name
        for name in other.names("packs/")
        if not (lost_here | lists) & {entry["id"].tobytes() for entry in _entries(other, name)}
    ]
    for place, names in ((storage, [*here, *storage.names("segments/")]), (other, there)):
        for name in names:
            if how == "removed":
                place.delete(name)
            else:
                place.replace(name, place.objects[name][:50] + bytes(len(place.objects[name]) - 50))
    first = OtherNames.open(storage) if other_names else Repository.open(storage)
    report = back([first, Repository.open(other)], tmp_path / "home", label)
    assert content(tmp_path / "home") == wanted[label]
    assert report.fell_over


def _lists(storage: MemoryStorage, label: str) -> set[bytes]:
    """The blocks that hold lists, of the full backup that a label goes on with."""
    repository = Repository.open(storage)
    base = repository.manifest(label.split("_", maxsplit=1)[0])
    return {identity for identity, _ in structure_ids(base.files, file_list(BlockReader.of(repository), base))}


def _entries(storage: MemoryStorage, name: str) -> Any:
    return packing.check_pack(bytes.fromhex(name.rsplit("/", 1)[1]), storage.objects[name]).entries


def test_one_that_is_away_from_the_begin_is_passed_over_and_told(scene: Scene, tmp_path: Path) -> None:
    _, other, wanted = scene
    report = back([None, *opened(other)], tmp_path / "home", next(iter(wanted)))
    assert (report.repository, report.fell_over) == ("there", ("r0: it does not answer",))


@pytest.mark.parametrize("operation", ["read", "list"])
def test_one_that_goes_away_at_any_call_is_taken_over_from(scene: Scene, tmp_path: Path, operation: str) -> None:
    storage, other, wanted = scene
    label = list(wanted)[-1]
    total, at = 1, 0
    while at < total:
        calls = [0]

        def before(done: str, _name: str, calls: list[int] = calls, at: int = at) -> None:
            calls[0] += done == operation
            if calls[0] > at:
                raise UnreachableError("it went away")

        home = tmp_path / f"home-{at}"
        try:
            first = Repository.open(Wrapped(storage, before))
        except UnreachableError:
            first = None
        report = back([first, Repository.open(other)], home, label)
        assert content(home) == wanted[label], at
        assert report.fell_over or calls[0] <= at
        total = max(total, calls[0] if calls[0] <= at else at + 2)
        at += 1
        if at > 40:
            break
    assert at > 3


def test_one_that_is_away_is_not_asked_again_and_again(scene: Scene, tmp_path: Path) -> None:
    storage, other, wanted = scene
    refused = [0]

    def before(operation: str, name: str) -> None:
        if operation == "read" and name.startswith("packs/") and copying:
            refused[0] += 1
            raise UnreachableError("it went away")

    copying = False
    first = Repository.open(Wrapped(storage, before))
    copying = True
    back([first, Repository.open(other)], tmp_path / "home", next(iter(wanted)))
    # Each thread may be waiting for one answer when it goes away, and single blocks are asked for one by one.
    assert refused[0] <= 4


def test_for_the_newest_state_the_one_counts_that_reaches_farthest(tmp_path: Path) -> None:
    (here, storage), (there, other) = new_repository(), new_repository()
    storage.url, other.url = "here", "there"
    made = make_database(tmp_path / "made")
    run_backup(made, here, "full")
    copied_over(here, there)
    commit_more(made)
    run_backup(made, there)
    report = back([here, there], tmp_path / "home")
    assert (report.repository, report.last_tx) == ("there", made.logs[-1].last_transaction)
    assert "so it is restored from there" in report.fell_over[0]


def test_a_label_is_taken_from_the_first_that_has_it(scene: Scene, tmp_path: Path) -> None:
    storage, other, wanted = scene
    label = next(iter(wanted))
    report = back([new_repository()[0], *opened(storage, other)], tmp_path / "a", label)
    assert report.repository == "here"
    assert "there is no backup" in report.fell_over[0]


def test_what_nobody_has_is_told_and_the_target_is_as_it_was(scene: Scene, tmp_path: Path) -> None:
    storage, other, wanted = scene
    label = next(iter(wanted))
    put_back(Repository.open(copied(storage)), tmp_path / "home", label)
    before = content(tmp_path / "home")
    for place in (storage, other):
        for name in place.names("packs/"):
            place.replace(name, place.objects[name][:100] + bytes(len(place.objects[name]) - 100))
    with pytest.raises(IntegrityError):
        back(opened(storage, other), tmp_path / "home", label, overwrite=True)
    assert content(tmp_path / "home") == before


def test_a_target_that_is_there_is_refused_once_for_all(scene: Scene, tmp_path: Path) -> None:
    storage, other, wanted = scene
    label = next(iter(wanted))
    back(opened(storage, other), tmp_path / "home", label)
    with pytest.raises(UsageError, match="exists already"):
        back(opened(storage, other), tmp_path / "home", label)


def test_a_label_that_nobody_has_is_told(scene: Scene, tmp_path: Path) -> None:
    storage, other, _ = scene
    with pytest.raises(ObjectMissing, match="there is no backup neo4j-1"):
        back(opened(storage, other), tmp_path / "home", "neo4j-1")
