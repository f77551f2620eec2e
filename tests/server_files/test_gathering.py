"""Reading the server's other files: whatever stands in the way is told, and no backup fails by it."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.backups import new_repository
from helpers.copies import copied_over
from helpers.database import make_database
from helpers.encrypted import encrypted_repository
from helpers.properties import examples
from helpers.server_home import CONF, SECRETS, certificate, everything_in, files_in, furnish, put, put_plugin, take
from neokeep import api
from neokeep.repository.contents import read_content
from neokeep.repository.reader import BlockReader
from neokeep.repository.writer import BlockWriter
from neokeep.server_files import gather as gathering
from neokeep.server_files.gather import gather, store

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    database = make_database(tmp_path / "home")
    furnish(database.home)
    return database


def reasons(made: Synthetic, **options: str) -> dict[str, str]:
    repository, _ = new_repository()
    info = take(made, repository, **options)
    assert info.server_files is not None
    return {item.path: item.reason for item in info.server_files.left_out}


def test_no_secret_is_in_a_repository_that_is_not_encrypted(made: Synthetic) -> None:
    repository, _ = new_repository()
    info = take(made, repository, server_files="all")
    content = everything_in(repository)
    assert not [secret for secret in SECRETS if secret in content]
    assert b"PRIVATE KEY" not in content
    assert b"server.bolt.listen_address=:7687" in content
    assert info.server_files is not None
    assert info.server_files.redacted == ("conf/apoc.conf", "conf/neo4j.conf")
    assert [item.path for item in info.server_files.left_out] == ["certificates/bolt/private.key"]


def test_an_encrypted_repository_has_all_as_it_is(made: Synthetic) -> None:
    repository, storage = encrypted_repository()
    info = take(made, repository, server_files="all")
    files = files_in(repository, info.label)
    for name, file in files.items():
        content = (made.home / name).read_bytes()
        assert (file.state, file.size, file.hash) == ("whole", len(content), hashlib.sha256(content).hexdigest())
        assert file.content is not None
        assert b"".join(read_content(BlockReader.of(repository), file.content)) == content
    assert files["certificates/bolt/private.key"].secret
    assert files["conf/neo4j.conf"].secret
    assert not files["certificates/bolt/public.crt"].secret
    assert info.server_files is not None
    assert (info.server_files.redacted, info.server_files.left_out) == ((), ())
    assert not [secret for secret in SECRETS for stored in storage.objects.values() if secret in stored]


@examples(20, HealthCheck.function_scoped_fixture)
@given(
    st.sampled_from(["conf/neo4j.conf", "conf/x.properties", "conf/notes", "certificates/a.pem", "plugins/x.cfg"]),
    st.sampled_from(["db.password={}\n", "# token: {}\n", "-----BEGIN PRIVATE KEY-----\n{}\n", "x=redis://u:{}@h\n"]),
    st.text("abcdefghij", min_size=12, max_size=30),
)
def test_wherever_a_secret_stands_it_is_in_no_block(made: Synthetic, path: str, form: str, letters: str) -> None:
    secret = f"Zz{letters}"
    put(made.home, path, form.format(secret))
    repository, _ = new_repository()
    take(made, repository, server_files="all")
    put(made.home, path, "")
    assert secret.encode() not in everything_in(repository)


def test_owner_mode_and_times_are_told_of_each_file(made: Synthetic) -> None:
    path = made.home / "conf/neo4j.conf"
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    repository, _ = new_repository()
    file = files_in(repository, take(made, repository).label)["conf/neo4j.conf"]
    assert file.modified == datetime.fromtimestamp(1_700_000_000, UTC).replace(microsecond=123_456)
    assert (file.mode, file.uid, file.gid) == (0o640, os.getuid(), os.getgid())
    assert file.owner
    assert file.origin == str(path)


def test_plugins_are_listed_with_version_and_hash_and_stored_only_when_all_is_wanted(made: Synthetic) -> None:
    content = (made.home / "plugins/apoc-5.26.0-core.jar").read_bytes()
    repository, _ = new_repository()
    listed = files_in(repository, take(made, repository).label)["plugins/apoc-5.26.0-core.jar"]
    stored = files_in(repository, take(made, repository, server_files="all").label)["plugins/apoc-5.26.0-core.jar"]
    assert (listed.state, listed.content, stored.state) == ("listed", None, "whole")
    for file in (listed, stored):
        assert file.plugin is not None
        assert (file.plugin.name, file.plugin.version) == ("APOC", "5.26.0")
        assert (file.size, file.hash) == (len(content), hashlib.sha256(content).hexdigest())
    assert stored.content is not None
    assert stored.content.size == len(content)


def test_no_hash_is_told_of_what_may_hold_a_secret(made: Synthetic) -> None:
    put(made.home, "plugins/helper.cfg", "token=1234\n")
    (plain, _), (encrypted, _) = new_repository(), encrypted_repository()
    assert files_in(plain, take(made, plain).label)["plugins/helper.cfg"].hash is None
    label = take(made, encrypted).label
    assert files_in(encrypted, label)["plugins/helper.cfg"].hash is not None
    copied, _ = new_repository()
    assert not copied_over(encrypted, copied).failures
    assert files_in(copied, label)["plugins/helper.cfg"].hash is None
    assert api.diff_config(copied, source=made.source).not_compared[-1] == "plugins/helper.cfg"


@examples(50, HealthCheck.function_scoped_fixture)
@given(
    st.sampled_from(
        ["server.directories.plugins", "dbms.ssl.policy.x.base_directory", "server.logs.config", "a.license_file"]
    ),
    st.one_of(st.text("ab./\\u0 $()~\n\t=:#é", max_size=12), st.text(max_size=300)),
)
def test_whatever_a_configuration_says_something_is_gathered(made: Synthetic, name: str, value: str) -> None:
    put(made.home, "conf/neo4j.conf", f"{name}={value}\n".encode("utf-8", "surrogatepass"))
    gathered = gather(made.source, "all")
    assert gathered is not None
    assert "conf/neo4j.conf" in {f"{one.file.area}/{one.file.path}" for one in gathered.files}


def test_a_plugin_that_changes_while_it_is_stored_is_left_out(made: Synthetic) -> None:
    gathered = gather(made.source, "all")
    assert gathered is not None
    put_plugin(made.home, version="5.26.1")
    repository, _ = new_repository()
    writer = BlockWriter(repository)
    server = store(gathered, writer, encrypted=False)
    writer.close()
    assert ("plugins/apoc-5.26.0-core.jar", gathering._CHANGED) in [
        (item.path, item.reason) for item in server.left_out
    ]


def test_a_plugin_that_vanishes_before_it_is_stored_is_left_out(made: Synthetic) -> None:
    gathered = gather(made.source, "all")
    assert gathered is not None
    (made.home / "plugins/apoc-5.26.0-core.jar").unlink()
    repository, _ = new_repository()
    writer = BlockWriter(repository)
    server = store(gathered, writer, encrypted=False)
    writer.close()
    assert "it cannot be read: No such file or directory" in [item.reason for item in server.left_out]


def test_none_wanted_means_none_and_a_home_without_any_has_none(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    assert take(made, repository, server_files="none").server_files is None
    assert take(make_database(tmp_path / "bare"), new_repository()[0]).server_files is None


def test_what_is_no_regular_file_is_told_and_not_waited_for(made: Synthetic) -> None:
    os.mkfifo(made.home / "conf/pipe.conf")
    os.symlink("/dev/zero", made.home / "conf/zeros.conf")
    os.symlink("/nowhere", made.home / "conf/broken.conf")
    os.symlink("loop.conf", made.home / "conf/loop.conf")
    told = reasons(made)
    assert told["conf/pipe.conf"] == told["conf/zeros.conf"] == "it is no regular file"
    assert told["conf/broken.conf"] == "it cannot be read: No such file or directory"
    assert told["conf/loop.conf"].startswith("it cannot be read: Too many levels of symbolic links")


def test_of_a_link_the_content_counts_and_where_it_led_is_told(made: Synthetic, tmp_path: Path) -> None:
    real = put(tmp_path, "elsewhere/more.conf", "a.b=c\n")
    os.symlink(real, made.home / "conf/more.conf")
    repository, _ = new_repository()
    file = files_in(repository, take(made, repository).label)["conf/more.conf"]
    assert (file.link, file.state, file.size) == (str(real), "whole", 6)


def test_a_file_that_is_too_large_is_told_and_not_read(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "LARGEST", 1000)
    put(made.home, "conf/large.conf", b"x" * 1001)
    assert reasons(made)["conf/large.conf"] == "it has 1001 bytes, too many"


def test_many_small_files_are_not_all_held_in_memory(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "LARGEST_TOGETHER", len(CONF) + 5000)
    put(made.home, "conf/z.conf", b"x" * 6000)
    assert "too many" in reasons(made)["conf/z.conf"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(made: Synthetic) -> None:
    (made.home / "conf/apoc.conf").chmod(0)
    assert reasons(made)["conf/apoc.conf"] == "it cannot be read: Permission denied"


def test_a_reading_that_fails_is_told_and_the_backup_goes_on(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read

    def read(descriptor: int, length: int) -> bytes:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("apoc.conf"):
            raise OSError(5, "Input/output error")
        return real(descriptor, length)

    monkeypatch.setattr(os, "read", read)
    assert reasons(made)["conf/apoc.conf"] == "it cannot be read: Input/output error"


def test_certificates_near_their_end_are_in_the_report_of_a_backup(tmp_path: Path) -> None:
    from helpers.backups import SILENT
    from neokeep.capture.backup import back_up
    from neokeep.capture.options import CaptureOptions

    made = make_database(tmp_path / "home")
    put(made.home, "certificates/far.crt", certificate("far", 31)[0])
    put(made.home, "certificates/near.crt", certificate("near", 29.5)[0])
    put(made.home, "certificates/over.crt", certificate("over", -1.5)[0])
    put(made.home, "certificates/broken.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    options = CaptureOptions(type="full", jobs=1, gentle=False, server_files="config")
    report = back_up(made.source, new_repository()[0], options=options, progress=SILENT)
    assert [(one.path, one.subject, one.days_left) for one in report.certificates] == [
        ("certificates/over.crt", "CN=over", -2),
        ("certificates/near.crt", "CN=near", 29),
    ]


def test_setuid_bits_are_noted_as_they_are(made: Synthetic) -> None:
    path = made.home / "conf/apoc.conf"
    path.chmod(0o640 | stat.S_ISUID)
    repository, _ = new_repository()
    file = files_in(repository, take(made, repository).label)["conf/apoc.conf"]
    assert file.mode == 0o640 | stat.S_ISUID
