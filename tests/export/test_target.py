"""What is durable when, while an export gets its names: a manifest that is there after a power loss tells the truth."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neokeep.export.target import MANIFEST, UNFINISHED, new_target


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is synced, and what gets which name, in order, while a directory `out` with two tables is finished."""
    taken: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(descriptor: int) -> None:
        taken.append(("sync", str(Path(os.readlink(f"/proc/self/fd/{descriptor}")).relative_to(tmp_path))))
        fsync(descriptor)

    def watched_rename(path: Path, target: Path) -> Path:
        taken.append(("name", str(Path(target).relative_to(tmp_path))))
        return rename(path, target)

    with new_target(tmp_path / "out") as target:
        (target.stage / "nodes").mkdir()
        (target.stage / "nodes" / "Person.parquet").write_bytes(b"rows")
        (target.stage / "schema.cypher").write_bytes(b"")
        monkeypatch.setattr(os, "fsync", watched_fsync)
        monkeypatch.setattr(Path, "rename", watched_rename)
        target.finish(b"{}")
    return taken


def test_everything_is_durable_before_it_gets_its_place(steps: list[tuple[str, str]]) -> None:
    first = next(number for number, (what, _) in enumerate(steps) if what == "name")
    stage = f"out/{UNFINISHED}"
    wanted = {stage, f"{stage}/nodes", f"{stage}/nodes/Person.parquet", f"{stage}/schema.cypher"}
    assert {path for what, path in steps[:first] if what == "sync"} == wanted


def test_the_manifest_gets_its_name_when_all_else_has_one_for_good(steps: list[tuple[str, str]]) -> None:
    named = steps.index(("name", f"out/{MANIFEST}"))
    before = steps[:named]
    last = max(number for number, (what, _) in enumerate(before) if what == "name")
    assert ("sync", "out") in before[last:]
    assert ("sync", f"out/.{MANIFEST}.part") in before[last:]
    assert ("sync", "out") in steps[named:]
