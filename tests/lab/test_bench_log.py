"""The logs that boundary scans are measured on: the same at each run, true to their version, and wholly read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from neokeep.lab.bench_log import KERNEL_VERSIONS, TRANSACTION_SIZES, boundary_scan, write_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kernel", KERNEL_VERSIONS)
def test_a_log_of_a_kind_is_the_same_whenever_it_is_made(tmp_path: Path, kernel: int) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert write_log(first, kernel, 600, 100_000) == write_log(second, kernel, 600, 100_000) == 167
    assert first.read_bytes() == second.read_bytes()


def test_every_kind_is_measured_and_nothing_is_left_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boundary_scan(tmp_path, size=40_000, runs=1)
    rows = capsys.readouterr().out.splitlines()[1:-1]
    assert [row.split(",")[0].strip() for row in rows] == [
        name for name in KERNEL_VERSIONS.values() for _ in TRANSACTION_SIZES
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_is_not_read_wholly_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neokeep.lab.bench_log.write_log", lambda path, *_: path.write_bytes(bytes(300)) * 0 + 1)
    with pytest.raises(AssertionError, match="0 were found"):
        boundary_scan(tmp_path, size=1000, runs=1)
