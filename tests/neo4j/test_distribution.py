from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import SourceError
from neokeep.neo4j import distribution, packages
from neokeep.neo4j.distribution import Distribution

if TYPE_CHECKING:
    from pathlib import Path


def make_lib(lib: Path, version: str, server_class: str = "org.neo4j.server.Neo4jCommunity") -> Path:
    lib.mkdir(parents=True)
    (lib / f"neo4j-kernel-{version}.jar").touch()
    (lib / f"neo4j-kernel-api-{version}.jar").touch()
    with zipfile.ZipFile(lib / f"neo4j-{version}.jar", "w") as jar:
        jar.writestr(distribution.ENTRY_POINT, server_class + "\n")
    return lib


def make_java(home: Path, version: str, modules: str = "java.base") -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return program


@pytest.fixture
def java_17(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    return make_java(tmp_path / "java", "17.0.1")


def test_a_home_with_its_own_lib_gives_its_version(tmp_path: Path, java_17: Path) -> None:
    lib = make_lib(tmp_path / "home" / "lib", "5.26.30")
    assert Distribution.of_home(tmp_path / "home") == Distribution("5.26.30", lib, java_17)


def test_a_lib_that_is_a_link_into_the_cache_is_followed(tmp_path: Path, java_17: Path) -> None:
    lib = make_lib(tmp_path / "cache" / "lib", "4.4.48")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "lib").symlink_to(lib)
    assert Distribution.of_home(tmp_path / "home").lib == lib


def test_a_home_of_a_system_package_uses_the_package_lib(
    tmp_path: Path, java_17: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "LIB", make_lib(tmp_path / "share" / "lib", "5.20.0"))
    (tmp_path / "home").mkdir()
    assert Distribution.of_home(tmp_path / "home").version == "5.20.0"


def test_java_starts_from_an_archive_of_classes_where_that_is_wanted(
    tmp_path: Path, java_17: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(distribution.ARCHIVES, "1")
    lib = make_lib(tmp_path / "cache" / "lib", "5.26.30")
    made = Distribution.of_lib(lib)
    assert not any("SharedArchiveFile" in word for word in made.command("Main"))
    made.class_archive.touch()
    command = made.command("Main", "argument", options=("-Xmx1g",))
    assert f"-XX:SharedArchiveFile={made.class_archive}" in command
    assert command.index("-Xmx1g") < command.index("-cp")
    jars = [str(lib / f"neo4j-{name}5.26.30.jar") for name in ("", "kernel-", "kernel-api-")]
    assert command[-3:] == [":".join(jars), "Main", "argument"]
    monkeypatch.delenv(distribution.ARCHIVES)
    assert made.command("Main")[-2:] == [f"{lib}/*", "Main"]


def test_another_java_starts_from_no_archive_of_this_one(tmp_path: Path, java_17: Path) -> None:
    made = Distribution.of_lib(make_lib(tmp_path / "cache" / "lib", "5.26.30"))
    archive = made.class_archive
    other = make_java(tmp_path / "other", "21.0.1")
    os.utime(other, (1, 1))
    assert Distribution("5.26.30", made.lib, other).class_archive != archive


def test_a_directory_without_neo4j_is_refused_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "LIB", tmp_path / "absent")
    with pytest.raises(SourceError, match="no Neo4j is installed") as caught:
        Distribution.of_home(tmp_path)
    assert caught.value.remedy


def test_jars_of_two_versions_in_one_folder_are_refused(tmp_path: Path) -> None:
    lib = make_lib(tmp_path / "lib", "5.26.30")
    (lib / "neo4j-kernel-5.26.1.jar").touch()
    with pytest.raises(SourceError, match="jars of 2 versions"):
        distribution.version_of(lib)


def test_the_server_class_is_the_one_that_the_jar_names(tmp_path: Path) -> None:
    lib = make_lib(tmp_path / "lib", "2026.08.1", "org.example.Server")
    assert Distribution("2026.08.1", lib, tmp_path / "java").server_class == "org.example.Server"


def test_without_a_name_in_the_jar_the_old_server_class_is_used(tmp_path: Path) -> None:
    assert Distribution("3.5.34", tmp_path, tmp_path).server_class == "org.neo4j.server.CommunityEntryPoint"


def test_the_admin_class_changed_with_4_0(tmp_path: Path) -> None:
    assert Distribution("3.5.34", tmp_path, tmp_path).admin_class == "org.neo4j.commandline.admin.AdminTool"
    assert Distribution("4.0.0", tmp_path, tmp_path).admin_class == "org.neo4j.cli.AdminTool"


def test_java_options_follow_both_versions(tmp_path: Path) -> None:
    old = make_java(tmp_path / "17", "17.0.1")
    new = make_java(tmp_path / "25", "25.0.3", "java.base jdk.incubator.vector")
    small = make_java(tmp_path / "25-small", "25.0.3", "java.base")
    vector = "--add-modules=jdk.incubator.vector"
    native = "--enable-native-access=ALL-UNNAMED"
    assert "--add-opens=java.base/java.nio=ALL-UNNAMED" in Distribution("4.4.48", tmp_path, old).java_options
    assert native not in Distribution("5.26.30", tmp_path, old).java_options
    assert {native, vector} <= set(Distribution("2026.08.1", tmp_path, new).java_options)
    assert vector not in Distribution("2026.08.1", tmp_path, small).java_options
