"""A store that holds a graph several times over is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.small_store import unpack
from neokeep.consistency.codes import Code
from neokeep.consistency.run import Checked, check_store
from neokeep.lab.copied_store import copy_store
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path


def check(directory: Path) -> Checked:
    with DirectoryPages(directory) as pages:
        return check_store(pages, aligned=True, derived=False, progress=Silent())


def test_a_graph_is_there_several_times(tmp_path: Path) -> None:
    source = unpack(tmp_path / "source")
    (source / "neostore").write_bytes(b"")
    target = tmp_path / "target"
    target.mkdir()
    copy_store(source, target, 3)
    once, copied = check(source), check(target)
    # Values that have to be unique are there several times.
    assert {one.code for one in copied.findings.kept} <= {Code.CONSTRAINT_UNIQUE}
    assert (copied.nodes, copied.relationships) == (3 * once.nodes, 3 * once.relationships)
