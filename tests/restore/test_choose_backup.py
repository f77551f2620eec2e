"""Which backup is restored, and into which servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from helpers.manifests import full_manifest
from neokeep.errors import RepositoryError, SourceError, UsageError
from neokeep.neo4j.versions import Neo4jVersion
from neokeep.repository.manifest import LogPoint, Manifest, SourceRecord
from neokeep.restore.plan import choose_source, require_database, require_openable

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)


def backup(label: str, database: str = "neo4j", source: str = "prod", hours: int = 0, kernel: int = 20) -> Manifest:
    return full_manifest(
        label,
        source=SourceRecord(name=source, host="h", home=f"/{source}", edition="community", running=True),
        database=database,
        kernel_version=kernel,
        started_at=BEGIN,
        finished_at=BEGIN + timedelta(hours=hours),
        end=LogPoint(version=0, offset=0),
    )


BACKUPS = [
    backup("a", hours=1),
    backup("b", hours=3),
    backup("c", hours=2),
    backup("d", database="shop", hours=9),
    backup("e", source="test", hours=9),
]


def chosen(
    database: str, from_source: str | None = None, home: str = "/x", backups: list[Manifest] | None = None
) -> list[str]:
    manifests = BACKUPS if backups is None else backups
    return [item.label for item in choose_source(manifests, database, from_source=from_source, home=home)]


def test_all_backups_of_the_database_are_chosen_where_one_source_has_it() -> None:
    assert chosen("shop") == ["d"]
    assert chosen("neo4j", backups=BACKUPS[:4]) == ["a", "b", "c"]


def test_of_several_sources_the_one_whose_home_is_the_target_is_chosen() -> None:
    assert chosen("neo4j", home="/prod") == ["a", "b", "c"]
    assert chosen("neo4j", home="/test") == ["e"]


def test_of_several_sources_none_is_guessed() -> None:
    with pytest.raises(UsageError, match="several sources have backups of neo4j: prod, test") as failure:
        chosen("neo4j")
    assert "--from-source" in failure.value.remedy
    assert chosen("neo4j", from_source="test") == ["e"]


def test_a_source_of_which_only_incremental_backups_are_left_has_nothing_to_restore() -> None:
    left = [msgspec.structs.replace(item, type="incremental", base="gone") for item in BACKUPS[:3]]
    with pytest.raises(RepositoryError, match="there is no backup of a database 'neo4j'"):
        chosen("neo4j", backups=left)


def test_a_backup_by_its_label_has_to_be_of_the_database_and_the_source() -> None:
    require_database(BACKUPS[0], "neo4j", None)
    require_database(BACKUPS[4], "neo4j", "test")
    with pytest.raises(RepositoryError, match="backup d is of database shop of prod, not of neo4j"):
        require_database(BACKUPS[3], "neo4j", None)
    with pytest.raises(RepositoryError, match="backup a is of database neo4j of prod, not of neo4j of test"):
        require_database(BACKUPS[0], "neo4j", "test")


@pytest.mark.parametrize(("database", "source"), [("none", None), ("shop", "test")])
def test_where_there_is_none_the_databases_are_named(database: str, source: str | None) -> None:
    with pytest.raises(RepositoryError, match=f"there is no backup of a database '{database}'") as failure:
        chosen(database, from_source=source)
    assert "neo4j, shop" in failure.value.remedy
    with pytest.raises(RepositoryError) as failure:
        chosen("neo4j", backups=[])
    assert "nothing" in failure.value.remedy


@pytest.mark.parametrize(
    ("kernel", "server"),
    [
        (4, "4.4.0"), (4, "4.4.48"), (20, "5.25.0"), (20, "5.26.30"), (20, "2026.08.1"), (5, "5.0.0"), (16, "5.26.0"),
        (32, "2026.08.1"), (21, "2025.04.0"),
    ],
)  # fmt: skip
def test_servers_that_can_open_a_backup_are_accepted(kernel: int, server: str) -> None:
    require_openable(backup("a", kernel=kernel), kernel, Neo4jVersion.parse(server))


@pytest.mark.parametrize(
    ("kernel", "server"), [(20, "5.24.1"), (20, "4.4.48"), (32, "2026.07.0"), (32, "5.26.30"), (5, "4.4.48")]
)
def test_a_store_is_never_downgraded(kernel: int, server: str) -> None:
    with pytest.raises(SourceError, match=f"the target is {server}, which cannot open it") as failure:
        require_openable(backup("a", kernel=kernel), kernel, Neo4jVersion.parse(server))
    assert "never downgraded" in failure.value.remedy


@pytest.mark.parametrize("server", ["5.0.0", "5.26.30", "2026.08.1"])
def test_a_backup_of_4_needs_a_migration_and_the_way_is_named(server: str) -> None:
    with pytest.raises(SourceError, match="can neither recover nor open it") as failure:
        require_openable(backup("a", kernel=4), 4, Neo4jVersion.parse(server))
    assert "neo4j-admin database migrate" in failure.value.remedy


def test_where_the_server_is_not_known_nothing_is_refused() -> None:
    require_openable(backup("a", kernel=32), 32, None)


def test_the_program_that_wrote_a_backup_is_named_where_it_is_known() -> None:
    known = msgspec.structs.replace(backup("a", kernel=32), neo4j_version="2026.08.1")
    with pytest.raises(SourceError, match=r"was written by Neo4j 2026\.08\.1;"):
        require_openable(known, 32, Neo4jVersion.parse("5.26.30"))


def test_a_log_that_a_newer_program_went_on_with_needs_the_newer_one() -> None:
    known = msgspec.structs.replace(backup("a", kernel=20), neo4j_version="5.26.30")
    require_openable(known, 20, Neo4jVersion.parse("5.26.30"))
    require_openable(known, 32, Neo4jVersion.parse("2026.08.1"))
    with pytest.raises(SourceError, match=r"was written by Neo4j 2026\.08.* or newer; the target is 5\.26\.30"):
        require_openable(known, 32, Neo4jVersion.parse("5.26.30"))
