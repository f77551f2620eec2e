"""What the commands print about the server's other files, and what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from cli import samples, server_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work


def test_what_a_backup_could_not_take_is_told_once_for_all_its_databases(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["back_up"] = server_files.BACKED_UP
    text = run("backup --home /h --repo /r").out
    assert text.count("secrets are left out of conf/neo4j.conf: the repository is not encrypted") == 1
    assert text.count("left out certificates/bolt/private.key: it is or holds a private key") == 1
    assert "WARNING: the certificate CN=db1.example.com in certificates/bolt/public.crt ends in 12 days" in text
    assert "WARNING: the certificate CN=ca in certificates/bolt/trusted/ca.crt has ended" in text


def test_one_backup_tells_what_it_has_of_them(work: Work, run: Callable[..., Ran]) -> None:
    one = server_files.BACKED_UP.backups[0]
    work.answers["describe"] = msgspec.structs.replace(samples.ONE, backups=(one,))
    text = run(f"info --backup {one.label} --repo /r").out
    assert "6 (config), 1 without secrets, 1 left out" in text


@pytest.mark.parametrize(
    ("line", "mode"), [("", "config"), ("--server-files all", "all"), ("--server-files none", "none")]
)
def test_a_backup_takes_the_configuration_unless_told_otherwise(
    work: Work, run: Callable[..., Ran], line: str, mode: str
) -> None:
    work.answers["back_up"] = server_files.BACKED_UP
    run(f"backup --home /h --repo /r {line}")
    assert work.options_of("back_up")["options"].server_files == mode


def test_a_default_in_the_file_is_that_of_backups_and_not_of_a_restore(
    work: Work, run: Callable[..., Ran], tmp_path: object
) -> None:
    with open("neokeep.toml", "w", encoding="utf-8") as file:
        file.write('[defaults]\nserver-files = "all"\n')
    work.answers |= {"back_up": server_files.BACKED_UP, "restore": None}
    run("backup --home /h --repo /r")
    assert work.options_of("back_up")["options"].server_files == "all"
    run("restore neo4j --home /h --repo /r")
    assert [name for name, _, _ in work.calls if name.startswith("restore")] == ["restore"]


def test_a_restore_of_server_files_needs_neither_home_nor_database(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["restore_server_files"] = server_files.RESTORED
    ran = run("restore --server-files /out --repo /r --from-source production")
    assert ran.status == 0
    options = work.options_of("restore_server_files")
    assert options == {"label": None, "database": None, "from_source": "production"}
    for line in (
        "without its secrets: conf/neo4j.conf",
        "left out certificates/bolt/private.key",
        "not in the backup, only listed: plugins/apoc-5.26.0-core.jar",
        "2 files had another owner, which this user may not give",
        "was a link: conf/neo4j.conf -> ..data/neo4j.conf",
        "ends in 12 days",
    ):
        assert line in ran.out


@pytest.mark.parametrize("flag", ["--as other", "--to-tx 5", "--overwrite", "--recover native"])
def test_what_is_for_databases_is_refused_with_server_files(work: Work, run: Callable[..., Ran], flag: str) -> None:
    ran = run(f"restore neo4j --server-files /out --repo /r {flag}")
    assert ran.status == 2
    assert "is for databases" in ran.err


def test_a_restore_of_nothing_is_refused(work: Work, run: Callable[..., Ran]) -> None:
    ran = run("restore --home /h --repo /r")
    assert ran.status == 2
    assert "no database is named" in ran.err


def test_differences_are_a_table_and_end_with_a_status_of_their_own(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["diff_config"] = server_files.DIFFERENT
    ran = run("diff-config --home /h --repo /r")
    assert ran.status == 25
    assert "4 settings and 1 file differ" in ran.err
    lines = {" ".join(line.split()) for line in ran.out.splitlines()}
    assert "conf/neo4j.conf dbms.ssl.policy.bolt.private_key_password changed (secret) (secret)" in lines
    assert "conf/neo4j.conf server.memory.heap.max_size added 4g" in lines
    assert "conf/neo4j.conf server.jvm.additional changed -XX:+UseG1GC -XX:+UseZGC, -Xss1m" in lines
    assert "conf/apoc.conf apoc.es.password removed (secret)" in lines
    assert "- conf/apoc.conf: apoc.jdbc.shop.url" in lines


def test_nothing_that_differs_is_said_and_is_status_0(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["diff_config"] = server_files.SAME
    ran = run("diff-config A B --repo /r")
    assert ran.status == 0
    assert "Nothing differs." in ran.out
    assert work.arguments_of("diff_config")[1:] == ("A", "B")


def test_three_backups_or_no_server_cannot_be_compared(work: Work, run: Callable[..., Ran]) -> None:
    assert run("diff-config A B C --repo /r").status == 2
    assert run("diff-config A --repo /r").status == 2
