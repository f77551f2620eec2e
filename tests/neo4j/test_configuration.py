r"""neo4j.conf as real servers read it.

The case with `\` at the end of a line, `\uXXXX`, a repeated key and relative directories is what servers of 4.4.48,
5.26.30 and 2026.08.1 were started with; the expected directories are those that they made.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.errors import AccessError, ConfigurationError
from neokeep.neo4j.configuration import Configuration, parse_properties, read_configuration

HOME = Path("/srv/neo4j")


def configured(text: str) -> Configuration:
    return Configuration(HOME, HOME / "conf/neo4j.conf", parse_properties(text))


@pytest.mark.parametrize(("public", "internal"), [("server", "internal.server"), ("dbms", "unsupported.dbms")])
def test_directories_resolve_as_the_servers_resolve_them(public: str, internal: str) -> None:
    configuration = configured(
        f"{public}.directories.data=first\n"
        f"{public}.directories.data = my\\\n   data\\u0041\\x\n"
        f"{public}.directories.transaction.logs.root=txl\n"
        f"{internal}.directories.databases.root=dbs\n"
        f"{public}.directories.lib=jars\n"
    )
    assert configuration.data == HOME / "mydataAx"
    assert configuration.databases == HOME / "mydataAx/dbs"
    assert configuration.transactions == HOME / "mydataAx/txl"
    assert configuration.lib == HOME / "jars"


def test_settings_may_be_files_of_their_own_as_kubernetes_mounts_them(tmp_path: Path) -> None:
    """Servers of all three versions started with such a folder; 5.26.30 and 2026.08.1 take blanks at the end off."""
    folder = tmp_path / "neo4j.conf"
    mounted = folder / "..2026_11_22"
    mounted.mkdir(parents=True)
    (folder / "..data").symlink_to("..2026_11_22")
    for name, value in {"server.directories.data": "elsewhere\n", "initial.dbms.default_database": "graph"}.items():
        (mounted / name).write_text(value)
        (folder / name).symlink_to(f"..data/{name}")
    (folder / ".server.directories.lib").write_text("hidden")
    (folder / "below").mkdir()
    configuration = read_configuration(HOME, tmp_path)
    assert configuration.path == folder
    assert configuration.settings == {"server.directories.data": "elsewhere", "initial.dbms.default_database": "graph"}


def test_absolute_directories_stay_as_they_are() -> None:
    configuration = configured("server.directories.data=/data\nserver.directories.transaction.logs.root=/logs/tx")
    assert configuration.databases == Path("/data/databases")
    assert configuration.transactions == Path("/logs/tx")


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    for configuration in (read_configuration(HOME, None), read_configuration(HOME, tmp_path)):
        assert configuration.path is None
        assert configuration.databases == HOME / "data/databases"
        assert configuration.transactions == HOME / "data/transactions"
        assert configuration.default_database == "neo4j"
        assert configuration.log_retention is None


@pytest.mark.parametrize("key", ["initial.dbms.default_database", "dbms.default_database"])
def test_the_default_database_is_lower_case_as_neo4j_makes_it(key: str) -> None:
    assert configured(f"{key}=Shop").default_database == "shop"


def test_the_newer_name_of_a_setting_wins() -> None:
    text = "db.tx_log.rotation.retention_policy=2 days\ndbms.tx_log.rotation.retention_policy=keep_all"
    assert configured(text).log_retention == "2 days"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a comment\n! another\n\n   \n  a=b", {"a": "b"}),
        ("a=b # not a comment", {"a": "b # not a comment"}),
        ("a b\nc:d\ne\tf\ng", {"a": "b", "c": "d", "e": "f", "g": ""}),
        ("a = b = c", {"a": "b = c"}),
        (r"a\=b\ c=d", {"a=b c": "d"}),
        (r"path=C\:\\neo4j\tx", {"path": "C:\\neo4j\tx"}),
        ("a=1\\\n  # 2\nb=3", {"a": "1# 2", "b": "3"}),
        ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=b   ", {"a": "b"}),
        ("a=1\\", {"a": "1"}),
    ],
)
def test_properties_are_read_as_java_reads_them(text: str, expected: dict[str, str]) -> None:
    assert parse_properties(text) == expected


def test_a_command_is_refused_where_it_matters_and_ignored_elsewhere() -> None:
    configuration = configured("server.directories.data=$(cat /data/where)\nserver.memory.heap.max_size=$(heap)")
    assert configuration.default_database == "neo4j"
    with pytest.raises(ConfigurationError, match=r"server\.directories\.data .* is a command") as caught:
        _ = configuration.databases
    assert caught.value.remedy


def test_a_file_in_latin_1_and_one_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "neo4j.conf").write_bytes("server.directories.data=/données".encode("latin-1"))
    assert read_configuration(HOME, tmp_path).data == Path("/données")
    (tmp_path / "neo4j.conf").write_bytes(b"\xef\xbb\xbfserver.directories.data=/d")
    assert read_configuration(HOME, tmp_path).data == Path("/d")


def test_a_file_that_may_not_be_read_is_an_access_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(AccessError, match=r"neo4j\.conf"):
        read_configuration(HOME, tmp_path)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_some_properties(text: str) -> None:
    assert all(isinstance(key, str) for key in parse_properties(text))


@given(st.dictionaries(st.from_regex(r"[a-z][a-z.]{0,20}", fullmatch=True), st.text("ab \\=:#é", max_size=20)))
def test_escaped_values_come_back(settings: dict[str, str]) -> None:
    lines = [f"{key}={value.strip().replace(chr(92), chr(92) * 2)}" for key, value in settings.items()]
    expected = {key: value.strip() for key, value in settings.items()}
    parsed = parse_properties("\n".join(lines))
    assert parsed == expected
