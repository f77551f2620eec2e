"""Where a server keeps its other files, by the names of 4.4 and of 5 and later, in every layout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from helpers.server_home import put
from neokeep.neo4j.configuration import read_configuration
from neokeep.server_files import listing
from neokeep.server_files.listing import Passed, list_files
from neokeep.server_files.places import find_places

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def found(home: Path, conf: Path | None = None) -> dict[str, Path]:
    """What is listed, by area and path."""
    return {f"{one.area}/{one.path}": one.origin for one in listed(home, conf)[0]}


def listed(home: Path, conf: Path | None = None) -> tuple[list[listing.Candidate], list[Passed]]:
    directory = conf or home / "conf"
    places = find_places(read_configuration(home, directory), directory)
    return list_files(places, (home, home / "data"))


def test_a_home_without_any_settings_has_its_files_in_the_usual_folders(tmp_path: Path) -> None:
    for path in ("conf/neo4j.conf", "conf/apoc.conf", "certificates/bolt/public.crt", "plugins/a.jar", "licenses/x"):
        put(tmp_path, path, "")
    put(tmp_path, "data/databases/neo4j/neostore", "")
    assert sorted(found(tmp_path)) == [
        "certificates/bolt/public.crt", "conf/apoc.conf", "conf/neo4j.conf", "licenses/x", "plugins/a.jar",
    ]  # fmt: skip


def test_both_generations_of_names_say_where_folders_are(tmp_path: Path) -> None:
    for prefix in ("server", "dbms"):
        home = tmp_path / prefix
        put(
            home,
            "conf/neo4j.conf",
            "".join(f"{prefix}.directories.{name}=x/{name}\n" for name in ("plugins", "licenses")),
        )
        put(home, "x/plugins/a.jar", "")
        put(home, "x/licenses/y", "")
        put(home, "plugins/not.jar", "")
        assert set(found(home)) == {"conf/neo4j.conf", "plugins/a.jar", "licenses/y"}


def test_a_policy_names_keys_certificates_and_folders_of_trusted_and_revoked_ones(tmp_path: Path) -> None:
    elsewhere = tmp_path / "ssl"
    home = tmp_path / "home"
    settings = {
        "https.base_directory": str(elsewhere),
        "https.private_key": "a.pem",
        "https.trusted_dir": "all",
        "bolt.enabled": "true",
        "cluster.public_certificate": str(elsewhere / "c.crt"),
    }
    put(home, "conf/neo4j.conf", "".join(f"dbms.ssl.policy.{name}={value}\n" for name, value in settings.items()))
    for path in ("a.pem", "public.crt", "all/ca.crt", "revoked/list.crl", "c.crt", "other"):
        put(elsewhere, path, "")
    for path in ("bolt/private.key", "bolt/trusted/x.crt", "cluster/private.key"):
        put(home, f"certificates/{path}", "")
    files, passed = listed(home)
    assert not passed
    assert {one.path: one.private for one in files if one.area == "certificates"} == {
        "bolt/private.key": True,
        "bolt/trusted/x.crt": False,
        "cluster/private.key": True,
        "cluster/c.crt": False,
        "https/a.pem": True,
        "https/public.crt": False,
        "https/trusted/ca.crt": False,
        "https/revoked/list.crl": False,
    }


def test_configuration_of_a_package_lies_outside_of_the_home(tmp_path: Path) -> None:
    home, conf = tmp_path / "lib", tmp_path / "etc"
    put(conf, "neo4j.conf", f"server.directories.plugins={home}/plugins\nserver.logs.config={tmp_path}/logs.xml\n")
    put(tmp_path, "logs.xml", "")
    put(conf, "neo4j-admin.conf", "")
    put(home, "plugins/a.jar", "")
    assert found(home, conf) == {
        "conf/neo4j.conf": conf / "neo4j.conf",
        "conf/neo4j-admin.conf": conf / "neo4j-admin.conf",
        "conf/logs.xml": tmp_path / "logs.xml",
        "plugins/a.jar": home / "plugins/a.jar",
    }


def test_two_files_of_one_name_stand_side_by_side(tmp_path: Path) -> None:
    put(tmp_path, "conf/neo4j.conf", "gds.enterprise.license_file=keys/x\nbloom.license_file=more/x\n")
    for folder in ("keys", "more", "licenses"):
        put(tmp_path, f"{folder}/x", "")
    licenses = {name: path for name, path in found(tmp_path).items() if name.startswith("licenses/")}
    assert licenses == {
        "licenses/x": tmp_path / "keys/x",
        "licenses/2-x": tmp_path / "more/x",
        "licenses/3-x": tmp_path / "licenses/x",
    }


def test_files_that_kubernetes_mounts_are_found_once_by_their_links(tmp_path: Path) -> None:
    put(tmp_path, "conf/..2026_08_01/neo4j.conf", "a=b\n")
    os.symlink("..2026_08_01", tmp_path / "conf/..data")
    os.symlink("..data/neo4j.conf", tmp_path / "conf/neo4j.conf")
    assert list(found(tmp_path)) == ["conf/neo4j.conf"]


def test_a_folder_that_holds_the_databases_is_not_looked_into(tmp_path: Path) -> None:
    put(tmp_path, "conf/neo4j.conf", "server.directories.plugins=.\nserver.directories.licenses=/\n")
    files, passed = listed(tmp_path)
    assert [one.path for one in files] == ["neo4j.conf"]
    assert [(one.area, one.reason) for one in passed] == [
        ("plugins", "it holds more than such files"), ("licenses", "it holds more than such files"),
    ]  # fmt: skip


def test_a_linked_folder_and_one_that_is_too_deep_are_told_and_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "conf/neo4j.conf", "")
    put(tmp_path, "plugins/" + "d/" * 9 + "a.jar", "")
    os.symlink("/", tmp_path / "conf/root")
    files, passed = listed(tmp_path)
    assert [one.path for one in files] == ["neo4j.conf"]
    assert [one.reason for one in passed] == ["it is a link to a folder", "it lies too deep"]


def test_a_folder_with_too_many_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST", 3)
    for number in range(5):
        put(tmp_path, f"plugins/{number}.jar", "")
    files, passed = listed(tmp_path)
    assert len(files) == 3
    assert [one.reason for one in passed] == ["it holds more than 3 files"]


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    put(tmp_path, "conf/neo4j.conf", "")
    with open(os.fsencode(tmp_path / "conf") + b"/\xff.conf", "w"):
        pass
    files, passed = listed(tmp_path)
    assert [one.path for one in files] == ["neo4j.conf"]
    assert [one.reason for one in passed] == ["a file there has a name that is no text"]


def test_a_setting_that_is_a_command_is_told(tmp_path: Path) -> None:
    put(tmp_path, "conf/neo4j.conf", "server.directories.plugins=$(find / -name plugins)\n")
    places = find_places(read_configuration(tmp_path, tmp_path / "conf"), tmp_path / "conf")
    assert [problem.split(" in ")[0] for problem in places.problems] == ["server.directories.plugins"]
