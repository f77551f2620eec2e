from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import UsageError
from neokeep.lab import home as homes
from neokeep.lab.home import configure, create_home, free_port, open_home, setting_name
from neokeep.neo4j.configuration import read_configuration
from neokeep.neo4j.distribution import Distribution

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distribution:
    lib = tmp_path / "cache" / "lib"
    lib.mkdir(parents=True)
    (lib / "neo4j-kernel-5.26.30.jar").touch()
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.touch(0o755)
    (tmp_path / "java" / "release").write_text('JAVA_VERSION="17.0.1"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    distribution = Distribution("5.26.30", lib, java)

    def fetch(version: str, say: Callable[[str], None]) -> Distribution:
        return distribution

    monkeypatch.setattr(homes, "fetch", fetch)
    return distribution


def test_a_home_can_be_opened_again_by_its_path(fetched: Distribution, tmp_path: Path) -> None:
    server = create_home(tmp_path / "home", "5.26.30")
    assert server.distribution == fetched
    assert open_home(tmp_path / "home") == server


def test_a_home_is_not_made_over_another(fetched: Distribution, tmp_path: Path) -> None:
    create_home(tmp_path / "home", "5.26.30")
    with pytest.raises(UsageError, match="home at"):
        create_home(tmp_path / "home", "5.26.30")


def test_settings_given_replace_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    configure(tmp_path, "5.26.30", {"server.memory.pagecache.size": "8m"})
    settings = read_configuration(tmp_path, tmp_path / "conf").settings
    assert settings["server.memory.pagecache.size"] == "8m"
    assert settings["server.bolt.listen_address"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("server.bolt.listen_address", "dbms.connector.bolt.listen_address"),
        ("server.memory.pagecache.size", "dbms.memory.pagecache.size"),
        ("db.tx_log.rotation.size", "dbms.tx_log.rotation.size"),
        ("initial.dbms.default_database", "dbms.default_database"),
        ("dbms.security.auth_enabled", "dbms.security.auth_enabled"),
        ("internal.dbms.x", "unsupported.dbms.x"),
    ],
)
def test_settings_have_their_old_names_on_4_4_only(new: str, old: str) -> None:
    assert setting_name(new, (4, 4, 48)) == old
    assert setting_name(new, (5, 26, 30)) == new


def test_a_free_port_is_below_those_of_outgoing_connections() -> None:
    port = free_port()
    assert port < 32_768
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
