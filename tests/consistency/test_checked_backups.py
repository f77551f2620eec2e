"""`backup --check`: the graph in each backup is checked, that is recorded beside it, and expiry can ask for it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from helpers.chains import commit_more
from helpers.graph_home import break_it, home_of
from neokeep import api
from neokeep.cli.main import main
from neokeep.errors import KeyNeededError, SpaceError
from neokeep.repository.recording import Recorder
from neokeep.repository.verified import CheckedBackup, Record, merged, read_records
from neokeep.storage.local import LocalStorage
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.reports import BackupInfo, BackupReport

BROKEN = "a chain is cut"


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return home_of(tmp_path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    api.init(tmp_path / "repository")
    return tmp_path / "repository"


def back_up(made: Synthetic, *repositories: Path, **options: Any) -> BackupReport:
    place = repositories[0] if len(repositories) == 1 else list(repositories)
    options = {"type": "full", "check": True, "gentle": False, **options}
    return api.backup(made.home, place, ["neo4j"], **options)


def infos(repository: Path) -> list[BackupInfo]:
    return list(api.info(repository).backups)


def test_a_whole_backup_is_recorded_as_such(made: Synthetic, repository: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (backup,) = back_up(made, repository, scratch=scratch).backups
    assert backup.inconsistencies == 0
    (info,) = infos(repository)
    assert info.consistency_checked_at == backup.consistency_checked_at
    assert info.inconsistencies == 0
    assert list(scratch.iterdir()) == []


def test_a_backup_that_was_not_checked_says_nothing(made: Synthetic, repository: Path) -> None:
    (backup,) = back_up(made, repository, check=False).backups
    (info,) = infos(repository)
    assert (backup.consistency_checked_at, info.consistency_checked_at, info.inconsistencies) == (None, None, None)


def test_a_backup_that_is_not_whole_is_kept_and_told(made: Synthetic, repository: Path) -> None:
    break_it(made, BROKEN)
    (backup,) = back_up(made, repository).backups
    assert backup.inconsistencies == 1
    (info,) = infos(repository)
    assert (info.label, info.inconsistencies, info.verified_whole) == (backup.label, 1, None)
    assert api.verify(repository).ok
    assert infos(repository)[0].inconsistencies == 1


def test_the_exit_status_is_that_of_an_inconsistent_graph(
    made: Synthetic, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["backup", "neo4j", "--home", str(made.home), "--repo", str(repository), "--type", "full", "--check"]
    assert main(line) == 0
    assert "the graph in it is whole" in capsys.readouterr().out
    break_it(made, BROKEN)
    assert main(line) == 24
    printed = capsys.readouterr()
    assert "the graph in it is not whole, 1 finding" in printed.out
    assert "holds what the database held" in printed.err
    assert main(["info", "--repo", str(repository), "--backup", infos(repository)[1].label]) == 0
    assert "NOT WHOLE: 1 finding" in capsys.readouterr().out


def test_each_repository_has_its_own_backup_checked(made: Synthetic, repository: Path, tmp_path: Path) -> None:
    api.init(tmp_path / "other")
    report = back_up(made, repository, tmp_path / "other")
    assert [one.backups[0].inconsistencies for one in (report, *report.others)] == [0, 0]
    for place in (repository, tmp_path / "other"):
        assert infos(place)[0].inconsistencies == 0


def test_a_repository_that_is_not_there_does_not_stop_the_check_of_the_other(
    made: Synthetic, repository: Path, tmp_path: Path
) -> None:
    report = back_up(made, tmp_path / "nowhere", repository)
    assert len(report.failures) == 1
    assert report.others[0].backups[0].inconsistencies == 0


def test_a_check_that_could_not_be_made_leaves_the_backup_and_is_told(
    made: Synthetic, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What is in these transactions is no command of Neo4j.
    commit_more(made)
    line = ["backup", "neo4j", "--home", str(made.home), "--repo", str(repository), "--type", "full", "--check"]
    assert main(line) == 11
    printed = capsys.readouterr()
    assert "was made, and could not be checked" in printed.out
    (info,) = infos(repository)
    assert info.consistency_checked_at is None


def test_a_check_by_label_is_recorded_too_and_one_of_the_newest_state_is_not(made: Synthetic, repository: Path) -> None:
    (backup,) = back_up(made, repository, check=False).backups
    newest = api.check_consistency(api.subject("neo4j", repository=repository))
    assert newest.recorded_at is None
    assert infos(repository)[0].consistency_checked_at is None
    checked = api.check_consistency(api.subject("neo4j", repository=repository, label=backup.label))
    assert checked.recorded_at is not None
    assert infos(repository)[0].consistency_checked_at == checked.recorded_at


def test_where_nothing_can_be_recorded_the_check_is_made_all_the_same(
    made: Synthetic, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (backup,) = back_up(made, repository, check=False).backups

    def full(*_: object) -> None:
        raise SpaceError("the disk is full", remedy="")

    monkeypatch.setattr(LocalStorage, "create", full)
    checked = api.check_consistency(api.subject("neo4j", repository=repository, label=backup.label))
    assert (checked.ok, checked.recorded_at) == (True, None)


def test_who_can_only_write_is_told_before_the_backup(made: Synthetic, tmp_path: Path) -> None:
    for name in ("reader", "writer"):
        api.key_generate(tmp_path / name)
    place = tmp_path / "sealed"
    public = [tmp_path / f"{name}.pub" for name in ("reader", "writer")]
    api.init(place, recipients=public[:1], writer_recipients=public[1:])
    writer = Place(str(place), keys=KeySources(identity_file=tmp_path / "writer"))
    with pytest.raises(KeyNeededError, match="reader key"):
        api.backup(made.home, writer, ["neo4j"], gentle=False, check=True)
    assert api.info(writer).backups == ()


def test_expiry_leaves_the_newest_backup_that_was_found_consistent(made: Synthetic, repository: Path) -> None:
    whole = back_up(made, repository).backups[0].label
    break_it(made, BROKEN)
    labels = [whole, *(back_up(made, repository).backups[0].label for _ in range(2))]
    would = api.expire(repository, keep_last=1, dry_run=True)
    assert [line.label for line in would.lines if line.keep] == labels[2:]
    report = api.expire(repository, keep_last=1, require_consistent=True, collect=False)
    assert [line.label for line in report.lines if line.keep] == [labels[0], labels[2]]
    assert [info.label for info in infos(repository)] == [labels[0], labels[2]]


def test_the_newest_outcome_counts_and_of_two_at_once_the_worse(repository: Path) -> None:
    recorder = Recorder.begin(LocalStorage(repository))
    assert recorder.now is not None

    def found(seconds: int, inconsistencies: int) -> Record:
        assert recorder.now is not None
        at = recorder.now + timedelta(seconds=seconds)
        return Record(checked=(CheckedBackup(label="L", checked=at, inconsistencies=inconsistencies),))

    assert merged([found(1, 0), found(0, 5)]).checked[0].consistent
    assert merged([found(0, 0), found(0, 5), found(-1, 9)]).checked[0].inconsistencies == 5


def test_what_a_verification_of_everything_does_not_see_any_more_is_forgotten(
    made: Synthetic, repository: Path
) -> None:
    labels = [back_up(made, repository).backups[0].label for _ in range(2)]
    api.expire(repository, keep_last=1, collect=False)
    assert [one.label for one in read_records(LocalStorage(repository)).checked] == labels
    api.verify(repository)
    assert [one.label for one in read_records(LocalStorage(repository)).checked] == labels[1:]
