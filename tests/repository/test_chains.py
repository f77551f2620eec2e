"""Chains: which segments belong to a full backup, how far they lead, and where the log goes on behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from helpers.backups import new_repository, take
from helpers.chains import commit_more, header, moment_of, run_backup, span
from helpers.database import make_database
from neokeep.errors import IntegrityError
from neokeep.repository.chains import Chain, chain_of, chains_of, end_of
from neokeep.repository.manifest import Manifest
from neokeep.repository.segment import list_segments, store_segment

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from helpers.storages import MemoryStorage
    from neokeep.repository.repository import Repository


class Grown:
    """A database with a full backup that ends with transaction 9, and incremental ones up to 12 and 16."""

    def __init__(self, home: Path) -> None:
        self.made: Synthetic = make_database(home)
        found: tuple[Repository, MemoryStorage] = new_repository()
        self.repository, self.storage = found
        take(self.made, self.repository)
        for count in (3, 4):
            commit_more(self.made, count)
            run_backup(self.made, self.repository)

    @property
    def base(self) -> Manifest:
        found = [item for item in self.repository.manifests() if isinstance(item, Manifest) and item.type == "full"]
        return found[-1]

    @property
    def chain(self) -> Chain:
        return chain_of(self.repository, self.base)


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return Grown(tmp_path / "home")


def test_a_base_alone_is_a_chain_that_ends_where_it_ends(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repository, _ = new_repository()
    take(made, repository)
    (base,) = [item for item in repository.manifests() if isinstance(item, Manifest)]
    chain = chain_of(repository, base)
    assert (chain.segments, chain.last_transaction) == ((), 9)
    assert [number for number in range(15) if chain.reaches(number)] == [9]
    end = end_of(repository, chain)
    assert (end.tail, end.commit_time) == (span(made.logs[-1], 9), moment_of(9))


def test_a_chain_reaches_from_the_end_of_its_base_to_its_last_segment(grown: Grown) -> None:
    assert [(item.first, item.last) for item in grown.chain.segments] == [(10, 12), (13, 16)]
    assert [number for number in range(30) if grown.chain.reaches(number)] == list(range(9, 17))
    end = end_of(grown.repository, grown.chain)
    assert (end.tail, end.commit_time) == (span(grown.made.logs[-1], 16), moment_of(16))


def test_a_missing_segment_ends_the_chain_before_it(grown: Grown) -> None:
    grown.storage.delete(grown.chain.segments[0].name)
    assert (grown.chain.segments, grown.chain.last_transaction) == ((), 9)


def test_segments_that_are_known_to_be_damaged_do_not_count(grown: Grown) -> None:
    first, second = grown.chain.segments
    grown.repository.mark_damaged(second.hash)
    assert grown.chain.segments == (first,)


def test_what_lies_behind_a_gap_is_told_and_does_not_count(grown: Grown) -> None:
    first, second = grown.chain.segments
    assert (grown.chain.unreachable, grown.chain.damaged) == ((), ())
    grown.storage.delete(first.name)
    assert (grown.chain.unreachable, grown.chain.damaged) == ((second,), ())
    grown.repository.mark_damaged(second.hash)
    assert (grown.chain.unreachable, grown.chain.damaged) == ((), (second,))


def test_a_damaged_segment_whose_transactions_were_archived_anew_is_not_told_any_more(grown: Grown) -> None:
    _, second = grown.chain.segments
    grown.repository.mark_damaged(second.hash)
    run_backup(grown.made, grown.repository)
    assert grown.chain.last_transaction == 16
    assert grown.chain.damaged == ()


def test_segments_of_another_chain_are_not_taken(grown: Grown) -> None:
    store_segment(grown.storage, header(17, 18, chain="neo4j-20200101-000000F"), b"")
    assert grown.chain.last_transaction == 16
    assert len(list_segments(grown.storage, "neo4j-20200101-000000F")) == 1


def test_a_damaged_last_segment_does_not_say_where_to_go_on(grown: Grown) -> None:
    name = grown.chain.segments[-1].name
    grown.storage.replace(name, bytes(len(grown.storage.objects[name])))
    with pytest.raises(IntegrityError, match="is damaged"):
        end_of(grown.repository, grown.chain)


def test_there_is_a_chain_for_each_full_backup_and_none_for_others(grown: Grown) -> None:
    manifests = [item for item in grown.repository.manifests() if isinstance(item, Manifest)]
    assert [item.type for item in manifests] == ["full", "incremental", "incremental"]
    other = msgspec.structs.replace(manifests[0], label="neo4j-20200101-000000F")
    assert [(chain.base.label, len(chain.segments)) for chain in chains_of(grown.repository, [*manifests, other])] == [
        (manifests[0].label, 2),
        (other.label, 0),
    ]
