"""What was archived and is gone or damaged is archived anew while the server has it, else the chain breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import content, expected, put_back
from helpers.chain_breaks import begins_anew, prune, rewrite, some_archived
from helpers.chains import commit_more
from helpers.database import make_database
from helpers.following import Followed
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import RepositoryError
from neokeep.repository.chains import chain_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return some_archived(tmp_path / "home")


def test_what_was_archived_and_vanished_from_the_repository_is_archived_anew_while_the_log_is_there(
    followed: Followed, tmp_path: Path
) -> None:
    known = followed.last
    for name in followed.memory.names("segments/"):
        followed.memory.delete(name)
    followed.tick(61)
    trouble, archived, recovered = followed.events[-3:]
    assert (trouble.event, archived.event, recovered.event) == ("trouble", "archived", "recovered")
    assert trouble.message == f"transactions 10 to {known} are not whole in the repository any more"
    assert (archived.first_tx, archived.last_tx) == (10, known)
    assert not followed.told("broken")
    followed.require_restorable(tmp_path / "restored")


def test_what_a_verification_found_damaged_is_archived_anew(followed: Followed, tmp_path: Path) -> None:
    commit_more(followed.made, 2)
    followed.tick()
    first = chain_of(followed.repository, followed.repository.manifest(str(followed.told("following")[0].chain)))
    followed.memory.replace(first.segments[0].name, b"damaged")
    followed.repository.mark_damaged(first.segments[0].hash)
    followed.tick(61)
    assert followed.reached(first.base.label) == followed.last
    put_back(followed.repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(followed.made)


def test_what_vanished_and_is_in_no_log_any_more_breaks_the_chain(followed: Followed, tmp_path: Path) -> None:
    commit_more(followed.made, 2, rotate=True)
    followed.tick()
    followed.made.logs = followed.made.logs[-1:]
    rewrite(followed.made)
    for name in followed.memory.names("segments/"):
        followed.memory.delete(name)
    followed.tick(61)
    assert followed.kinds()[-2:] == ["trouble", "broken"]
    begins_anew(followed, tmp_path / "restored")
    (gap,) = followed.told("gap")
    assert gap.first_tx == 10


def test_a_damaged_end_of_the_chain_is_told_when_it_is_to_be_followed(followed: Followed) -> None:
    (name,) = followed.memory.names("segments/")
    followed.memory.replace(name, bytes(len(followed.memory.objects[name])))
    again = Followed(followed.made, memory=followed.memory)
    again.tick()
    assert again.kinds() == ["broken", "full backup begun"]
    assert again.events[0].message == f"the segment {name} is damaged"


def test_a_break_is_told_at_once_although_the_repository_is_away(tmp_path: Path) -> None:
    memory, away = MemoryStorage(), False

    def before(_operation: str, _name: str) -> None:
        if away:
            raise RepositoryError("the repository is away")

    made = make_database(tmp_path / "home")
    Followed(made, memory=memory)
    found = Followed(made, memory=memory, storage=Wrapped(memory, before))
    found.begin()
    away = True
    commit_more(made, 1)
    found.tick()
    known = found.archived
    prune(made)
    found.tick(60)
    assert found.kinds()[-2:] == ["trouble", "broken"]
    assert found.events[-1].last_tx == known
    found.tick(60)
    away = False
    for _ in range(3):
        found.tick(60)
        found.full_ends()
    assert found.told("gap")[0].first_tx == known + 1
    assert len(found.told("broken")) == 1
    found.require_restorable(tmp_path / "restored")
