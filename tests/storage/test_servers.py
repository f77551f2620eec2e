"""Every kind of server keeps the promises of the interface: real ones, on the loopback."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from helpers.conformance import StorageConformance
from neokeep.storage.address import parse_address
from neokeep.storage.clouds import open_bucket
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place, StorageOptions
from neokeep.storage.sftp import SftpStorage

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.servers import S3Server, SshServer
    from neokeep.storage.base import Storage

_NUMBERS = itertools.count()


class TestS3(StorageConformance):
    @pytest.fixture
    def storage(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        bucket = s3.bucket("conformance")
        return open_bucket(parse_address(f"s3://{bucket}/some/prefix{next(_NUMBERS)}"), StorageOptions())


class TestS3WithoutPrefix(StorageConformance):
    @pytest.fixture
    def storage(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        return open_storage(Place(f"s3://{s3.bucket(f'bucket{next(_NUMBERS)}')}"))


class TestAzure(StorageConformance):
    @pytest.fixture
    def storage(self, container: str) -> Storage:
        return open_storage(Place(f"az://{container}/prefix{next(_NUMBERS)}"))


class TestSftp(StorageConformance):
    @pytest.fixture
    def storage(self, ssh: SshServer, tmp_path: Path) -> Storage:
        options = StorageOptions(known_hosts=ssh.known_hosts, key_file=ssh.key)
        return SftpStorage(parse_address(ssh.url(tmp_path)), options)
