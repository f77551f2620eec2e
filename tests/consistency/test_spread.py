"""The parts of a proof done by a cluster on this machine: the same outcome, and clear errors where it cannot be."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from distributed import LocalCluster

from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS
from helpers.flipped import FlippedPages
from helpers.small_store import unpack
from neokeep.consistency.proof import plan, spread
from neokeep.consistency.run import check_store
from neokeep.errors import ConfigurationError, SourceError, UnreachableError, UsageError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.consistency.run import Checked
    from neokeep.neo4j.store.pages import StorePages

PAGE = 8192


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as made:
        yield made.scheduler_address


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return unpack(tmp_path / "store")


def check(pages: StorePages, scheduler: str | None) -> Checked:
    return check_store(pages, aligned=True, derived=False, progress=Silent(), scheduler=scheduler)


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, "a chain is cut"])
def test_a_cluster_finds_the_same(
    cluster: str, directory: Path, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "BYTES_AT_ONCE", PAGE)
    with DirectoryPages(directory) as pages:
        if name is not None:
            breaker = Breaker(pages)
            next(one for one in BREAKINGS if one.name == name).apply(breaker)
            breaker.write(directory)
        alone, together = check(pages, None), check(pages, cluster)
    assert together == alone
    assert bool(together.findings.counts) == (name is not None)


@pytest.mark.slow
def test_a_store_that_changed_under_the_workers_is_told(
    cluster: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = spread.shared

    def describe_and_change(pages: StorePages, *, aligned: bool) -> spread.Shared:
        described = describe(pages, aligned=aligned)
        os.utime(directory / FILES[Store.NODE], (1, 1))
        return described

    monkeypatch.setattr(spread, "shared", describe_and_change)
    with DirectoryPages(directory) as pages, pytest.raises(SourceError, match="same files"):
        check(pages, cluster)


@pytest.mark.slow
def test_another_version_at_the_workers_is_told(cluster: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread.Shared.__init__, "__defaults__", ("0.0.1",))
    with DirectoryPages(directory) as pages, pytest.raises(ConfigurationError, match=r"and this is 0\.0\.1"):
        check(pages, cluster)


@pytest.mark.slow
def test_a_scheduler_without_workers_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "SECONDS_TO_CONNECT", 1)
    with (
        LocalCluster(n_workers=0, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty,
        DirectoryPages(directory) as pages,
        pytest.raises(UnreachableError, match="no workers"),
    ):
        check(pages, empty.scheduler_address)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "nonsense://there", "127.0.0.1:{port}"])
def test_a_scheduler_that_does_not_answer_is_told(
    directory: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "SECONDS_TO_CONNECT", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        where = address.format(port=taken.getsockname()[1])
        with DirectoryPages(directory) as pages, pytest.raises(UnreachableError, match="does not answer"):
            check(pages, where)


def test_the_missing_extra_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with DirectoryPages(directory) as pages, pytest.raises(ConfigurationError, match="distributed") as told:
        check(pages, "tcp://127.0.0.1:1")
    assert "neokeep[distributed]" in told.value.remedy


def test_what_workers_cannot_read_is_refused(directory: Path) -> None:
    with DirectoryPages(directory) as pages, pytest.raises(UsageError, match="stopped in order"):
        check(FlippedPages(pages), "tcp://127.0.0.1:1")
    with (
        DirectoryPages(directory, bring=lambda *_: None) as pages,
        pytest.raises(UsageError, match="stopped in order"),
    ):
        check(pages, "tcp://127.0.0.1:1")
