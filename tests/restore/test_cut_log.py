"""Archived log on top of a base, cut at any transaction or time: it ends exactly there, and nothing stands behind."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from helpers import txlog
from helpers.backups import SILENT, content, new_repository, put_back, take
from helpers.chains import commit_more, header, moment_of, put_logs, run_backup, span
from helpers.database import make_database, make_logs
from helpers.manifests import full_manifest
from helpers.storages import MemoryStorage
from helpers.txlog import KERNELS, BuiltLog, flipped
from neokeep.errors import IntegrityError
from neokeep.neo4j.log.header import parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import Scan, Tail, scan_log
from neokeep.repository.manifest import LogPoint
from neokeep.repository.segment import Piece, SegmentName, store_segment
from neokeep.restore.logs import LogEnd, apply_segments, cut_log
from neokeep.restore.restore import restore
from neokeep.restore.targets import NEWEST, Moment
from neokeep.restore.write import Owner

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.repository.repository import Repository

STORE = "a store"
BASE_ENDS = 4
LAST = 13


class Archive:
    """Three log files with transactions 2 to 13: a base ends with 4, and segments hold the rest."""

    def __init__(self, kernel: int, *, linked: bool = True) -> None:
        self.linked = linked
        self.logs: list[BuiltLog] = make_logs(kernel, files=3, each=4)
        self.storage = MemoryStorage()
        self.segments: list[SegmentName] = []
        self.base_checksum = span(self.logs[0], BASE_ENDS).checksum
        for version, first, last in ((0, 5, 5), (1, 6, 7), (1, 8, 9), (2, 10, 13)):
            self.store(version, first, last)

    def store(self, version: int, first: int, last: int) -> None:
        log = self.logs[version]
        begin = 0 if first == log.first_transaction else span(log, first).start
        end = span(log, last).end
        piece = Piece(version=version, start=begin, length=end - begin)
        before = next(item for item in self.logs if item.first_transaction <= first - 1 <= item.last_transaction)
        follows = span(before, first - 1).checksum if self.linked else None
        told = msgspec.structs.replace(header(first, last, [piece]), tail=span(log, last), follows=follows)
        self.segments.append(store_segment(self.storage, told, log.data[begin:end]))

    def write_base(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        first = self.logs[0]
        (directory / log_name(0)).write_bytes(first.data[: span(first, BASE_ENDS).end])

    def apply(self, directory: Path, segments: list[SegmentName] | None = None, store_id: str = STORE) -> None:
        chosen = self.segments if segments is None else segments
        base = full_manifest(store_id=store_id, end=LogPoint(version=0, offset=0, checksum=self.base_checksum))
        apply_segments(self.storage, chosen, directory, Owner.of(directory), base, SILENT)

    def up_to(self, transaction: int) -> dict[str, bytes]:
        """The log files as they were when this was the last transaction."""
        files: dict[str, bytes] = {}
        for log in self.logs:
            if log.last_before < transaction or log.version == 0:
                end = log.ends[min(transaction, log.last_transaction) - log.first_transaction]
                files[log_name(log.version)] = log.data[:end]
        return files


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def scanned(path: Path) -> Scan:
    data = path.read_bytes()
    head = parse_header(data[:128], str(path))
    assert head is not None
    return scan_log(lambda offset, length: data[offset : offset + length], head)


@pytest.fixture(params=KERNELS)
def archive(request: pytest.FixtureRequest) -> Archive:
    return Archive(int(request.param))


def ends_exactly_with(directory: Path, archive: Archive, transaction: int) -> None:
    """Later files may be left only with their header, never with a transaction."""
    wanted = archive.up_to(transaction)
    found = files_of(directory)
    for name, data in wanted.items():
        assert found.pop(name) == data
    for name, data in found.items():
        log = archive.logs[int(name.rsplit(".", 1)[1])]
        assert data == log.data[: log.header_size]
        assert log.last_before == transaction
    newest = scanned(directory / log_name(log_versions(directory)[-1]))
    assert (newest.last_transaction, newest.tail) == (transaction, Tail.END_OF_FILE)


@pytest.mark.parametrize("target", range(BASE_ENDS, LAST + 1))
def test_any_transaction_is_the_last_of_the_log_that_is_cut_there(
    tmp_path: Path, archive: Archive, target: int
) -> None:
    archive.write_base(tmp_path)
    archive.apply(tmp_path)
    assert cut_log(tmp_path, Moment(transaction=target), BASE_ENDS) == LogEnd(target, moment_of(target))
    ends_exactly_with(tmp_path, archive, target)


@pytest.mark.parametrize("target", range(BASE_ENDS, LAST + 1))
@pytest.mark.parametrize("milliseconds", [0, 1, 9])
def test_any_time_ends_with_the_last_transaction_that_was_committed_by_then(
    tmp_path: Path, archive: Archive, target: int, milliseconds: int
) -> None:
    archive.write_base(tmp_path)
    archive.apply(tmp_path)
    time = moment_of(target) + timedelta(milliseconds=milliseconds)
    assert cut_log(tmp_path, Moment(time=time), BASE_ENDS) == LogEnd(target, moment_of(target))
    ends_exactly_with(tmp_path, archive, target)


@pytest.mark.parametrize("floor", range(2, LAST + 1))
@pytest.mark.parametrize("by_time", [False, True])
def test_no_moment_cuts_before_the_end_of_the_base(tmp_path: Path, archive: Archive, floor: int, by_time: bool) -> None:
    archive.write_base(tmp_path)
    archive.apply(tmp_path)
    if by_time:
        early = Moment(time=moment_of(2) - timedelta(days=1))
        assert cut_log(tmp_path, early, floor) == LogEnd(floor, moment_of(floor))
    else:
        with pytest.raises(IntegrityError):
            cut_log(tmp_path, Moment(transaction=floor - 1), floor)
    ends_exactly_with(tmp_path, archive, floor if by_time else LAST)


def test_without_a_moment_everything_stays(tmp_path: Path, archive: Archive) -> None:
    archive.write_base(tmp_path)
    archive.apply(tmp_path)
    assert cut_log(tmp_path, NEWEST, BASE_ENDS) == LogEnd(LAST, moment_of(LAST))
    assert files_of(tmp_path) == archive.up_to(LAST)


def test_overlapping_segments_may_be_written_in_turn(tmp_path: Path, archive: Archive) -> None:
    archive.store(1, 6, 9)
    archive.write_base(tmp_path)
    first, *_, newest, merged = archive.segments
    archive.apply(tmp_path, [first, merged, newest])
    assert cut_log(tmp_path, NEWEST, BASE_ENDS).transaction == LAST
    assert files_of(tmp_path) == archive.up_to(LAST)


@pytest.mark.parametrize("number", range(4))
def test_a_segment_that_is_missing_or_damaged_is_told(tmp_path: Path, archive: Archive, number: int) -> None:
    name = archive.segments[number].name
    data = archive.storage.objects[name]
    archive.write_base(tmp_path)
    archive.storage.replace(name, flipped(data, len(data) // 2))
    with pytest.raises(IntegrityError, match="is damaged"):
        archive.apply(tmp_path)
    archive.storage.delete(name)
    with pytest.raises(IntegrityError, match="is missing"):
        archive.apply(tmp_path)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("linked", [True, False])
def test_a_segment_that_is_left_out_leaves_a_log_that_is_refused(
    tmp_path: Path, archive: Archive, number: int, linked: bool
) -> None:
    archive = Archive(archive.logs[0].kernel, linked=linked)
    archive.write_base(tmp_path)
    chosen = [segment for at, segment in enumerate(archive.segments) if at != number]

    def put_on_top() -> None:
        archive.apply(tmp_path, chosen)
        cut_log(tmp_path, NEWEST, BASE_ENDS)

    refusals = r"behind the end of the log before it|does not hold together|follows on another transaction"
    with pytest.raises(IntegrityError, match=refusals):
        put_on_top()


def test_a_whole_log_file_that_is_left_out_is_noticed(tmp_path: Path, archive: Archive) -> None:
    archive = Archive(archive.logs[0].kernel, linked=False)
    archive.write_base(tmp_path)
    archive.apply(tmp_path, [archive.segments[0], archive.segments[3]])
    with pytest.raises(IntegrityError, match="follows on 9, the one before ends 5"):
        cut_log(tmp_path, NEWEST, BASE_ENDS)


def test_a_segment_of_another_store_is_refused_before_anything_is_written(tmp_path: Path, archive: Archive) -> None:
    archive.write_base(tmp_path)
    before = files_of(tmp_path)
    with pytest.raises(IntegrityError, match="is of store a store, the base is of another"):
        archive.apply(tmp_path, store_id="another")
    assert files_of(tmp_path) == before


def test_a_segment_that_follows_on_another_history_is_refused(tmp_path: Path, archive: Archive) -> None:
    archive.write_base(tmp_path)
    archive.base_checksum += 1
    with pytest.raises(IntegrityError, match="follows on another transaction 4 than that before it"):
        archive.apply(tmp_path)


def test_a_segment_of_a_forked_history_does_not_fit_where_transactions_are_chained(
    tmp_path: Path, archive: Archive
) -> None:
    if archive.logs[0].kernel > 21:
        pytest.skip("this kernel version has no checksum of the transaction before")
    archive.write_base(tmp_path)
    archive.apply(tmp_path)
    path = tmp_path / log_name(1)
    other = txlog.build_log(archive.logs[0].kernel, [b"x"] * 4, version=1, last_before=5, previous_checksum=1)
    path.write_bytes(other.data)
    with pytest.raises(IntegrityError, match="does not hold together"):
        cut_log(tmp_path, NEWEST, BASE_ENDS)


@pytest.mark.parametrize("target", [LAST + 1, 100])
def test_a_transaction_that_the_log_does_not_reach_is_told(tmp_path: Path, archive: Archive, target: int) -> None:
    archive.write_base(tmp_path)
    archive.apply(tmp_path)
    with pytest.raises(IntegrityError, match=f"reaches transaction {LAST}, not {target}"):
        cut_log(tmp_path, Moment(transaction=target), BASE_ENDS)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_flipped_byte_anywhere_in_the_log_is_never_cut_away_in_silence(
    tmp_path: Path, archive: Archive, part: float
) -> None:
    put_logs(tmp_path, archive.logs)
    for log in archive.logs:
        path = tmp_path / log_name(log.version)
        at = log.header_size + int((len(log.data) - log.header_size) * part)
        path.write_bytes(flipped(log.data, at))
        with pytest.raises(IntegrityError):
            cut_log(tmp_path, NEWEST, BASE_ENDS)
        path.write_bytes(log.data)


def test_a_log_without_any_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="reaches transaction nothing"):
        cut_log(tmp_path, NEWEST, BASE_ENDS)


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Synthetic, Repository]:
    """A backup that ends with 9, incremental ones up to 12 and 15 in a newer file."""
    made = make_database(tmp_path / "home")
    repository, _ = new_repository()
    take(made, repository)
    for rotate in (False, True):
        commit_more(made, 3, rotate=rotate)
        run_backup(made, repository)
    return made, repository


def restored(repository: Repository, home: Path, moment: Moment) -> int:
    report = restore(repository, home, "neo4j", from_source="test", moment=moment, jobs=1, progress=SILENT)
    return report.last_tx


@pytest.mark.parametrize("target", range(9, 16))
@pytest.mark.parametrize("by_time", [False, True])
def test_a_whole_restore_ends_with_the_wanted_transaction(
    tmp_path: Path, chain: tuple[Synthetic, Repository], target: int, by_time: bool
) -> None:
    made, repository = chain
    moment = Moment(time=moment_of(target)) if by_time else Moment(transaction=target)
    assert restored(repository, tmp_path / "restored", moment) == target
    store, logs = content(tmp_path / "restored")
    assert store == made.store
    newest = log_name(max(int(name.rsplit(".", 1)[1]) for name in logs if name.startswith("neostore.trans")))
    scan = scanned(tmp_path / "restored" / "data" / "transactions" / "neo4j" / newest)
    assert (scan.last_transaction, scan.tail) == (target, Tail.END_OF_FILE)


def test_a_damaged_segment_leaves_the_database_that_was_there(
    tmp_path: Path, chain: tuple[Synthetic, Repository]
) -> None:
    made, repository = chain
    storage = repository.storage
    assert isinstance(storage, MemoryStorage)
    name = storage.names("segments/")[0]
    storage.replace(name, flipped(storage.objects[name], 60))
    before = content(made.home)
    with pytest.raises(IntegrityError):
        put_back(repository, made.home, overwrite=True)
    assert content(made.home) == before
    assert not [name for name in os.listdir(made.store_directory.parent) if name.startswith(".neokeep")]


@pytest.mark.parametrize("late", [2, 6, 8])
def test_a_cut_by_time_never_lies_before_the_end_of_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    """Commit times do not rise with ids. What the store files of a base hold must stay in the log."""
    plain = txlog.commit_time
    monkeypatch.setattr(txlog, "commit_time", lambda number: plain(number) + (35 if number == late else 0))
    made = make_database(tmp_path / "home")
    repository, _ = new_repository()
    base = take(made, repository)
    commit_more(made, 6)
    run_backup(made, repository)
    for target in range(9, 16):
        home = tmp_path / f"to-{target}"
        assert restored(repository, home, Moment(time=moment_of(target))) >= base.last_tx
