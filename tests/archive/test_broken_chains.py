"""A chain that cannot go on is told with its reason, a full backup begins a new one, and what is lost is named."""

from __future__ import annotations

import shutil
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from helpers.backups import content, expected, put_back, take
from helpers.chain_breaks import begins_anew, fork, lose, prune, replace_store, rewrite, some_archived
from helpers.chains import checkpoint_in_the_last_file, commit_more
from helpers.database import make_database, make_logs, neostore_bytes
from helpers.following import Followed
from neokeep.capture import full
from neokeep.errors import SourceError
from neokeep.neo4j.log.names import log_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.repository.manifest import Manifest


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return some_archived(tmp_path / "home")


BREAKS = [
    (prune, "was pruned"),
    (fork, "history forked"),
    (lose, "the log went back"),
    (replace_store, "the store is another one"),
]
BROKEN = pytest.mark.parametrize(("break_it", "reason"), BREAKS, ids=[one.__name__ for one, _ in BREAKS])


@BROKEN
def test_a_break_is_told_once_and_a_full_backup_begins_a_new_chain(
    followed: Followed, tmp_path: Path, break_it: Callable[[Synthetic], None], reason: str
) -> None:
    known, chain = followed.last, followed.told("following")[0].chain
    break_it(followed.made)
    followed.tick()
    (broken,) = followed.told("broken")
    assert reason in broken.message
    assert (broken.last_tx, broken.chain) == (known, chain)
    followed.follower.tell_state()
    state = followed.events[-1]
    assert (state.chain, state.last_tx, state.lag_transactions) == (None, None, None)
    begins_anew(followed, tmp_path / "restored")
    assert len(followed.told("broken")) == 1
    assert len(followed.told("full backup begun")) == 2
    assert followed.reached(str(chain)) == known


@BROKEN
def test_a_break_that_happened_while_nothing_was_followed_is_told_too(
    followed: Followed, tmp_path: Path, break_it: Callable[[Synthetic], None], reason: str
) -> None:
    known = followed.last
    break_it(followed.made)
    again = Followed(followed.made, memory=followed.memory)
    again.tick()
    assert again.kinds() == ["broken", "full backup begun"]
    assert reason in again.events[0].message
    assert again.events[0].last_tx == known
    again.full_ends()
    again.tick()
    again.tick()
    assert again.told("following")
    again.require_restorable(tmp_path / "restored")


def test_the_transactions_to_which_no_restore_can_go_are_named(followed: Followed) -> None:
    known = followed.last
    prune(followed.made)
    for _ in range(4):
        followed.tick()
        followed.full_ends()
    (gap,) = followed.told("gap")
    opens = followed.repository.manifest(str(followed.told("following")[-1].chain)).opens
    assert opens is not None
    assert opens.transaction is not None
    assert (gap.first_tx, gap.last_tx) == (known + 1, opens.transaction - 1)


def test_where_nothing_lies_between_the_chains_no_gap_is_told(followed: Followed, tmp_path: Path) -> None:
    followed.memory.delete(followed.memory.names("segments/")[0])
    followed.memory.delete(f"backups/{followed.told('following')[0].chain}")
    for _ in range(4):
        followed.tick(61)
        followed.full_ends()
    assert "is not in the repository any more" in followed.told("broken")[0].message
    assert not followed.told("gap")
    followed.require_restorable(tmp_path / "restored")


def test_another_store_has_no_gap_behind_the_old_one(followed: Followed) -> None:
    replace_store(followed.made)
    for _ in range(4):
        followed.tick()
        followed.full_ends()
    assert len(followed.told("following")) == 2
    assert not followed.told("gap")


def test_a_gap_behind_the_end_of_the_chain_leads_to_a_full_backup_and_not_to_the_same_chain_again(
    followed: Followed, tmp_path: Path
) -> None:
    """The last archived transaction itself is still there, so a look at it alone finds the chain unbroken."""
    made = followed.made
    for _ in range(2):
        commit_more(made, 2, rotate=True)
    missing = made.logs[-2]
    (made.log_directory / log_name(missing.version)).unlink()
    del made.log[log_name(missing.version)]
    for _ in range(5):
        followed.tick(0)
    (broken,) = followed.told("broken")
    assert "was pruned before it was archived" in broken.message
    assert len(followed.told("full backup begun")) == 2
    followed.full_ends()
    made.logs = made.logs[-1:]
    rewrite(made)
    begins_anew(followed, tmp_path / "restored")
    assert len(followed.told("broken")) == 1


def cannot_be_captured(*_: object, **__: object) -> Manifest:
    raise SourceError("it cannot be captured", remedy="Wait.")


def test_a_chain_that_broke_since_its_log_was_away_for_a_while_goes_on_where_no_full_backup_could_be_taken(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = followed.made
    newest = made.log_directory / log_name(made.logs[-1].version)
    newest.rename(tmp_path / "away")
    monkeypatch.setattr(full, "full_backup", cannot_be_captured)
    for _ in range(3):
        followed.tick()
        followed.full_ends()
    assert followed.kinds()[-3:] == ["broken", "full backup begun", "full backup failed"]
    failed = followed.events[-1]
    assert (failed.message, failed.kind, failed.remedy) == ("it cannot be captured", "source", "Wait.")
    assert failed.retry_seconds == 1.0
    (tmp_path / "away").rename(newest)
    commit_more(made, 2)
    followed.tick(2)
    assert followed.kinds()[-2:] == ["following", "archived"]
    chains_followed = {event.chain for event in followed.told("following")}
    assert len(chains_followed) == 1
    followed.require_restorable(tmp_path / "restored")


def test_full_backups_that_fail_are_tried_again_after_longer_and_longer_pauses(
    followed: Followed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries: list[float] = []
    plain = full.full_backup

    def fails(*_: object, **__: object) -> Manifest:
        tries.append(followed.clock.elapsed)
        raise SourceError("it cannot be captured", remedy="Wait.")

    monkeypatch.setattr(full, "full_backup", fails)
    fork(followed.made)
    for _ in range(4000):
        followed.tick()
        followed.full_ends()
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[:4] == [2.0, 3.0, 5.0, 9.0]
    assert pauses[-1] == 901.0
    assert len(followed.told("full backup failed")) == len(tries)
    assert len(followed.told("broken")) == 1
    followed.follower.tell_state()
    assert followed.events[-1].message.startswith("a full backup is due, since history forked")
    monkeypatch.setattr(full, "full_backup", plain)
    followed.clock.wait(901)
    begins_anew(followed, tmp_path / "restored")


def test_a_database_that_was_dropped_and_made_again_is_followed_as_another_one(
    followed: Followed, tmp_path: Path
) -> None:
    made = followed.made
    shutil.rmtree(made.store_directory)
    shutil.rmtree(made.log_directory)
    for _ in range(3):
        followed.tick(61)
    assert followed.told("trouble")
    assert not followed.told("broken")
    made.store["neostore"] = neostore_bytes(made.kernel, random_id=99)
    made.logs = make_logs(made.kernel, files=1)
    checkpoint_in_the_last_file(made)
    begins_anew(followed, tmp_path / "restored")
    assert "the store is another one" in followed.told("broken")[0].message


def test_a_log_directory_that_is_not_there_is_trouble_and_no_break(followed: Followed, tmp_path: Path) -> None:
    """It may be on a disk of its own that is not mounted."""
    directory = followed.made.log_directory
    directory.rename(tmp_path / "away")
    followed.tick()
    assert followed.kinds()[-1] == "trouble"
    assert not followed.told("broken")
    (tmp_path / "away").rename(directory)
    commit_more(followed.made, 1)
    followed.tick(60)
    assert followed.kinds()[-2:] == ["archived", "recovered"]


def test_where_the_clock_was_set_back_the_new_chain_is_followed_although_the_old_backup_looks_newer(
    followed: Followed,
) -> None:
    future = followed.repository.manifest(str(followed.told("following")[0].chain))
    followed.memory.delete(f"backups/{future.label}")
    followed.repository.commit(msgspec.structs.replace(future, finished_at=future.finished_at + timedelta(days=400)))
    again = Followed(followed.made, memory=followed.memory)
    again.tick()
    fork(followed.made)
    for _ in range(6):
        again.tick(61)
        again.full_ends()
    assert len(again.told("full backup begun")) == 1
    assert len(again.told("following")) == 2
    commit_more(followed.made, 1)
    again.tick()
    assert again.reached(str(again.told("following")[-1].chain)) == again.last


def test_what_was_archived_before_a_break_can_be_restored_for_ever(followed: Followed, tmp_path: Path) -> None:
    known, old = followed.last, expected(followed.made)
    fork(followed.made)
    begins_anew(followed, tmp_path / "new")
    followed.memory.delete(f"backups/{followed.told('following')[-1].chain}")
    report = put_back(followed.repository, tmp_path / "old")
    assert report.last_tx == known
    assert content(tmp_path / "old") == old


def test_a_full_backup_that_others_took_meanwhile_is_followed_at_once(followed: Followed) -> None:
    fork(followed.made)
    take(followed.made, followed.repository)
    followed.tick()
    followed.tick()
    assert followed.kinds()[-2:] == ["broken", "following"]


def test_a_full_backup_of_another_hand_is_followed_also_while_its_own_ones_fail(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = full.full_backup
    monkeypatch.setattr(full, "full_backup", cannot_be_captured)
    fork(followed.made)
    for _ in range(2000):
        followed.tick()
        followed.full_ends()
    assert followed.told("full backup failed")[-1].retry_seconds == 900.0
    monkeypatch.setattr(full, "full_backup", plain)
    take(followed.made, followed.repository)
    monkeypatch.setattr(full, "full_backup", cannot_be_captured)
    for _ in range(62):
        followed.tick()
    assert len(followed.told("following")) == 2


def test_two_servers_of_one_name_do_not_break_the_chains_of_each_other(followed: Followed, tmp_path: Path) -> None:
    made = make_database(tmp_path / "other")
    made.store["neostore"] = neostore_bytes(made.kernel, random_id=-99)
    made.write()
    other = Followed(made, memory=followed.memory)
    for _ in range(8):
        for one in (other, followed):
            commit_more(one.made, 1)
            one.tick(61)
            one.full_ends()
    for one in (other, followed):
        assert len(one.told("full backup begun")) == 1
        assert one.archived == one.last
        assert not one.told("broken", "gap")
