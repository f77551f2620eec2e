"""Archivers, backups and other servers at once: nobody loses what another one stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.following import Followed
from helpers.storages import MemoryStorage
from neokeep.neo4j.source import find_source
from neokeep.repository.chains import chain_of
from neokeep.repository.merging import merge_segments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.repository.segment import SegmentName


def test_an_incremental_backup_beside_it_does_no_harm(followed: Followed, tmp_path: Path) -> None:
    for number in range(6):
        commit_more(followed.made, 2, rotate=number % 2 == 0)
        if number % 3:
            run_backup(followed.made, followed.repository)
        followed.tick(30)
    (chain,) = {event.chain for event in followed.told("archived", "following")}
    assert chain is not None
    assert followed.reached(chain) == followed.last
    assert not followed.told("trouble", "broken")
    followed.require_restorable(tmp_path / "restored")


def test_two_archivers_of_one_database_do_no_harm(made: Synthetic, tmp_path: Path) -> None:
    memory = MemoryStorage()
    one = Followed(made, memory=memory)
    one.begin()
    other = Followed(made, memory=memory)
    for number in range(12):
        commit_more(made, 1 + number % 3)
        one.tick(25)
        commit_more(made, 1)
        other.tick(25)
    one.tick()
    assert one.archived == other.archived == one.last
    assert not one.told("trouble", "broken")
    assert not other.told("trouble", "broken")
    one.require_restorable(tmp_path / "restored")


def test_one_that_was_held_up_while_another_archived_goes_on_where_the_chain_ends_and_not_where_it_was(
    made: Synthetic, tmp_path: Path
) -> None:
    """Its own last segments may be merged away: what it stored behind them would be reached by no way."""
    memory = MemoryStorage()
    one = Followed(made, memory=memory)
    one.begin()
    label = one.events[-1].chain
    assert label is not None
    commit_more(made, 5)
    one.tick()
    other = Followed(made, memory=memory)
    other.tick()
    commit_more(made, 3)
    run_backup(made, one.repository)
    path = chain_of(one.repository, one.repository.manifest(label)).segments
    merge_and_remove(one, path)
    commit_more(made, 2)
    one.tick(61)
    assert one.told("archived")[-1].first_tx == path[-1].last + 1
    assert one.reached(label) == one.last
    one.require_restorable(tmp_path / "restored")


def merge_and_remove(found: Followed, path: Sequence[SegmentName]) -> None:
    assert len(path) > 1
    assert merge_segments(found.memory, path) is not None
    for part in path:
        found.memory.delete(part.name)


def test_a_copy_of_the_database_on_another_server_has_a_chain_of_its_own(followed: Followed, tmp_path: Path) -> None:
    copy = make_database(tmp_path / "copy")
    staging = Followed(copy, memory=followed.memory, source=find_source(copy.home, name="staging"))
    staging.begin()
    assert staging.told("full backup begun")[0].message == "there is no full backup of this database yet"
    commit_more(copy, 2)
    staging.tick()
    commit_more(followed.made, 1)
    followed.tick()
    assert followed.archived == staging.archived - 1
    assert followed.events[-1].chain != staging.events[-1].chain
