"""Logs of real servers: read as Neo4j reads them, and cut or flipped at any place they end before it, with notice."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from helpers.txlog import flipped, reader
from neokeep.errors import SourceError
from neokeep.neo4j.log.checkpoint import parse_checkpoints
from neokeep.neo4j.log.header import LARGEST, LogHeader, parse_header
from neokeep.neo4j.log.names import checkpoint_name, checkpoint_versions, log_name, log_versions
from neokeep.neo4j.log.scan import Scan, Tail, scan_log

if TYPE_CHECKING:
    from pathlib import Path

    from real.conftest import Worlds
    from real.rig import World

pytestmark = [pytest.mark.real, pytest.mark.parametrize("version", VERSIONS, scope="module")]

PLACES = 200
RECOVERED = re.compile(r"\[neo4j/.*first:(\d+), last:(\d+)")
"""What every version writes into its debug.log when it has recovered a database."""


@dataclass(frozen=True)
class LogFile:
    """One log file as the server left it."""

    header: LogHeader
    data: bytes
    scan: Scan

    @property
    def whole(self) -> bytes:
        """Its bytes without what is behind the last transaction."""
        return self.data[: self.scan.end]


@dataclass(frozen=True)
class Killed:
    """The logs of a server that was killed at work, and its checkpoint file."""

    logs: list[LogFile]
    checkpoint: bytes

    @property
    def longest(self) -> LogFile:
        """The file with the most transactions."""
        return max(self.logs, key=lambda log: len(log.scan.ends))


def read_log(directory: Path, version: int, previous_checksum: int | None = None) -> LogFile | None:
    data = (directory / log_name(version)).read_bytes()
    header = parse_header(data[:LARGEST], log_name(version))
    if header is None:
        return None  # The server made the file a moment ago.
    return LogFile(header, data, scan_log(reader(data), header, previous_checksum=previous_checksum))


def read_logs(directory: Path) -> list[LogFile]:
    logs: list[LogFile] = []
    for version in log_versions(directory):
        log = read_log(directory, version, logs[-1].scan.last_checksum if logs else None)
        if log is not None:
            logs.append(log)
    return logs


def wait_for_transactions(directory: Path, count: int) -> None:
    """Wait until the newest log file, which is never pruned, holds some transactions."""
    while (log := read_log(directory, log_versions(directory)[-1])) is None or len(log.scan.ends) < count:
        time.sleep(0.05)


@pytest.fixture(scope="module")
def world(worlds: Worlds, version: str) -> World:
    return worlds.of(version)


@pytest.fixture(scope="module")
def killed(world: World) -> Killed:
    with world.under_load():
        directory = world.source.database("neo4j").log_directory
        wait_for_transactions(directory, 100)
        world.server.kill()
    newest = directory / checkpoint_name(checkpoint_versions(directory)[-1])
    return Killed(read_logs(directory), newest.read_bytes())


def test_the_files_of_a_log_follow_on_one_another(killed: Killed) -> None:
    for before, after in zip(killed.logs, killed.logs[1:], strict=False):
        assert (before.scan.tail, before.scan.end) == (Tail.END_OF_FILE, len(before.data))
        assert after.header.last_transaction == before.scan.last_transaction
    assert killed.logs[-1].scan.tail is not Tail.DAMAGED
    assert len(killed.longest.scan.ends) >= 100


def test_checkpoints_and_the_log_agree_on_places_and_commit_times(killed: Killed) -> None:
    times = {
        log.scan.first_transaction + at: time for log in killed.logs for at, time in enumerate(log.scan.commit_times)
    }
    header = parse_header(killed.checkpoint[:LARGEST], "checkpoint")
    assert header is not None
    newest = parse_checkpoints(killed.checkpoint, header, "checkpoint")[-1]
    (log,) = [log for log in killed.logs if log.header.version == newest.position.version]
    assert log.scan.is_boundary(newest.position.offset)
    if newest.transaction is not None:
        # The record names the last committed transaction; others may be committed behind the position meanwhile.
        before = sum(end <= newest.position.offset for end in log.scan.ends)
        assert newest.transaction >= log.header.last_transaction + before
        assert times.get(newest.transaction, newest.commit_time) == newest.commit_time


def test_a_real_log_cut_anywhere_ends_with_the_last_whole_transaction(killed: Killed) -> None:
    log, chance = killed.longest, random.Random(1)
    for cut in [chance.randrange(log.header.size, len(log.whole)) for _ in range(PLACES)]:
        expected = [end for end in log.scan.ends if end <= cut]
        at_boundary = cut == (expected[-1] if expected else log.header.size)
        result = scan_log(reader(log.whole[:cut]), log.header)
        assert list(result.ends) == expected
        assert result.tail is (Tail.END_OF_FILE if at_boundary else Tail.TORN)
        zeros = scan_log(reader(log.whole[:cut] + bytes(5000)), log.header)
        # Zeros that were cut off may be made up for by those behind the cut.
        assert list(zeros.ends[: len(expected)]) == expected
        assert zeros.tail is (Tail.TORN if any(log.whole[zeros.end : cut]) else Tail.ZEROS)


def test_a_bit_flipped_anywhere_in_a_real_log_is_damage_and_what_is_before_it_is_good(killed: Killed) -> None:
    log, chance = killed.longest, random.Random(2)
    for at in [chance.randrange(log.header.size, len(log.whole)) for _ in range(PLACES)]:
        data = flipped(log.whole, at, 1 << chance.randrange(8))
        result = scan_log(reader(data), log.header)
        assert list(result.ends) == [end for end in log.scan.ends if end <= at]
        assert data[result.end] == 0 or str(result.end) in result.reason
        if len(log.scan.ends) - len(result.ends) > 3:
            assert result.tail is (Tail.DAMAGED if data[result.end] else Tail.ZEROS)
        else:
            assert result.tail is not Tail.END_OF_FILE


def test_a_page_lost_anywhere_in_a_real_log_is_damage_and_what_is_before_it_is_good(killed: Killed) -> None:
    log = killed.longest
    for page in range(4096, len(log.whole) - 3 * 4096, 4096):
        data = log.whole[:page] + bytes(4096) + log.whole[page + 4096 :]
        result = scan_log(reader(data), log.header)
        lost = next(at for at in range(page, len(data)) if data[at] != log.whole[at])
        assert list(result.ends) == [end for end in log.scan.ends if end <= lost]
        assert result.tail is (Tail.DAMAGED if data[result.end] else Tail.ZEROS)


def test_a_bit_flipped_in_a_real_checkpoint_file_leaves_the_records_before_it(killed: Killed) -> None:
    header = parse_header(killed.checkpoint[:LARGEST], "checkpoint")
    assert header is not None
    records = parse_checkpoints(killed.checkpoint, header, "checkpoint")
    chance = random.Random(3)
    for at in [chance.randrange(header.size, records[-1].end) for _ in range(PLACES)]:
        try:
            found = parse_checkpoints(flipped(killed.checkpoint, at, 1 << chance.randrange(8)), header, "checkpoint")
        except SourceError:
            assert at in (header.size, *(record.end for record in records))
            continue
        assert found == tuple(record for record in records if record.end <= at)


def test_a_server_that_recovers_finds_the_same_last_transaction(world: World, killed: Killed) -> None:
    log = world.server.home / "logs" / "debug.log"
    before = len(RECOVERED.findall(log.read_text(encoding="utf-8")))
    world.server.start()
    recovered = RECOVERED.findall(log.read_text(encoding="utf-8"))
    assert len(recovered) == before + 1
    first, last = (int(number) for number in recovered[-1])
    assert last == killed.logs[-1].scan.last_transaction
    assert killed.logs[0].scan.first_transaction <= first <= last
