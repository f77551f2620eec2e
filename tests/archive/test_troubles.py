"""Whatever fails is told, tried again and caught up with; nothing is reported as archived that is not there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.backups import check
from helpers.chains import commit_more, moment_of
from helpers.database import make_database
from helpers.failing_reads import failing_reads
from helpers.following import FakeClock, Followed, options_of
from helpers.outage import EVERYTHING, Outage, Unsteady
from helpers.properties import examples
from helpers.txlog import flipped
from neokeep.archive import upkeep
from neokeep.archive.follower import Follower
from neokeep.errors import RepositoryError, SpaceError
from neokeep.neo4j.log.names import log_name
from neokeep.repository.chains import chain_of
from neokeep.repository.open import init_repository, open_repository
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Buffer

    from neokeep.reports import ArchiveEvent


@pytest.fixture
def outage(tmp_path: Path) -> Outage:
    return Outage(tmp_path / "home")


@pytest.mark.parametrize("away", [EVERYTHING, {"create"}], ids=["everything", "writes"])
def test_an_outage_is_told_waited_for_longer_and_longer_and_caught_up_with(
    outage: Outage, tmp_path: Path, away: set[str]
) -> None:
    found = outage.followed
    outage.storage.away = away
    commit_more(outage.made, 2)
    known = found.archived
    waits: list[float] = []
    for _ in range(9):
        waits.append(found.tick(waits[-1] if waits else 1.0))
    assert waits == [1, 2, 4, 8, 15, 15, 15, 15, 15]
    trouble = found.told("trouble")[0]
    assert (trouble.message, trouble.remedy, trouble.kind) == ("the repository is away", "Mount it.", "repository")
    assert trouble.retry_seconds == 1
    assert found.archived == known
    commit_more(outage.made, 3, rotate=True)
    outage.storage.away = set()
    found.tick(60)
    assert found.kinds()[-2:] == ["archived", "recovered"]
    assert found.events[-1].last_tx == found.archived == found.last
    assert found.told("archived")[-1].first_tx == known + 1
    assert len(found.told("recovered")) == 1
    assert not found.told("broken", "gap")
    found.require_restorable(tmp_path / "restored")


def test_the_same_trouble_is_told_once_a_minute_and_another_one_at_once(outage: Outage) -> None:
    found = outage.followed
    outage.storage.away = {"create"}
    commit_more(outage.made, 1)
    for _ in range(50):
        found.tick(10)
    assert 8 <= len(found.told("trouble")) <= 10
    outage.storage.too_late = True
    found.tick(1)
    assert found.events[-1].message == "it is not known whether this was stored"


def test_during_an_outage_the_state_tells_how_far_the_archive_is_behind(outage: Outage) -> None:
    found = outage.followed
    found.tick()
    outage.storage.away = EVERYTHING
    end, known = outage.made.logs[-1].ends[-1], found.last
    commit_more(outage.made, 4)
    found.clock.now = moment_of(known + 1)
    found.tick(30)
    found.follower.tell_state()
    state = found.events[-1]
    assert (state.last_tx, state.lag_transactions) == (known, 4)
    assert state.lag_bytes == outage.made.logs[-1].ends[-1] - end
    assert state.lag_seconds == 30.0
    assert state.message == "the repository is away"


def test_what_was_stored_before_the_outage_in_the_middle_of_a_tick_is_told(outage: Outage, tmp_path: Path) -> None:
    found = outage.followed
    for _ in range(3):
        commit_more(outage.made, 2, rotate=True)
    created = 0
    plain = outage.storage.create

    def second_fails(name: str, data: Buffer) -> None:
        nonlocal created
        created += 1
        if created == 2:
            outage.storage.away = EVERYTHING
        plain(name, data)

    outage.storage.create = second_fails  # type: ignore[method-assign]
    before = found.archived
    found.tick()
    archived, trouble = found.events[-2:]
    assert (archived.event, archived.first_tx, archived.last_tx) == ("archived", before + 1, before + 2)
    assert trouble.event == "trouble"
    outage.storage.away = set()
    found.tick(1)
    assert found.told("archived")[-1].first_tx == before + 3
    assert found.archived == found.last
    found.require_restorable(tmp_path / "restored")


def test_stopping_during_an_outage_tells_what_is_not_archived(outage: Outage) -> None:
    found = outage.followed
    found.tick()
    outage.storage.away = EVERYTHING
    commit_more(outage.made, 3)
    found.follower.finish()
    trouble, stopped = found.events[-2:]
    assert (trouble.event, trouble.message, trouble.retry_seconds) == ("trouble", "the repository is away", None)
    assert (stopped.event, stopped.last_tx, stopped.lag_transactions) == ("stopped", found.last - 3, 3)
    assert stopped.message == "the repository is away"


def test_stopping_after_an_outage_ships_everything(outage: Outage, tmp_path: Path) -> None:
    found = outage.followed
    outage.storage.away = EVERYTHING
    commit_more(outage.made, 3)
    found.tick()
    outage.storage.away = set()
    found.follower.finish()
    assert (found.events[-1].event, found.events[-1].last_tx, found.events[-1].message) == ("stopped", found.last, "")
    found.require_restorable(tmp_path / "restored")


def test_an_outage_before_anything_is_followed_ends_too(tmp_path: Path) -> None:
    storage = Unsteady()
    made = make_database(tmp_path / "home")
    Followed(made, memory=storage.memory)
    found = Followed(made, memory=storage.memory, storage=storage)
    storage.away = EVERYTHING
    for _ in range(5):
        found.tick(60)
    assert found.kinds() == ["trouble"]
    storage.away = set()
    found.begin()
    assert "recovered" in found.kinds()


def test_what_fails_beside_the_shipping_is_told_once_and_holds_nothing_up(outage: Outage) -> None:
    found = outage.followed
    outage.storage.away = {"stat"}
    plain = outage.storage.list
    failing = True

    def list_but_no_backups(prefix: str) -> object:
        if failing and prefix == "backups":
            raise RepositoryError("a manifest may not be read")
        return plain(prefix)

    outage.storage.list = list_but_no_backups  # type: ignore[method-assign,assignment]
    for _ in range(5):
        commit_more(outage.made, 1)
        found.tick(61)
        assert found.archived == found.last
    (failed,) = found.told("upkeep failed")
    assert failed.message == "looking around failed: a manifest may not be read"
    assert not found.told("trouble", "recovered")
    failing = False
    found.tick(61)
    failing = True
    found.tick(61)
    assert len(found.told("upkeep failed")) == 2


def test_a_storage_that_refuses_deletes_is_told_once_and_holds_nothing_up(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "plan_removals", lambda segments, path: {path[-1]: segments[:1]} if path else {})
    found = outage.followed
    outage.storage.away = {"delete"}
    for _ in range(60):
        commit_more(outage.made, 1)
        found.tick(30)
        assert found.archived == found.last
    (failed,) = found.told("upkeep failed")
    assert failed.message == "merging small segments failed: the repository is away"
    assert not found.told("trouble")


def test_damage_in_the_log_of_the_server_is_told_until_it_is_gone_and_the_lag_is_not_known(outage: Outage) -> None:
    found = outage.followed
    log = outage.made.logs[-1]
    commit_more(outage.made, 4)
    path = outage.made.log_directory / log_name(log.version)
    second = log.ends[-3]
    path.write_bytes(flipped(log.data, second - 30) + bytes(1000))
    found.tick(61)
    assert found.archived == found.last - 3
    trouble = found.told("trouble")[0]
    assert (trouble.kind, "is damaged" in trouble.message) == ("integrity", True)
    assert f"good up to transaction {found.archived}" in trouble.message
    for _ in range(20):
        found.tick(1)
    found.follower.tell_state()
    assert found.events[-1].lag_transactions is None
    assert not found.told("recovered", "broken")
    outage.made.write()
    found.tick(60)
    assert found.archived == found.last
    assert found.told("recovered")


def test_a_store_that_is_away_is_waited_for(outage: Outage, tmp_path: Path) -> None:
    found = outage.followed
    data = outage.made.home / "data"
    data.rename(tmp_path / "away")
    for _ in range(3):
        found.tick(60)
    assert found.kinds()[-1] == "trouble"
    assert not found.told("broken")
    (tmp_path / "away").rename(data)
    commit_more(outage.made, 2)
    found.tick(60)
    assert found.archived == found.last
    assert found.kinds()[-1] == "recovered"


@pytest.mark.parametrize("count", [1, 1_000_000])
def test_a_server_that_cannot_be_read_at_whatever_access_is_trouble_and_no_defect(outage: Outage, count: int) -> None:
    found = outage.followed
    failed = 0
    for number in range(300):
        commit_more(outage.made, 1)
        told = len(found.told("trouble", "upkeep failed"))
        with failing_reads(outage.made.home, number, count) as failing:
            found.tick(61)
        failed += len(found.told("trouble", "upkeep failed")) > told
        if failing.made <= number:
            break
        found.tick(61)
    assert number > 5
    assert failed > 3
    for _ in range(3):
        found.full_ends()
        found.tick(901)
    assert found.archived >= found.last


def test_a_disk_that_is_full_is_told_as_that(outage: Outage) -> None:
    def full_disk(_name: str, _data: Buffer) -> None:
        raise SpaceError("no space left", remedy="Free some.")

    outage.storage.create = full_disk  # type: ignore[method-assign,assignment]
    commit_more(outage.made, 1)
    outage.followed.tick()
    assert (outage.followed.events[-1].kind, outage.followed.events[-1].remedy) == ("space", "Free some.")


def test_a_mount_point_whose_disk_is_away_gets_nothing_and_nothing_is_reported_as_archived(tmp_path: Path) -> None:
    place, away = tmp_path / "repository", tmp_path / "away"
    init_repository(str(place))
    made = make_database(tmp_path / "home")
    clock = FakeClock()
    events: list[ArchiveEvent] = []
    follower = Follower(
        made.source, "neo4j", open_repository(str(place)), options_of(), events.append, clock=clock.clock
    )  # fmt: skip

    def tick(seconds: float) -> None:
        clock.wait(seconds)
        follower.tick()

    for _ in range(3):
        tick(1)
        if follower._fulls._running is not None:
            follower._fulls._running._thread.join(20)
    commit_more(made, 2)
    tick(1)
    told = [event.event for event in events]
    assert told[-1] == "archived"
    place.rename(away)
    place.mkdir()
    commit_more(made, 3)
    for seconds in (1, 61, 61, 901):
        tick(seconds)
    assert list(place.iterdir()) == []
    assert {event.event for event in events[len(told) :]} == {"trouble"}
    assert events[-1].message.startswith(f"the content of {place} is gone")
    place.rmdir()
    away.rename(place)
    tick(61)
    assert [event.event for event in events[-2:]] == ["archived", "recovered"]
    repository = open_repository(str(place))
    assert (
        chain_of(repository, repository.manifest(str(events[-2].chain))).last_transaction
        == made.logs[-1].last_transaction
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 3), st.booleans()),
        st.tuples(st.just("grow"), st.integers(3, 9), st.booleans()),
        st.tuples(st.just("tick"), st.sampled_from([0, 1, 7, 61, 3700]), st.just(False)),
        st.tuples(st.just("away"), st.sampled_from(["all", "create", "list", "read", "delete", "none"]), st.booleans()),
        st.tuples(st.just("killed"), st.just(0), st.just(False)),
        st.tuples(st.just("second archiver"), st.sampled_from([1, 61]), st.just(False)),
    ),
    max_size=25,
)


@examples(60, HealthCheck.function_scoped_fixture)
@given(steps=STEPS)
def test_whatever_happens_what_was_reported_as_archived_is_there_and_in_the_end_everything_is(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, object, bool]]
) -> None:
    monkeypatch.setattr("neokeep.repository.merging.MERGE", 3)
    home = tmp_path_factory.mktemp("case") / "home"
    found = Outage(home)
    storage, made, clock = found.storage, found.made, found.followed.clock
    storage.memory.now = lambda: clock.now
    archivers = [found.followed]
    label = str(found.followed.told("following")[0].chain)
    repository = Repository.open(storage.memory)
    base = repository.manifest(label)

    def require() -> None:
        reached = chain_of(repository, base).last_transaction
        for archiver in archivers:
            assert reached >= archiver.archived
            assert not archiver.told("broken", "gap", "full backup failed")

    for what, how, flag in steps:
        if what == "commit":
            commit_more(made, int(str(how)), rotate=flag)
        elif what == "grow":
            for _ in range(int(str(how))):
                commit_more(made, 1)
                archivers[-1].tick(61 if flag else 1)
        elif what == "tick":
            archivers[-1].tick(float(str(how)))
        elif what == "away":
            storage.away = {"all": EVERYTHING, "none": set()}.get(str(how), {str(how)})
            storage.too_late = flag
        elif what == "killed":
            storage.away, storage.too_late = set(), False
            archivers.append(Followed(made, memory=storage.memory, storage=storage, clock=clock))
            archivers[-1].tick(0)
        elif len(archivers) > 1:
            archivers[-2].tick(float(str(how)))
        require()
    storage.away, storage.too_late = set(), False
    for seconds in (61, 61, 3700, 61, 3700):
        archivers[-1].tick(seconds)
        commit_more(made, 1)
        archivers[-1].tick(1)
    require()
    assert chain_of(repository, base).last_transaction == found.followed.last
    assert check(repository).ok
    found.followed.require_restorable(home.parent / "restored")


def test_a_clock_that_is_set_back_changes_nothing(outage: Outage) -> None:
    found = outage.followed
    for _ in range(5):
        found.clock.now -= timedelta(days=1)
        commit_more(outage.made, 1)
        found.tick()
        assert found.archived == found.last
        assert found.told("archived")[-1].delay_seconds == 0
