"""Finding a server by its home, in the layouts it is installed in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from neokeep.errors import AccessError, SourceError
from neokeep.neo4j import locks, packages
from neokeep.neo4j.source import Source, find_source
from neokeep.neo4j.versions import Neo4jVersion

DATA = Path(__file__).parent / "store" / "data"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NEO4J_HOME", "NEO4J_CONF"):
        monkeypatch.delenv(variable, raising=False)


def add_database(databases: Path, name: str, version: str = "5.26.30") -> None:
    (databases / name).mkdir(parents=True)
    shutil.copy(DATA / f"neostore-{version}", databases / name / "neostore")


def add_jars(lib: Path, *names: str) -> None:
    lib.mkdir(parents=True, exist_ok=True)
    for name in names:
        (lib / name).touch()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "neo4j-community-5.26.30"
    (home / "conf").mkdir(parents=True)
    (home / "conf/neo4j.conf").write_text("initial.dbms.default_database=shop\n")
    for name in ("system", "shop", "archive"):
        add_database(home / "data/databases", name)
    add_jars(home / "lib", "neo4j-kernel-5.26.30.jar", "neo4j-kernel-api-5.26.30.jar")
    return home


def names(found: Source) -> list[str]:
    return [database.name for database in found.databases()]


def test_the_home_of_an_unpacked_archive(home: Path) -> None:
    found = find_source(home)
    assert found.name.endswith(f":{home}")
    assert found.configuration == home / "conf/neo4j.conf"
    assert found.lib_directory == home / "lib"
    assert (found.version, found.edition) == (Neo4jVersion(5, 26, 30), "community")
    assert found.default_database == "shop"
    assert names(found) == ["archive", "shop", "system"]


def test_a_name_replaces_host_and_home(home: Path) -> None:
    assert find_source(str(home), name="production").name == "production"


def test_a_relative_home_is_made_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.parent)
    assert find_source(home.name).home == home


def test_enterprise_edition_is_told_by_its_jars(home: Path) -> None:
    add_jars(home / "lib", "neo4j-enterprise-kernel-5.26.30.jar")
    assert find_source(home).edition == "enterprise"


def test_a_database_knows_its_directories_and_its_store(home: Path) -> None:
    database = find_source(home).database("Shop")
    assert database.store_directory == home / "data/databases/shop"
    assert database.log_directory == home / "data/transactions/shop"
    assert database.store_format() == "aligned"
    assert str(database.store_id()).startswith("record-aligned-1.1-")


def test_an_unknown_database_is_refused_with_the_names_that_there_are(home: Path) -> None:
    with pytest.raises(SourceError, match="no database 'neo4j'") as caught:
        find_source(home).database("neo4j")
    assert "archive, shop, system" in caught.value.remedy


def test_the_place_of_a_database_to_be_created_is_known(home: Path) -> None:
    assert find_source(home).place_of("New").store_directory == home / "data/databases/new"


def test_directories_that_hold_no_database_are_not_listed(home: Path) -> None:
    (home / "data/databases/empty").mkdir()
    add_database(home / "data/databases", ".neokeep-restore-1")
    (home / "data/databases/store_lock").touch()
    assert names(find_source(home)) == ["archive", "shop", "system"]


def test_a_block_store_is_listed_but_its_store_id_is_refused(home: Path) -> None:
    (home / "data/databases/big").mkdir()
    (home / "data/databases/big/block.x1.db").touch()
    database = find_source(home).database("big")
    with pytest.raises(SourceError, match="format block"):
        database.store_id()


def test_a_symbolic_link_to_a_database_is_followed(home: Path, tmp_path: Path) -> None:
    add_database(tmp_path / "disk2", "moved")
    (home / "data/databases/moved").symlink_to(tmp_path / "disk2/moved")
    assert find_source(home).database("moved").store_format() == "aligned"


def test_a_fresh_home_without_data_has_no_databases(home: Path) -> None:
    shutil.rmtree(home / "data")
    assert find_source(home).databases() == ()


def test_the_package_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, conf, lib = tmp_path / "var/lib/neo4j", tmp_path / "etc/neo4j", tmp_path / "usr/share/neo4j/lib"
    monkeypatch.setattr(packages, "HOME", home)
    monkeypatch.setattr(packages, "CONFIGURATION", conf)
    monkeypatch.setattr(packages, "LIB", lib)
    add_database(home / "data/databases", "neo4j", "4.4.48")
    add_jars(lib, "neo4j-kernel-4.4.48.jar")
    conf.mkdir(parents=True)
    (conf / "neo4j.conf").write_text(f"dbms.directories.data={home / 'data'}\n")
    found = find_source(home)
    assert (found.configuration, found.lib_directory) == (conf / "neo4j.conf", lib)
    assert found.version == Neo4jVersion(4, 4, 48)
    assert found.database("neo4j").store_id().version == "AF4.3.0"


def test_a_docker_volume_has_data_but_neither_version_nor_configuration(tmp_path: Path) -> None:
    add_database(tmp_path / "data/databases", "neo4j", "2026.08.1")
    found = find_source(tmp_path / "data")
    assert (found.configuration, found.lib_directory, found.version, found.edition) == (None, None, None, "unknown")
    database = found.database("neo4j")
    assert database.store_directory == tmp_path / "data/databases/neo4j"
    assert database.log_directory == tmp_path / "data/transactions/neo4j"


def test_a_docker_volume_may_come_with_a_configuration(tmp_path: Path) -> None:
    add_database(tmp_path / "data/databases", "neo4j")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/neo4j.conf").write_text("initial.dbms.default_database=shop\n")
    found = find_source(tmp_path / "data", tmp_path / "conf")
    assert found.default_database == "shop"
    assert names(found) == ["neo4j"]


def test_the_parent_of_a_docker_volume_is_a_home_too(tmp_path: Path) -> None:
    add_database(tmp_path / "data/databases", "neo4j")
    assert names(find_source(tmp_path)) == ["neo4j"]


def test_the_configuration_directory_can_be_given(home: Path, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/neo4j.conf").write_text(f"server.directories.data={tmp_path}/elsewhere\n")
    assert find_source(home, tmp_path / "conf").data_directory == tmp_path / "elsewhere"


def test_a_given_configuration_directory_without_a_file_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no neo4j\.conf"):
        find_source(home, tmp_path / "absent")


def test_neo4j_conf_in_the_environment_counts_unless_it_is_another_servers(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/neo4j.conf").write_text("")
    monkeypatch.setenv("NEO4J_CONF", str(tmp_path / "conf"))
    assert find_source(home).configuration == tmp_path / "conf/neo4j.conf"
    monkeypatch.setenv("NEO4J_HOME", str(home))
    assert find_source(home).configuration == tmp_path / "conf/neo4j.conf"
    monkeypatch.setenv("NEO4J_HOME", "/opt/another")
    assert find_source(home).configuration == home / "conf/neo4j.conf"


def test_what_is_no_home_is_refused_and_says_what_was_looked_for(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SourceError, match=r"no home .* conf/neo4j\.conf, data/databases") as caught:
            find_source(path)
        assert caught.value.remedy


def test_a_directory_that_may_not_be_read_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_source(home)

    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(AccessError, match="data/databases"):
        found.databases()


def test_locks_of_the_server_and_of_one_database_are_told_apart(home: Path) -> None:
    found = find_source(home)
    database = found.database("shop")
    with locks.hold(database.lock_path):
        assert database.lock().held
        assert not found.lock().held
        assert not found.database("archive").lock().held
    assert not database.lock().held
