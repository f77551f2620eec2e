"""Putting restored directories in place: at every moment the old database or the new one, never parts of both."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from helpers.calls import Killed, killed_at, recorded
from helpers.database import write_tree
from helpers.power_loss import Disk
from neokeep import files
from neokeep.errors import NeokeepError, RepositoryError
from neokeep.restore import swap as swapping
from neokeep.restore.swap import Place, Staging, settle, stage, swap

if TYPE_CHECKING:
    from pathlib import Path

STATES = ("nothing", "both", "store only", "log only", "shared", "shared nothing")
Seen = tuple[str | None, str | None]


def place_in(root: Path, state: str) -> Place:
    """Make directories with the content `old`, in one of the states that a restore may find."""
    store = root / "databases" / "neo4j"
    place = Place(store, store if state.startswith("shared") else root / "transactions" / "neo4j")
    for directory in (place.store.parent, place.log.parent):
        directory.mkdir(parents=True, exist_ok=True)
    if state in ("both", "store only", "shared"):
        write_tree(place.store, {"neostore": b"old", "schema/index/1": b"old"})
    if state in ("both", "log only", "shared"):
        write_tree(place.log, {"neostore.transaction.db.0": b"old"})
    return place


def staged(place: Place, text: bytes) -> Staging:
    staging = stage(place)
    write_tree(staging.store, {"neostore": text, "schema/index/1": text})
    write_tree(staging.log, {"neostore.transaction.db.0": text})
    return staging


def seen(place: Place) -> Seen:
    """What a server would find: the content of store and log, links followed."""

    def text(path: Path) -> str | None:
        return path.read_text() if path.exists() else None

    store = {text(place.store / name) for name in ("neostore", "schema/index/1")}
    assert len(store) == 1
    return store.pop(), text(place.log / "neostore.transaction.db.0")


def leftovers(place: Place) -> list[str]:
    return [str(path) for parent in {place.store.parent, place.log.parent} for path in parent.rglob(".neokeep*")]


def clean(place: Place) -> None:
    assert leftovers(place) == []
    for path in (place.store, place.log):
        assert not path.is_symlink()


@pytest.mark.parametrize("state", STATES)
def test_a_swap_puts_the_new_in_place_and_leaves_nothing_else(tmp_path: Path, state: str) -> None:
    place = place_in(tmp_path, state)
    for text in (b"new", b"newer"):
        swap(place, staged(place, text))
        assert seen(place) == (text.decode(), text.decode())
        clean(place)


@pytest.mark.parametrize("state", STATES)
def test_a_swap_that_is_killed_anywhere_shows_the_old_or_the_new_and_never_a_mix(tmp_path: Path, state: str) -> None:
    outcomes: list[Seen] = []
    for step in range(200):
        place = place_in(tmp_path / str(step), state)
        old = seen(place)
        staging = staged(place, b"new")
        try:
            with killed_at(step):
                swap(place, staging)
        except Killed:
            during = seen(place)
            if state == "log only":
                # Logs without a store are no database; until it is settled they may be out of sight.
                assert during in (old, (None, None), ("new", "new"))
            else:
                assert during in (old, ("new", "new")), step
            settle(place)
            clean(place)
            settled = seen(place)
            assert settled in ((old, ("new", "new")) if during != ("new", "new") else (("new", "new"),))
            assert during == settled or state == "log only"
            outcomes.append(settled)
            settle(place)
            swap(place, staged(place, b"newer"))
            assert seen(place) == ("newer", "newer")
            clean(place)
            continue
        break
    assert step >= 2
    assert outcomes[0] == old
    assert outcomes[-1] == ("new", "new")
    turned = outcomes.index(("new", "new"))
    assert set(outcomes[turned:]) == {("new", "new")}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("written_back", ["nothing", "databases", "transactions", "everything"])
def test_whenever_the_power_fails_the_old_or_the_new_is_there_and_in_the_end_nothing_else(
    tmp_path: Path, state: str, written_back: str
) -> None:
    root, left = tmp_path / "root", tmp_path / "left"
    place = place_in(root, state)
    old, staging = seen(place), staged(place, b"new")
    disk = Disk(root)
    outcomes: list[Seen] = []

    def survives(folder: str) -> bool:
        return written_back == "everything" or written_back in folder.split("/")

    def look() -> None:
        disk.materialise(left, survives)
        found = Place(left / place.store.relative_to(root), left / place.log.relative_to(root))
        settle(found)
        outcomes.append(seen(found))
        assert outcomes[-1] in (old, ("new", "new")), len(outcomes)
        shutil.rmtree(left)

    with disk.watched(look):
        swap(place, staging)
    look()
    assert (outcomes[0], outcomes[-1]) == (old, ("new", "new"))
    disk.materialise(left, survives)
    assert not (left / place.store.relative_to(root) / swapping.LINK).is_symlink()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("killed_first", [6, 8, 10])
def test_a_settling_that_is_killed_anywhere_can_be_repeated(tmp_path: Path, state: str, killed_first: int) -> None:
    for step in range(200):
        place = place_in(tmp_path / str(step), state)
        old = seen(place)
        staging = staged(place, b"new")
        with suppress(Killed), killed_at(killed_first):
            swap(place, staging)
        shown = seen(place)
        try:
            with killed_at(step):
                settle(place)
        except Killed:
            assert seen(place) == shown or state == "log only"
            settle(place)
            clean(place)
            assert seen(place) in (old, ("new", "new"))
            continue
        break
    clean(place)


def test_the_switch_is_one_exchange_and_everything_before_it_is_durable(tmp_path: Path) -> None:
    place = place_in(tmp_path, "both")
    staging = staged(place, b"new")
    with recorded() as calls:
        swap(place, staging)
    switch = calls.index(("renameat2", str(place.store)))
    synced = {path for name, path in calls[:switch] if name == "fsync"}
    assert {str(staging.store), str(place.store), str(place.log.parent)} <= synced
    assert calls[switch + 1] == ("fsync", str(place.store.parent))
    removed = [at for at, (name, _) in enumerate(calls) if name in ("unlink", "rmdir")]
    assert min(removed) > switch + 1
    link = calls.index(("renameat2", str(staging.log.with_suffix(".old"))))
    assert ("fsync", str(place.log.parent)) in calls[link:switch]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES, errno.ENOSPC])
def test_a_swap_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, number: int
) -> None:
    place = place_in(tmp_path, state)
    old = seen(place)
    staging = staged(place, b"new")

    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(swapping, "exchange", failing)
        patch.setattr(swapping, "rename_new", failing)
        with pytest.raises(NeokeepError) as failure:
            swap(place, staging)
    if number == errno.EINVAL:
        assert isinstance(failure.value, RepositoryError)
        assert "cannot exchange two directories" in failure.value.message
    assert seen(place) == old
    clean(place)
    assert files.exchange is not failing


def test_settling_touches_nothing_of_another_database(tmp_path: Path) -> None:
    place = place_in(tmp_path, "both")
    other = Place(place.store.parent / "neo4j.b", place.log.parent / "neo4j.b")
    staging = staged(other, b"being restored")
    settle(place)
    swap(place, staged(place, b"new"))
    swap(other, staging)
    assert seen(other) == ("being restored", "being restored")
    assert seen(place) == ("new", "new")


@pytest.mark.parametrize("which", ["store", "log"])
def test_directories_that_an_administrator_linked_stay_linked(tmp_path: Path, which: str) -> None:
    plain = place_in(tmp_path, "both")
    linked = plain.store if which == "store" else plain.log
    elsewhere = tmp_path / "large disk" / "here"
    elsewhere.parent.mkdir()
    linked.rename(elsewhere)
    linked.symlink_to(elsewhere)
    place = Place.at(plain.store, plain.log)
    settle(place)
    assert linked.is_symlink()
    assert seen(plain) == ("old", "old")
    swap(place, staged(place, b"new"))
    assert os.readlink(linked) == str(elsewhere)
    assert seen(plain) == ("new", "new")
    assert leftovers(plain) == leftovers(place) == []


def test_a_link_of_an_administrator_is_not_taken_for_one_of_a_killed_restore(tmp_path: Path) -> None:
    place = place_in(tmp_path, "both")
    elsewhere = tmp_path / "elsewhere"
    place.log.rename(elsewhere)
    place.log.symlink_to(elsewhere)
    settle(place)
    assert place.log.is_symlink()
    assert seen(place) == ("old", "old")


def test_a_killed_restore_is_found_through_linked_parents(tmp_path: Path) -> None:
    real = tmp_path / "real"
    place = place_in(real, "both")
    (tmp_path / "alias").symlink_to(real)
    with suppress(Killed), killed_at(9):
        swap(place, staged(place, b"new"))
    alias = Place.at(tmp_path / "alias/databases/neo4j", tmp_path / "alias/transactions/neo4j")
    shown = seen(place)
    settle(alias)
    clean(place)
    assert seen(place) == shown


def test_names_of_staging_directories_are_new_and_beside_the_place(tmp_path: Path) -> None:
    place = place_in(tmp_path, "both")
    one, other = stage(place), stage(place)
    assert len({one.store, one.log, other.store, other.log}) == 4
    assert (one.store.parent, one.log.parent) == (place.store.parent, place.log.parent)
    assert all(path.name.startswith(".neokeep-neo4j.") for path in (one.store, one.log))
    shared = stage(place_in(tmp_path / "s", "shared"))
    assert shared.store == shared.log


def test_logs_that_were_set_aside_never_replace_what_came_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_in(tmp_path, "nothing")
    aside = place.log.with_name(f".neokeep-{place.log.name}.0123abcd.old")
    write_tree(aside, {"neostore.transaction.db.0": b"old"})
    place.log.mkdir()
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    with pytest.raises(FileExistsError):
        swapping._put_back_lone_logs(place)
    assert aside.is_dir()
