"""Archives that are damaged, or of stores that are none of ours, become no backups."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.artifacts import (
    BAD,
    MAGICS,
    artifact,
    bad_archives,
    files_of,
    restored,
    spoiled,
    whole,
    write,
)
from helpers.backups import check, expected, labels, new_repository
from helpers.database import Synthetic, make_database
from helpers.properties import examples
from neokeep import api
from neokeep.errors import IntegrityError, NeokeepError, SourceError


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return bad_archives(make_database(tmp_path_factory.mktemp("bad")))


@pytest.mark.slow
@pytest.mark.parametrize("what", BAD)
def test_a_bad_archive_leaves_no_backup_and_says_what_to_do(tmp_path: Path, bad: dict[str, bytes], what: str) -> None:
    repository, storage = new_repository()
    path = write(tmp_path / "neo4j.dump", bad[what])
    with pytest.raises((IntegrityError, SourceError)) as refused:
        api.ingest(path, repository, scratch=tmp_path)
    assert refused.value.remedy
    assert "neokeep-ingest" not in refused.value.message
    assert not labels(repository)
    assert not list(storage.list("writers"))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("files", "words"), [({"block.x": b"x"}, "format block"), ({"migrate/x": b""}, "migration")])
def test_a_store_that_is_none_of_ours_is_refused(
    tmp_path: Path, made: Synthetic, files: dict[str, bytes], words: str
) -> None:
    repository, _ = new_repository()
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", files | files_of(made)))
    with pytest.raises(SourceError, match=words):
        api.ingest(path, repository)
    assert not labels(repository)


@examples(40)
@given(data=st.data(), magic=st.sampled_from(MAGICS))
def test_whatever_is_wrong_with_the_bytes_there_is_no_backup_or_a_whole_one(
    made: Synthetic, data: st.DataObject, magic: str
) -> None:
    archive = spoiled(data, whole(made, magic))
    repository, _ = new_repository()
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "neo4j.dump", archive)
        try:
            (backup,) = api.ingest(path, repository, ingested_as="neo4j").backups
        except NeokeepError:
            assert not labels(repository)
        else:
            assert check(repository).ok
            # A plain tar has no checksum over its files; all that was verified is the log.
            found = restored(repository, backup.label, Path(folder) / "home")
            assert magic.startswith("BT") or found == expected(made)


def test_what_no_database_could_be_packed_to_is_given_up(
    tmp_path: Path, made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neokeep.artifact.intake._BELIEVED", 1024 * 1024)
    monkeypatch.setattr("neokeep.artifact.intake._BEST_RATIO", 100)
    repository, _ = new_repository()
    files = files_of(made) | {"neostore.propertystore.db.arrays": bytes(60 * 1024 * 1024)}
    with pytest.raises(IntegrityError, match="no database does"):
        api.ingest(write(tmp_path / "neo4j.dump", artifact("DZV1", files)), repository)
    assert not labels(repository)
