"""SFTP: nobody is trusted unseen, nothing half-made is visible, and a broken connection heals."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import pytest

from helpers.conformance import StorageConformance
from helpers.servers import free_port, ssh_server
from neokeep.errors import AccessError, CredentialsError, RepositoryError, SpaceError, UnreachableError, UsageError
from neokeep.repository.open import init_repository, open_repository
from neokeep.storage import sftp
from neokeep.storage.address import parse_address
from neokeep.storage.base import ObjectExists, TransientError
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place, StorageOptions
from neokeep.storage.retrying import Retrying
from neokeep.storage.sftp import SftpStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.servers import SshServer
    from neokeep.storage.base import Storage


def options_of(server: SshServer, known_hosts: Path | None = None, key: Path | None = None) -> StorageOptions:
    return StorageOptions(known_hosts=known_hosts or server.known_hosts, key_file=key or server.key)


def opened(server: SshServer, root: Path) -> SftpStorage:
    return SftpStorage(parse_address(server.url(root)), options_of(server))


@pytest.fixture(scope="module")
def plain_ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A server without OpenSSH's extensions, as appliances have it."""
    with ssh_server(tmp_path_factory.mktemp("plain"), "-P hardlink,fsync,statvfs,limits,posix-rename") as server:
        yield server


@pytest.mark.slow
class TestServerWithoutExtensions(StorageConformance):
    @pytest.fixture
    def storage(self, plain_ssh: SshServer, tmp_path: Path) -> Storage:
        return opened(plain_ssh, tmp_path)


def test_a_server_that_cannot_sync_is_told_as_such(plain_ssh: SshServer, ssh: SshServer, tmp_path: Path) -> None:
    storage = opened(plain_ssh, tmp_path / "a")
    storage.prepare()
    storage.create("a", b"x")
    (caveat,) = storage.caveats()
    assert "cannot sync" in caveat
    assert storage.free_bytes() is None
    able = opened(ssh, tmp_path / "a")
    able.create("b", b"x")
    assert able.caveats() == ()
    assert (able.free_bytes() or 0) > 0


def test_a_host_key_that_is_not_known_is_refused(ssh: SshServer, tmp_path: Path) -> None:
    nobody = tmp_path / "known_hosts"
    for text in ("", ssh.known_hosts.read_text().replace("AAAA", "BBBB")):
        nobody.write_text(text)
        storage = SftpStorage(parse_address(ssh.url(tmp_path)), options_of(ssh, known_hosts=nobody))
        with pytest.raises(CredentialsError, match="host key"):
            storage.create("a", b"x")
    assert not (tmp_path / "a").exists()


def test_a_host_key_that_changed_is_refused(ssh: SshServer, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{ssh.port} {other}\n")
    with pytest.raises(CredentialsError, match="host key"):
        SftpStorage(parse_address(ssh.url(tmp_path)), options_of(ssh, known_hosts=known)).stat("a")


def test_a_key_that_the_server_does_not_know_is_told(ssh: SshServer, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    with pytest.raises(CredentialsError, match="none of the keys"):
        SftpStorage(parse_address(ssh.url(tmp_path)), options_of(ssh, key=tmp_path / "other")).stat("a")


def test_a_key_file_with_a_passphrase_is_told(ssh: SshServer, tmp_path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked")]
    subprocess.run(command, check=True)
    with pytest.raises(CredentialsError, match="passphrase"):
        SftpStorage(parse_address(ssh.url(tmp_path)), options_of(ssh, key=tmp_path / "locked")).stat("a")


def test_keys_and_hosts_of_the_user_are_found_as_ssh_does(
    ssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(ssh.home))
    storage = open_storage(Place(ssh.url(tmp_path)))
    storage.create("a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_key_of_the_agent_is_used(ssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(["ssh-add", "-q", str(ssh.key)], check=True)
        storage = SftpStorage(parse_address(ssh.url(tmp_path)), StorageOptions(known_hosts=ssh.known_hosts))
        storage.create("a", b"x")
    finally:
        agent.terminate()
        agent.wait()
    assert (tmp_path / "a").read_bytes() == b"x"


def test_nobody_listening_is_passing(tmp_path: Path) -> None:
    storage = SftpStorage(parse_address(f"sftp://127.0.0.1:{free_port()}{tmp_path}"), StorageOptions())
    with pytest.raises(TransientError, match="nobody listens there"):
        storage.stat("a")


@pytest.mark.slow
def test_a_server_that_only_lets_read_is_told(tmp_path: Path) -> None:
    with ssh_server(tmp_path / "server", "-R") as server:
        storage = opened(server, tmp_path)
        with pytest.raises(AccessError):
            storage.create("a", b"x")
        (tmp_path / "b").write_bytes(b"x")
        assert storage.read("b") == b"x"


def test_a_connection_that_broke_is_made_anew(ssh: SshServer, tmp_path: Path) -> None:
    inner = opened(ssh, tmp_path)
    storage = Retrying(inner, 3, lambda _: None)
    storage.create("a", b"x")
    for number in range(3):
        (connection,) = inner._connection._open
        connection.abort()
        storage.create(f"b/{number}", b"y")
    assert sorted(item.name for item in storage.list("b")) == ["b/0", "b/1", "b/2"]


@pytest.mark.slow
def test_a_server_that_hangs_is_given_up_in_time_and_asked_anew(tmp_path: Path) -> None:
    with ssh_server(tmp_path / "server") as server:
        options = StorageOptions(known_hosts=server.known_hosts, key_file=server.key, timeout=1)
        storage = SftpStorage(parse_address(server.url(tmp_path)), options)
        storage.create("a", b"x")
        hanging = descendants(server.process)
        assert hanging
        for process in hanging:
            os.kill(process, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(TransientError, match="did not answer in time"):
            storage.create("b", b"x")
        assert time.monotonic() - begun < 20
        storage.create("b", b"y")
        for process in hanging:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    assert (tmp_path / "b").read_bytes() == b"y"


def descendants(process: int) -> list[int]:
    """List the processes below one, by what the kernel says."""
    below = [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [*below, *(one for child in below for one in descendants(child))]


def test_a_scratch_file_is_no_object_and_is_cleared_after_a_day(ssh: SshServer, tmp_path: Path) -> None:
    storage = opened(ssh, tmp_path)
    storage.create("packs/a", b"x")
    assert list((tmp_path / "tmp").iterdir()) == []
    old, new = tmp_path / "tmp" / "old", tmp_path / "tmp" / "new"
    for path in (old, new):
        path.write_bytes(b"123")
    os.utime(old, (time.time() - 90_000,) * 2)
    assert storage.clear_abandoned() == 3
    assert (old.exists(), new.exists()) == (False, True)
    assert [item.name for item in storage.list("packs")] == ["packs/a"]


def test_objects_can_be_read_by_the_group_and_by_nobody_else(ssh: SshServer, tmp_path: Path) -> None:
    opened(ssh, tmp_path).create("a/b", b"x")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o027 == 0
    assert (tmp_path / "a").stat().st_mode & 0o027 == 0


def test_a_root_that_is_gone_is_neither_empty_nor_made_again(ssh: SshServer, tmp_path: Path) -> None:
    place = Place(ssh.url(tmp_path / "new" / "repository"), options_of(ssh))
    repository = init_repository(place)
    assert open_repository(place).config == repository.config
    root = tmp_path / "new" / "repository"
    root.rename(tmp_path / "away")
    with pytest.raises(UnreachableError, match="is gone"):
        list(repository.storage.list("packs"))
    root.mkdir()
    for use in (lambda: list(repository.storage.list("packs")), lambda: repository.storage.create("packs/a", b"x")):
        with pytest.raises(UnreachableError, match="config is not there any more"):
            use()
    assert not (root / "packs").exists()


def test_a_repository_is_never_made_over_strangers(ssh: SshServer, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError, match="it holds photos"):
        init_repository(Place(ssh.url(tmp_path), options_of(ssh)))


def test_an_object_is_synced_before_it_gets_its_name_and_once_more_after(
    ssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def noted(kind: type[object], name: str) -> None:
        original = getattr(kind, name)

        async def call(*arguments: object, **options: object) -> object:
            calls.append(name)
            return await original(*arguments, **options)

        monkeypatch.setattr(kind, name, call)

    storage = opened(ssh, tmp_path)
    storage.create("packs/a", b"the directories are there now")
    for kind, name in (
        (asyncssh.SFTPClientFile, "write"),
        (asyncssh.SFTPClientFile, "fsync"),
        (asyncssh.SFTPClient, "link"),
        (asyncssh.SFTPClient, "posix_rename"),
        (asyncssh.SFTPClient, "remove"),
    ):
        noted(kind, name)
    storage.create("packs/b", b"x")
    assert calls == ["write", "fsync", "link", "fsync", "remove"]
    calls.clear()
    with pytest.raises(ObjectExists):
        storage.create("packs/b", b"y")
    assert calls == ["write", "fsync", "link", "fsync", "remove"]
    for overwrite, named in ((False, "link"), (True, "posix_rename")):
        calls.clear()
        large = storage.large("neo4j.dump", 1024, overwrite=overwrite)
        large.write(b"in one piece")
        large.finish()
        assert calls[:4] == ["write", "fsync", named, "fsync"]


def test_a_full_disk_is_told_as_such(ssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = opened(ssh, tmp_path)

    async def failing(*_: object) -> int:
        raise asyncssh.SFTPFailure("Failure")

    monkeypatch.setattr(asyncssh.SFTPClientFile, "write", failing)
    with pytest.raises(RepositoryError, match="Failure"):
        storage.create("a", b"x")
    monkeypatch.setattr(sftp, "_free", lambda _status: 0)
    with pytest.raises(SpaceError, match="no space is left"):
        storage.create("a", b"x")
    assert not (tmp_path / "a").exists()
    assert list((tmp_path / "tmp").iterdir()) == []
