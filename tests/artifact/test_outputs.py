"""Writing an archive to a file: durable before it has its name, and its name durable before it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.calls import recorded
from neokeep.artifact.outputs import Destination, created

if TYPE_CHECKING:
    from pathlib import Path

NAMING = ("link", "rename", "replace", "renameat2")


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_archive_is_durable_before_it_has_its_name_and_the_name_in_the_end(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "neo4j.dump"
    if overwrite:
        path.write_bytes(b"an older one")
    with recorded() as calls, created(Destination(path, overwrite=overwrite), 100) as output:
        output.write(b"archive")
    assert path.read_bytes() == b"archive"
    named = [at for at, (name, _) in enumerate(calls) if name in NAMING]
    synced = [(at, where) for at, (name, where) in enumerate(calls) if name == "fsync"]
    assert [where for at, where in synced if at > max(named)] == [str(tmp_path)]
    assert [where for at, where in synced if at < min(named)] not in ([], [str(tmp_path)])


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with created(Destination(tmp_path / "neo4j.dump", overwrite=False), 100) as output:
            output.write(b"half")
            raise EOFError

    with pytest.raises(EOFError):
        fail()
    assert not list(tmp_path.iterdir())
