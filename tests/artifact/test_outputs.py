"""Writing an archive to a file: durable before it has its name, and its name durable before it is told."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from helpers.calls import recorded
from neokeep.artifact import outputs
from neokeep.artifact.outputs import Destination, created
from neokeep.errors import UsageError

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


@pytest.mark.parametrize("can_rename", [True, False])
def test_a_file_that_came_under_its_name_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_rename: bool
) -> None:
    path = tmp_path / "neo4j.dump"

    def write() -> None:
        with created(Destination(path, overwrite=False), 100) as output:
            output.write(b"archive")
            path.write_bytes(b"of somebody else")

    if not can_rename:
        monkeypatch.setattr(outputs, "rename_new", _not_here)
    with pytest.raises(UsageError, match="exists already"):
        write()
    assert path.read_bytes() == b"of somebody else"
    assert list(tmp_path.iterdir()) == [path]


def test_where_a_name_cannot_be_taken_by_renaming_it_is_taken_by_linking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "neo4j.dump"
    monkeypatch.setattr(outputs, "rename_new", _not_here)
    with created(Destination(path, overwrite=False), 100) as output:
        output.write(b"archive")
    assert path.read_bytes() == b"archive"
    assert list(tmp_path.iterdir()) == [path]


def _not_here(_old: Path, _new: Path) -> None:
    raise OSError(errno.EINVAL, "this file system cannot")
