"""Processes of a cluster that are killed in the middle of a check: it is made by others, or ends with a clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from helpers.gated_work import BEGUN, GATE, deadly_work, gated_work
from helpers.small_store import unpack
from neokeep.consistency.proof import plan, spread
from neokeep.consistency.run import check_store
from neokeep.errors import UnreachableError
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from neokeep.consistency.run import Checked

pytestmark = pytest.mark.slow
PAGE, PATIENCE = 8192, 60


class Cluster:
    """A scheduler and workers, each a process of its own; `nanny` starts workers again that have ended."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._processes = folder, list[subprocess.Popen[bytes]]()
        self._file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(self._file))
        wait_until(self._file.exists)
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(self, nanny: str = "--no-nanny") -> None:
        more = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self._folder))
        self.workers.append(self._start("worker", "--scheduler-file", str(self._file), nanny, *more))

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self._file.read_text())["address"])

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _start(self, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "dask", kind, *arguments, "--host", "127.0.0.1"]
        with (self._folder / f"{kind}.log").open("ab") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        return self._processes[-1]


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    made = Cluster(folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plan, "BYTES_AT_ONCE", PAGE)
    monkeypatch.setattr(spread, "_LEAST_PARTS", 1)
    monkeypatch.setattr(spread, "work_on", gated_work)
    monkeypatch.setattr(spread, "SECONDS_TO_CONNECT", PATIENCE)
    return unpack(tmp_path / "store")


@contextmanager
def once_begun(directory: Path, act: Callable[[], None]) -> Iterator[None]:
    """Do something when a worker has begun; then let workers work."""

    def wait_and_act() -> None:
        wait_until((directory / BEGUN).exists)
        act()
        (directory / GATE).touch()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        (directory / BEGUN).touch()
        thread.join()


def check(directory: Path, scheduler: str | None) -> Checked:
    with DirectoryPages(directory) as pages:
        return check_store(pages, aligned=True, derived=False, progress=Silent(), scheduler=scheduler)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_what_a_killed_worker_had_to_do_is_done_by_another(cluster: Cluster, directory: Path) -> None:
    cluster.add_worker()
    cluster.add_worker()
    alone = check(directory, None)
    with once_begun(directory, lambda: kill(cluster.workers[0])):
        assert check(directory, cluster.address) == alone


def test_what_the_only_worker_had_to_do_is_done_by_one_that_comes_later(cluster: Cluster, directory: Path) -> None:
    cluster.add_worker()
    alone = check(directory, None)

    def replace() -> None:
        cluster.add_worker()
        kill(cluster.workers[0])

    with once_begun(directory, replace):
        assert check(directory, cluster.address) == alone


def test_a_cluster_whose_workers_all_died_is_told(
    cluster: Cluster, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "SECONDS_WITHOUT_WORKERS", 1)
    cluster.add_worker()
    with (
        once_begun(directory, lambda: kill(cluster.workers[0])),
        pytest.raises(UnreachableError, match="no workers any more"),
    ):
        check(directory, cluster.address)


def test_work_that_ends_each_worker_is_not_tried_forever(
    cluster: Cluster, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "work_on", deadly_work)
    cluster.add_worker("--nanny")
    with pytest.raises(UnreachableError, match="workers end"):
        check(directory, cluster.address)


def test_a_scheduler_that_died_is_told(cluster: Cluster, directory: Path) -> None:
    cluster.add_worker()
    with (
        once_begun(directory, lambda: kill(cluster.scheduler)),
        pytest.raises(UnreachableError, match="the scheduler went away"),
    ):
        check(directory, cluster.address)
