"""`neokeep lab compare-recovery`: what it says, and how it ends when the engines differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import neokeep.lab.compare_recovery
from neokeep.lab.recovery_report import ComparedWorkload, RecoveryComparison

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran

    Run = Callable[..., Ran]

FINDING = "neostore.nodestore.db 7: 01 / not in use"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Have the second of the workloads differ."""
    made: list[tuple[Any, ...]] = []

    def compare(version: str, workloads: int, _say: object, *, seed: int | None) -> RecoveryComparison:
        made.append((version, workloads, seed))
        compared = tuple(
            ComparedWorkload(
                seed=(seed or 5) + number,
                checkpoints_inside=3,
                records_in_use=8000,
                transactions_undone=31,
                findings=(FINDING,) if number == 1 else (),
                seconds=1.5,
            )
            for number in range(workloads)
        )
        same = not any(workload.findings for workload in compared)
        return RecoveryComparison(
            version=version, same=same, workloads=compared, directory=None if same else "/tmp/compared"
        )

    monkeypatch.setattr(neokeep.lab.compare_recovery, "compare_recovery", compare)
    return made


def test_a_version_without_findings_ends_well(run: Run, calls: list[tuple[Any, ...]]) -> None:
    ran = run("lab compare-recovery 5.26.30 --workloads 1 --seed 40")
    assert ran.status == 0
    assert ran.out == "workload 40: 8000 records in use, 3 checkpoints inside the copy, no findings\n"
    assert calls == [("5.26.30", 1, 40)]


def test_what_differs_is_told_and_ends_as_damage(run: Run, calls: list[tuple[Any, ...]]) -> None:
    ran = run("lab compare-recovery 5.26.30")
    assert ran.status == 16
    assert f"  {FINDING}\n" in ran.out
    assert "native recovery differs from that of Neo4j 5.26.30" in ran.err
    assert "/tmp/compared" in ran.err
    assert calls == [("5.26.30", 3, None)]


def test_programs_get_the_whole_report_with_the_error(run: Run, calls: list[tuple[Any, ...]]) -> None:
    report = json.loads(run("lab compare-recovery 5.26.30 --workloads 2 --output json").out)
    assert report["same"] is False
    assert [workload["findings"] for workload in report["workloads"]] == [[], [FINDING]]
    assert report["error"]["kind"] == "integrity"
    assert len(calls) == 1
