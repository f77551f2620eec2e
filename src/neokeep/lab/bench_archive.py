"""What incremental backups and continuous archiving cost, and how far the archive is behind a server at work."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from neokeep import api
from neokeep.lab.bolt import connected
from neokeep.lab.home import create_home
from neokeep.lab.measure import neokeep, print_table, size_of
from neokeep.repository.chains import chain_of
from neokeep.repository.manifest import Manifest
from neokeep.units import format_size

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from neokeep.repository.repository import Repository

RUNS = 3
TRANSACTIONS = 1_000
RATE = 540
"""Transactions per second that are asked for; a few less come, and the aim is for 500."""
SECONDS = 30
_SAMPLE_SECONDS = 0.1
_WRITERS = 8
SMALL = "CREATE (:Event {number: $number, text: 'a small transaction of a service that keeps events'})"


def incremental(large: Server, folder: Path) -> None:
    """Archive 1,000 small transactions by an incremental backup, from a large store and from an empty one."""
    empty = create_home(folder / "empty", large.distribution.version, {}, lambda _: None)
    rows = {}
    for name, server in (("large store", large), ("empty store", empty)):
        repository = folder / f"incremental-{name.split()[0]}"
        api.init(repository)
        server.start(timeout=600)
        try:
            command = ("backup", *_of(server, repository))
            _write(server.bolt_uri, 1)
            neokeep(*command, "--type", "full")
            runs, stored = [], 0
            for _ in range(RUNS):
                _write(server.bolt_uri, TRANSACTIONS)
                before = size_of(repository)
                runs.append(neokeep(*command, "--type", "incremental"))
                stored = size_of(repository) - before
        finally:
            server.stop()
        rows[name] = (runs, f"{TRANSACTIONS} transactions, {format_size(stored)} stored")
    print_table("incremental backup", rows)
    print()


def recovery_point(version: str, folder: Path) -> None:
    """Follow a server that commits at a steady rate; compare what it acknowledged with what the repository holds."""
    server = create_home(folder / "archived", version, {}, lambda _: None)
    repository = api.init(folder / "archive")
    server.start(timeout=600)
    try:
        _write(server.bolt_uri, 1)
        archiver = subprocess.Popen(
            [sys.executable, "-m", "neokeep", "archive", "--quiet", *_of(server, folder / "archive")]
        )
        try:
            base = _base(repository)
            behind, rate = _behind(server.bolt_uri, repository, base)
        finally:
            archiver.terminate()
            archiver.wait()
    finally:
        server.stop()
    print(f"continuous archiving, {rate:.0f} transactions per second, {SECONDS} s")
    print(f"  behind the server, median  {statistics.median(behind):6.2f} s")
    print(f"  behind the server, longest {max(behind):6.2f} s\n", flush=True)


def _of(server: Server, repository: Path) -> list[str]:
    return ["neo4j", "--home", str(server.home), "--repo", str(repository), "--source", "bench"]


def _write(uri: str, count: int) -> None:
    with connected(uri) as session:
        for number in range(count):
            session.run(SMALL, number=number)


def _base(repository: Repository) -> Manifest:
    """Wait for the archiver's full backup."""
    while True:
        for manifest in repository.manifests():
            if isinstance(manifest, Manifest):
                return manifest
        time.sleep(_SAMPLE_SECONDS)


class _Acknowledged:
    """When each transaction was acknowledged, in the order of their ids: every one is a commit of these writers."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    def write(self, uri: str) -> None:
        """Commit at a part of the rate until told to stop; what could not be kept up with is left out."""
        with connected(uri) as session:
            due = time.monotonic()
            while not self.stopping.is_set():
                session.run(SMALL, number=0)
                with self.lock:
                    self.times.append(time.monotonic())
                due = max(due + _WRITERS / RATE, time.monotonic() - 1)
                self.stopping.wait(max(0.0, due - time.monotonic()))


def _behind(uri: str, repository: Repository, base: Manifest) -> tuple[list[float], float]:
    """Sample how old the oldest acknowledged transaction is that the repository does not hold."""
    acknowledged = _Acknowledged()
    begin = chain_of(repository, base).last_transaction
    threads = [threading.Thread(target=acknowledged.write, args=(uri,)) for _ in range(_WRITERS)]
    for thread in threads:
        thread.start()
    samples: list[float] = []
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        time.sleep(_SAMPLE_SECONDS)
        held = chain_of(repository, base).last_transaction - begin
        now = time.monotonic()
        waiting = acknowledged.times[held:]
        samples.append(now - waiting[0] if waiting else 0.0)
    acknowledged.stopping.set()
    for thread in threads:
        thread.join()
    return samples, len(acknowledged.times) / (time.monotonic() - began)
