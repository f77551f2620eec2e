"""Loading archives: what is whole is put in place, and whatever is not leaves no trace."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.artifacts import BAD, MAGICS, artifact, bad_archives, differential, files_of, spoiled, tar_of, whole, write
from helpers.backups import content
from helpers.database import Synthetic, make_database
from helpers.properties import examples
from helpers.victim import Victim, steps
from neokeep import api
from neokeep.errors import IntegrityError, LockedError, NeokeepError, SourceError, SpaceError, UsageError
from neokeep.neo4j import locks

if TYPE_CHECKING:
    from collections.abc import Iterator


def everything(home: Path) -> dict[str, bytes | None]:
    """Every file and directory below a home, locks aside."""
    return {
        str(path.relative_to(home)): path.read_bytes() if path.is_file() else None
        for path in home.rglob("*")
        if path.name not in (locks.STORE_LOCK, locks.DATABASE_LOCK)
    }


@pytest.mark.parametrize("magic", MAGICS)
def test_every_kind_of_archive_is_loaded(tmp_path: Path, made: Synthetic, magic: str) -> None:
    path = write(tmp_path / "neo4j.archive", whole(made, magic))
    report = api.load(path, tmp_path / "home")
    assert content(tmp_path / "home") == (made.store, made.log)
    assert (report.loaded_as, report.clean, report.replaced) == ("neo4j", False, False)
    assert report.last_tx == made.logs[-1].last_before + len(made.logs[-1].boundaries) - 1
    assert report.store_format == "aligned"


def test_entries_with_a_dot_and_directories_are_loaded(tmp_path: Path, made: Synthetic) -> None:
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", files_of(made), tar=tar_of(files_of(made), dotted=True)))
    api.load(path, tmp_path / "home")
    assert content(tmp_path / "home") == (made.store, made.log)


def test_a_clean_database_of_4_4_is_loaded(tmp_path: Path) -> None:
    old = make_database(tmp_path / "old", kernel=4)
    path = write(tmp_path / "neo4j.dump", whole(old))
    assert api.load(path, tmp_path / "home").kernel_version == "4.4"
    assert content(tmp_path / "home") == (old.store, old.log)


def test_an_archive_comes_through_a_pipe(tmp_path: Path, made: Synthetic) -> None:
    pipe = tmp_path / "neo4j.dump"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(whole(made),))
    writer.start()
    report = api.load(pipe, tmp_path / "home")
    writer.join()
    assert content(tmp_path / "home") == (made.store, made.log)
    assert report.archive.size_bytes is None


def test_what_a_server_leaves_behind_is_not_loaded(tmp_path: Path, made: Synthetic) -> None:
    more = {"database_lock": b"", "quarantine_marker": b"why", "id-buffer.tmp.0": b"ids"}
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", files_of(made) | more))
    report = api.load(path, tmp_path / "home")
    assert set(report.left_out) == set(more)
    assert content(tmp_path / "home") == (made.store, made.log)


@pytest.fixture(scope="module", name="bad")
def _bad(made: Synthetic) -> dict[str, bytes]:
    return bad_archives(made)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_archive_leaves_the_target_untouched(tmp_path: Path, bad: dict[str, bytes], what: str) -> None:
    path = write(tmp_path / "neo4j.dump", bad[what])
    make_database(tmp_path / "home", seed=50)
    before = everything(tmp_path / "home")
    with pytest.raises((IntegrityError, SourceError)) as refused:
        api.load(path, tmp_path / "home", overwrite=True)
    assert refused.value.remedy
    # What is staged is gone when somebody reads the message.
    assert ".new" not in refused.value.message
    assert everything(tmp_path / "home") == before
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("what", BAD)
def test_a_bad_archive_leaves_an_empty_home_empty(tmp_path: Path, bad: dict[str, bytes], what: str) -> None:
    path = write(tmp_path / "neo4j.dump", bad[what])
    (tmp_path / "home").mkdir()
    with pytest.raises((IntegrityError, SourceError)):
        api.load(path, tmp_path / "home")
    assert not list((tmp_path / "home").iterdir())


@examples(40)
@given(data=st.data(), magic=st.sampled_from(MAGICS))
def test_whatever_is_wrong_with_the_bytes_the_target_is_the_old_database_or_the_new_one(
    made: Synthetic, data: st.DataObject, magic: str
) -> None:
    archive = spoiled(data, whole(made, magic))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        make_database(home, seed=50)
        before = everything(home)
        try:
            api.load(write(Path(folder) / "neo4j.dump", archive), home, overwrite=True)
        except NeokeepError:
            assert everything(home) == before
        else:
            # A plain tar has no checksum over its files; all that was verified is the log.
            assert magic.startswith("BT") or content(home) == (made.store, made.log)


def test_a_size_that_no_disk_has_is_refused_before_a_byte_is_written(tmp_path: Path, made: Synthetic) -> None:
    claimed = artifact("DZV1", files_of(made), counts=(1, len(files_of(made)), 1 << 60))
    with pytest.raises(SpaceError):
        api.load(write(tmp_path / "neo4j.dump", claimed), tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_database_that_is_there_is_replaced_only_when_told_so(tmp_path: Path, made: Synthetic) -> None:
    path = write(tmp_path / "neo4j.dump", whole(made))
    make_database(tmp_path / "home", seed=50)
    before = everything(tmp_path / "home")
    with pytest.raises(UsageError, match="exists already"):
        api.load(path, tmp_path / "home")
    assert everything(tmp_path / "home") == before
    assert api.load(path, tmp_path / "home", overwrite=True).replaced
    assert content(tmp_path / "home") == (made.store, made.log)
    assert not list((tmp_path / "home").rglob(".neokeep*"))


def test_a_database_that_is_open_is_never_replaced(tmp_path: Path, made: Synthetic) -> None:
    path = write(tmp_path / "neo4j.dump", whole(made))
    other = make_database(tmp_path / "home", seed=50)
    before = everything(tmp_path / "home")
    with locks.hold(other.opened.lock_path), pytest.raises(LockedError):
        api.load(path, tmp_path / "home", overwrite=True)
    assert everything(tmp_path / "home") == before


def test_a_name_is_taken_from_the_order_then_the_header_then_the_file(tmp_path: Path, made: Synthetic) -> None:
    dump, backup = write(tmp_path / "Movies.dump", whole(made)), write(tmp_path / "x.backup", whole(made, "BZV2"))
    assert api.load(dump, tmp_path / "one").loaded_as == "movies"
    assert api.load(backup, tmp_path / "two").loaded_as == "neo4j"
    report = api.load(backup, tmp_path / "three", loaded_as="other")
    assert report.loaded_as == "other"
    assert any("other" in step for step in report.next_steps)


@pytest.mark.parametrize("name", ["x", "no name.dump", "-", "2026.dump"])
def test_without_a_name_that_neo4j_takes_nothing_is_loaded(tmp_path: Path, made: Synthetic, name: str) -> None:
    path = write(tmp_path / name, whole(made))
    with pytest.raises(UsageError) as refused:
        api.load(path, tmp_path / "home")
    assert "--as" in refused.value.remedy
    assert not (tmp_path / "home").exists()


def test_a_differential_artifact_is_refused_with_the_reason(tmp_path: Path, made: Synthetic) -> None:
    path = write(tmp_path / "d.backup", artifact("BZV2", made.log, metadata=differential(82, 90)))
    with pytest.raises(SourceError, match="differential artifact: it holds transactions 82 to 90"):
        api.load(path, tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_the_system_database_and_another_do_not_change_places(tmp_path: Path, made: Synthetic) -> None:
    path = write(tmp_path / "n.backup", whole(made, "BZV2"))
    with pytest.raises(UsageError, match="cannot change places"):
        api.load(path, tmp_path / "home", loaded_as="system")


@pytest.mark.parametrize(
    ("kernel", "server", "word"), [(20, "5.20.0", "never downgraded"), (4, "2026.08.1", "5.26"), (4, "5.26.30", "4.4")]
)
def test_a_server_that_could_not_open_it_gets_none(tmp_path: Path, kernel: int, server: str, word: str) -> None:
    made = make_database(tmp_path / "made", kernel=kernel)
    (tmp_path / "home" / "lib").mkdir(parents=True)
    (tmp_path / "home" / "lib" / f"neo4j-kernel-{server}.jar").touch()
    before = everything(tmp_path / "home")
    with pytest.raises(SourceError) as refused:
        api.load(write(tmp_path / "neo4j.dump", whole(made)), tmp_path / "home")
    assert word in refused.value.remedy
    assert everything(tmp_path / "home") == before


def test_info_reads_to_the_end_and_writes_nothing(tmp_path: Path, made: Synthetic) -> None:
    path = write(tmp_path / "neo4j.dump", whole(made, "gzip"))
    report = api.load(path, None)
    assert (report.files, report.content_bytes) == (len(files_of(made)), sum(map(len, files_of(made).values())))
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(IntegrityError):
        api.load(write(path, path.read_bytes()[:-1]), None)


def test_a_folder_with_one_archive_is_that_archive(tmp_path: Path, made: Synthetic) -> None:
    (tmp_path / "dumps").mkdir()
    write(tmp_path / "dumps" / "neo4j.dump", whole(made))
    assert api.load(tmp_path / "dumps", tmp_path / "home").loaded_as == "neo4j"
    write(tmp_path / "dumps" / "other.dump", whole(made))
    with pytest.raises(UsageError, match="2 archives"):
        api.load(tmp_path / "dumps", tmp_path / "home")


@pytest.fixture
def victim() -> Iterator[Victim]:
    """A process that does what it is told, until it is killed."""
    process = Victim()
    yield process
    process.close()


@pytest.mark.faults
def test_killed_at_any_call_the_target_is_the_old_database_or_the_new_one(
    tmp_path: Path, victim: Victim, made: Synthetic
) -> None:
    path = write(tmp_path / "neo4j.dump", whole(made))
    make_database(tmp_path / "base", seed=50)
    old, new = content(tmp_path / "base"), (made.store, made.log)
    shutil.copytree(tmp_path / "base", tmp_path / "whole")
    calls = victim.calls_of("load", path, tmp_path / "whole")
    became_new: list[bool] = []
    for step in steps(calls, most=20):
        target = tmp_path / "target"
        shutil.copytree(tmp_path / "base", target)
        assert victim.order("load", path, target, kill_at=step) == "killed"
        found = content(target)
        assert found in (old, new), f"killed at {step}: neither the old database nor the new one"
        became_new.append(found == new)
        api.load(path, target, overwrite=True)
        assert content(target) == new
        assert not list(target.rglob(".neokeep*"))
        shutil.rmtree(target)
    assert became_new == sorted(became_new)
