"""Following the log: nothing between checkpoint and end is lost, and nothing that is damaged is taken."""

from __future__ import annotations

import itertools
import os
import threading
from typing import TYPE_CHECKING

import pytest

from helpers.backups import new_repository
from helpers.database import make_logs, some_bytes
from helpers.txlog import BuiltLog, build_log, fake_commit, flipped
from neokeep.capture import logs as following
from neokeep.capture.logs import FollowedLog, LogFollower
from neokeep.capture.void import CaptureVoid
from neokeep.errors import IntegrityError, NeokeepError, SourceError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.names import log_name
from neokeep.repository.blocklist import block_length, expand
from neokeep.repository.reader import BlockReader
from neokeep.repository.repository import Repository
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _soon_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a torn tail to be completed."""
    monkeypatch.setattr(following, "_LIVE_TRIES", 3)
    monkeypatch.setattr(following, "_LIVE_PAUSE_SECONDS", 0.001)


class Followed:
    """A follower on a log directory, and the repository that it writes to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.repository, _ = new_repository()
        self.writer = BlockWriter(self.repository)
        self.follower: LogFollower | None = None

    def put(self, log: BuiltLog | int, data: bytes = b"") -> None:
        version, content = (log.version, log.data) if isinstance(log, BuiltLog) else (log, data)
        (self.directory / log_name(version)).write_bytes(content)

    def start(self, version: int, offset: int) -> LogFollower:
        self.follower = LogFollower(self.directory, LogPosition(version, offset), self.writer)
        self.follower.start()
        return self.follower

    def finish(self) -> FollowedLog:
        assert self.follower is not None
        try:
            return self.follower.finish()
        finally:
            self.follower.close()

    def follow(self, version: int, offset: int) -> FollowedLog:
        self.start(version, offset)
        return self.finish()

    def stored(self, log: FollowedLog) -> dict[str, bytes]:
        self.writer.finish()
        reader = BlockReader.of(Repository.open(self.repository.storage))
        found: dict[str, bytes] = {}
        for entry in log.entries:
            ids = expand(entry.content, reader.fetch)
            blocks = [
                reader.fetch(ids[at : at + 32], block_length(entry.content, at // 32)) for at in range(0, len(ids), 32)
            ]
            found[entry.path] = b"".join(blocks)
        return found


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def names_and_data(logs: list[BuiltLog]) -> dict[str, bytes]:
    return {log_name(log.version): log.data for log in logs}


@pytest.mark.parametrize("kernel", [4, 16, 20, 32])
def test_the_log_is_kept_from_the_checkpoint_to_its_end_without_its_zeros(kernel: int, followed: Followed) -> None:
    logs = make_logs(kernel, files=4, first=6, last_before=40)
    for log in logs:
        followed.put(log)
    followed.put(logs[3].version, logs[3].data + bytes(500_000))
    found = followed.follow(7, logs[1].ends[2])
    assert followed.stored(found) == names_and_data(logs[1:])
    assert (found.first_transaction, found.checkpoint_transaction) == (
        logs[1].first_transaction,
        logs[1].last_before + 3,
    )
    assert (found.last_transaction, found.last_checksum) == (logs[3].last_transaction, logs[3].last_checksum)
    assert found.end == LogPosition(9, logs[3].ends[-1])
    assert (found.last_commit_time, found.kernel_version, found.torn) == (logs[3].commit_times[-1], kernel, "")
    assert found.bytes_read == sum(len(item.data) for item in logs[1:])


@pytest.mark.parametrize("offset", [0, 128])
def test_a_checkpoint_at_the_very_begin_is_at_the_first_transaction(followed: Followed, offset: int) -> None:
    followed.put(make_logs(20, files=1)[0])
    log = followed.follow(0, offset)
    assert (log.first_transaction, log.checkpoint_transaction) == (2, 1)


def test_a_log_without_any_transaction_ends_where_it_begins(followed: Followed) -> None:
    followed.put(5, build_log(20, version=5, last_before=9).data + bytes(1000))
    log = followed.follow(5, 128)
    assert (log.first_transaction, log.last_transaction, log.checkpoint_transaction) == (10, 9, 9)
    assert log.end == LogPosition(5, 128)


def test_a_log_of_several_blocks_is_kept_whole(followed: Followed) -> None:
    log = build_log(20, [some_bytes(number, 150_000) for number in range(4)])
    followed.put(0, log.data + bytes(10))
    assert followed.stored(followed.follow(0, log.ends[0])) == {log_name(0): log.data}


def wait_for(condition: threading.Event) -> None:
    assert condition.wait(20)


def test_files_that_are_rotated_and_pruned_at_once_are_kept(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, threading.Event] = {log_name(version): threading.Event() for version in range(12)}
    real = os.open

    def telling(path: object, flags: int, mode: int = 0o777) -> int:
        descriptor = real(path, flags, mode)  # type: ignore[arg-type]
        opened.get(os.path.basename(os.fspath(path)), threading.Event()).set()  # type: ignore[call-overload]
        return descriptor

    monkeypatch.setattr(os, "open", telling)
    logs = make_logs(20, files=8)
    followed.put(logs[0])
    followed.start(0, logs[0].ends[0])
    for before, log in itertools.pairwise(logs):
        followed.put(log)
        wait_for(opened[log_name(log.version)])
        (followed.directory / log_name(before.version)).unlink()
    found = followed.finish()
    assert followed.stored(found) == names_and_data(logs)
    assert found.last_transaction == logs[-1].last_transaction


def test_rotated_files_are_let_go_of_during_the_copy(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = threading.Event()
    logs = make_logs(20, files=5)
    for log in logs:
        followed.put(log)
    close = os.close

    def telling(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(log_name(2)):
            closed.set()
        close(descriptor)

    monkeypatch.setattr(os, "close", telling)
    followed.start(0, 128)
    wait_for(closed)
    held = [
        os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    ]
    assert log_name(0) not in held
    assert followed.finish().last_transaction == logs[-1].last_transaction


def test_transactions_that_come_during_the_copy_are_kept(followed: Followed) -> None:
    logs = make_logs(32, files=1)
    followed.put(0, logs[0].data[: logs[0].ends[0]] + bytes(100_000))
    followed.start(0, logs[0].ends[0])
    followed.put(0, logs[0].data + bytes(90_000))
    assert followed.finish().last_transaction == logs[0].last_transaction


def test_a_file_made_a_moment_ago_without_a_header_is_no_part_of_the_log(followed: Followed) -> None:
    logs = make_logs(20, files=2)
    for log in logs:
        followed.put(log)
    for version, content in ((2, bytes(4096)), (3, b"")):
        followed.put(version, content)
    assert followed.stored(followed.follow(0, 128)) == names_and_data(logs)


def test_a_missing_first_file_voids_the_capture(followed: Followed) -> None:
    followed.put(make_logs(20, files=1, first=7)[0])
    follower = LogFollower(followed.directory, LogPosition(6, 128), followed.writer)
    with pytest.raises(CaptureVoid, match=f"{log_name(6)} was pruned"):
        follower.start()
    follower.close()


@pytest.mark.parametrize("missing", [1, 2])
def test_a_hole_in_the_versions_voids_the_capture(followed: Followed, missing: int) -> None:
    logs = make_logs(20, files=4)
    for log in logs[:missing] + logs[3:]:
        followed.put(log)
    follower = LogFollower(followed.directory, LogPosition(0, 128), followed.writer)
    void: CaptureVoid | None = None
    try:
        follower.start()
        follower.finish()
    except CaptureVoid as problem:
        void = problem
    follower.close()
    assert "was pruned before it could be read" in str(void)


def test_a_hole_that_opens_during_the_copy_is_told_to_the_copier(followed: Followed) -> None:
    logs = make_logs(20, files=4)
    followed.put(logs[0])
    follower = followed.start(0, 128)
    followed.put(logs[2])

    def watch() -> None:
        for _ in range(10_000):
            follower.check()
            threading.Event().wait(0.002)

    with pytest.raises(CaptureVoid, match="was pruned"):
        watch()
    follower.close()


def test_part_of_a_transaction_behind_the_end_is_left_out_and_told(followed: Followed) -> None:
    log = build_log(20, [b"one", b"two", b"three" * 50])
    for cut in (log.ends[1] + 1, log.ends[1] + 30, log.ends[2] - 1):
        followed.put(0, log.data[:cut] + bytes(1000))
        found = followed.follow(0, 128)
        assert (found.last_transaction, found.end.offset) == (3, log.ends[1])
        assert found.torn
        assert followed.stored(found) == {log_name(0): log.data[: log.ends[1]]}


def test_a_torn_tail_that_is_completed_meanwhile_is_kept(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    log = build_log(20, [b"one", b"two"])
    followed.put(0, log.data[:-7] + bytes(100))

    class Waiting:
        @staticmethod
        def sleep(_seconds: float) -> None:
            followed.put(0, log.data + bytes(93))

    monkeypatch.setattr(following, "time", Waiting)
    found = followed.follow(0, 128)
    assert (found.last_transaction, found.torn) == (3, "")


def expect_damage(followed: Followed, offset: int, text: str, version: int = 0) -> None:
    with pytest.raises(IntegrityError, match=text) as failure:
        followed.follow(version, offset)
    assert failure.value.remedy


def test_zeros_and_then_data_in_the_newest_file_are_damage(followed: Followed) -> None:
    log = build_log(20, [b"one", b"two"])
    later = build_log(20, [b"five"], last_before=5).data[128:]
    for zeros in (1, 5000, 3_000_000):
        followed.put(0, log.data + bytes(zeros) + later + bytes(100))
        expect_damage(followed, 128, "is damaged: after .* come zeros and then data again")


def test_zeros_and_then_data_in_a_rotated_file_are_damage(followed: Followed) -> None:
    logs = make_logs(20, files=2)
    first = logs[0].data
    followed.put(0, first[: logs[0].ends[1]] + bytes(3000) + first[logs[0].ends[1] :])
    followed.put(logs[1])
    with pytest.raises(IntegrityError):
        followed.follow(0, 128)


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_a_checkpoint_beyond_the_end_is_damage(followed: Followed, kernel: int) -> None:
    log = build_log(kernel, [b"one", b"two"])
    followed.put(0, log.data + bytes(100_000))
    expect_damage(followed, log.ends[-1] + 50, "points to 0:.*, where no transaction ends; the log ends at")
    expect_damage(followed, log.ends[0] + 3, "where no transaction ends")


def test_a_checkpoint_in_a_file_that_was_never_written_is_damage_or_voids_the_capture(followed: Followed) -> None:
    followed.put(build_log(20, [b"one"]))
    with pytest.raises((IntegrityError, CaptureVoid)):
        followed.start(3, 500)
    assert followed.follower is not None
    followed.follower.close()


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_a_gap_between_two_files_is_damage(followed: Followed, kernel: int) -> None:
    first = build_log(kernel, [b"one", b"two"])
    followed.put(first)
    followed.put(build_log(kernel, [b"six"], version=1, last_before=5, previous_checksum=first.last_checksum))
    expect_damage(followed, 128 if kernel > 4 else 64, "follows on transaction 5, the file before it ends with 3")


@pytest.mark.parametrize("kernel", [4, 20])
def test_a_broken_chain_of_checksums_between_files_is_damage(followed: Followed, kernel: int) -> None:
    first = build_log(kernel, [b"one", b"two"])
    followed.put(first)
    followed.put(build_log(kernel, [b"four"], version=1, last_before=3, previous_checksum=first.last_checksum ^ 1))
    expect_damage(followed, 0, f"{log_name(1)} of the source is damaged: .*previous checksum differs")


@pytest.mark.parametrize("kernel", [4, 20, 32])
@pytest.mark.parametrize("which", [0, 1])
def test_a_flipped_byte_in_the_middle_of_the_log_is_damage(followed: Followed, kernel: int, which: int) -> None:
    logs = make_logs(kernel, files=2)
    for log in logs:
        followed.put(log)
    damaged = logs[which]
    for at in (damaged.ends[0] + 1, damaged.ends[0] + 40, damaged.ends[1] - 30, damaged.ends[1] - 2):
        followed.put(which, flipped(damaged.data, at))
        with pytest.raises(IntegrityError, match="damaged"):
            followed.follow(0, 0)


def test_fake_commit_entries_in_a_torn_transaction_are_not_taken_for_damage(followed: Followed) -> None:
    log = build_log(20, [b"one", fake_commit(20, 3) * 3 + bytes(50)])
    followed.put(0, log.data[:-10])
    assert followed.follow(0, 128).last_transaction == 2


def test_a_file_that_says_inside_that_it_is_another_is_damage(followed: Followed) -> None:
    followed.put(3, build_log(20, [b"one"], version=2).data)
    expect_damage(followed, 128, "log version 2", version=3)


def test_an_enveloped_log_is_refused(followed: Followed) -> None:
    followed.put(0, b"\x0a" + build_log(20).data[1:])
    with pytest.raises(SourceError, match="enveloped"):
        followed.follow(0, 128)


def test_a_log_that_may_not_be_read_is_told(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    followed.put(build_log(20, [b"one"]))
    real = os.open

    def forbidden(path: object, *rest: int) -> int:
        if "neostore.transaction" in os.fspath(path):  # type: ignore[call-overload]
            raise PermissionError(13, "no")
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", forbidden)
    follower = LogFollower(followed.directory, LogPosition(0, 128), followed.writer)
    with pytest.raises(NeokeepError, match="cannot read"):
        follower.start()
    follower.close()


def test_every_descriptor_is_closed_whatever_happened(followed: Followed) -> None:
    before = len(os.listdir("/proc/self/fd"))
    logs = make_logs(20, files=3)
    for log in logs:
        followed.put(log)
    followed.follow(0, 128)
    followed.put(1, flipped(logs[1].data, 200))
    with pytest.raises(IntegrityError):
        followed.follow(0, 128)
    assert len(os.listdir("/proc/self/fd")) == before
