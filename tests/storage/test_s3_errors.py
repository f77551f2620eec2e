"""Whatever is wrong with S3 is told clearly, by its kind, and never with a secret."""

from __future__ import annotations

import json
import subprocess
import threading
import traceback
from typing import TYPE_CHECKING

import pytest

from helpers.canned import Answer, answering, xml_error
from helpers.servers import ACCESS_KEY, SECRET_KEY, free_port, s3_server
from neokeep.errors import (
    AccessError,
    ClockError,
    ConfigurationError,
    CredentialsError,
    NeokeepError,
    RepositoryError,
    SpaceError,
    UnreachableError,
)
from neokeep.repository.open import init_repository, open_repository
from neokeep.storage.address import parse_address
from neokeep.storage.base import ObjectMissing, TransientError
from neokeep.storage.clouds import open_bucket
from neokeep.storage.place import Place, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.servers import S3Server
    from neokeep.storage.base import Storage


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


def opened(endpoint: str, bucket: str = "bucket", ca_file: Path | None = None) -> Storage:
    return open_bucket(
        parse_address(f"s3://{bucket}/prefix"), StorageOptions(endpoint=endpoint, ca_file=ca_file, timeout=10)
    )


USES: tuple[Callable[[Storage], object], ...] = (
    lambda storage: storage.create("a/b", b"x"),
    lambda storage: storage.read("a/b"),
    lambda storage: storage.read("a/b", 3, 4),
    lambda storage: storage.stat("a/b"),
    lambda storage: list(storage.list("a")),
    lambda storage: storage.prepare(),
)


def each_fails(storage: Storage, kind: type[NeokeepError], exact: type[NeokeepError] | None = None) -> list[str]:
    """Have every use of a storage fail with this kind; give the messages."""
    messages = []
    for use in USES:
        with pytest.raises(kind) as failure:
            use(storage)
        assert type(failure.value) is (exact or kind)
        assert failure.value.remedy
        assert SECRET_KEY not in "".join(traceback.format_exception(failure.value))
        messages.append(failure.value.message)
    return messages


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "RequestTimeTooSkewed", ClockError),
        (400, "ExpiredToken", CredentialsError),
        (403, "InvalidAccessKeyId", CredentialsError),
        (401, "Unknown", CredentialsError),
        (403, "AccessDenied", AccessError),
        (301, "PermanentRedirect", ConfigurationError),
        (400, "AuthorizationHeaderMalformed", ConfigurationError),
        (507, "XMinioStorageFull", SpaceError),
        (404, "NoSuchBucket", UnreachableError),
        (501, "NotImplemented", RepositoryError),
        (418, "Teapot", RepositoryError),
        (429, "TooManyRequests", TransientError),
        (500, "InternalError", TransientError),
        (503, "SlowDown", TransientError),
        (503, "", TransientError),
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_each_answer_has_its_kind(status: int, code: str, kind: type[NeokeepError]) -> None:
    with answering(lambda _method, _path: xml_error(status, code)) as endpoint:
        messages = each_fails(opened(endpoint), kind)
    assert status == 301 or all(str(status) in message or code in message for message in messages)
    assert all("s3://bucket/prefix" in message for message in messages)


@pytest.mark.usefixtures("keys")
def test_an_answer_that_breaks_off_is_passing() -> None:
    whole = {"ETag": '"e"', "Last-Modified": "Mon, 23 Nov 2026 01:00:00 GMT"}
    with answering(lambda _method, _path: Answer(200, b"half", whole, broken=True)) as endpoint:
        storage = opened(endpoint)
        with pytest.raises(TransientError):
            storage.read("a/b")


@pytest.mark.usefixtures("keys")
def test_an_answer_that_does_not_come_is_passing() -> None:
    silence = threading.Event()

    def answer(_method: str, _path: str) -> Answer:
        silence.wait(20)
        return Answer(200)

    with answering(answer) as endpoint:
        storage = open_bucket(parse_address("s3://bucket/a"), StorageOptions(endpoint=endpoint, timeout=0.3))
        with pytest.raises(TransientError, match="did not answer in time"):
            storage.create("a/b", b"x")
        silence.set()


@pytest.mark.usefixtures("keys")
def test_a_conflict_is_not_believed_where_there_is_no_object() -> None:
    def answer(method: str, _path: str) -> Answer:
        return xml_error(409, "ConditionalRequestConflict") if method == "PUT" else xml_error(404, "NoSuchKey")

    with answering(answer) as endpoint:
        with pytest.raises(TransientError):
            opened(endpoint).create("a/b", b"x")
        with pytest.raises(ObjectMissing):
            opened(endpoint).read("a/b")


@pytest.mark.usefixtures("keys")
def test_nobody_listening_is_passing_and_names_what_to_check() -> None:
    storage = opened(f"http://127.0.0.1:{free_port()}")
    assert all("no connection" in message for message in each_fails(storage, TransientError))


@pytest.mark.parametrize(("access", "secret"), [(ACCESS_KEY, "wrong"), ("nobody", SECRET_KEY)])
def test_wrong_keys_are_told(s3: S3Server, monkeypatch: pytest.MonkeyPatch, access: str, secret: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    each_fails(opened(s3.endpoint, s3.bucket("bucket")), CredentialsError)


@pytest.mark.usefixtures("keys")
def test_a_bucket_that_is_gone_is_told_and_not_made(s3: S3Server) -> None:
    messages = each_fails(opened(s3.endpoint, "gone"), UnreachableError)
    assert all("there is no such bucket" in message for message in messages)
    with pytest.raises(UnreachableError):
        init_repository(Place("s3://gone/a", StorageOptions(endpoint=s3.endpoint)))
    assert not (s3.data / "gone").exists()


def test_without_credentials_it_is_said_that_there_are_none(s3: S3Server) -> None:
    each_fails(opened(s3.endpoint, s3.bucket("bucket")), CredentialsError)


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_certificate_has_to_be_trusted(tmp_path: Path) -> None:
    certificate, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key)]
    more = ["-out", str(certificate), "-days", "2", "-subj", "/CN=neokeep", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *more, "-addext", "basicConstraints=critical,CA:FALSE"], check=True, capture_output=True)
    with s3_server(tmp_path / "server", (certificate, key)) as server:
        bucket = server.bucket("bucket")
        each_fails(opened(server.endpoint, bucket), CredentialsError)
        trusting = opened(server.endpoint, bucket, certificate)
        trusting.create("a/b", b"x")
        assert trusting.read("a/b") == b"x"
        assert trusting.caveats() == ()


@pytest.mark.usefixtures("keys")
def test_an_endpoint_without_encryption_is_told(s3: S3Server) -> None:
    (caveat,) = opened(s3.endpoint).caveats()
    assert "not encrypted" in caveat


def test_keys_of_a_profile_are_used(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(f"[profile backup]\nregion = us-east-1\nendpoint_url = {s3.endpoint}\n")
    keys = f"[backup]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    (tmp_path / ".aws" / "credentials").write_text(keys)
    monkeypatch.setenv("AWS_PROFILE", "backup")
    made = init_repository(f"s3://{s3.bucket('profile')}/a")
    assert open_repository("s3://profile/a").config == made.config


def test_the_process_of_a_profile_is_asked(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(f"[default]\ncredential_process = cat '{answer}'\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    init_repository(f"s3://{s3.bucket('process')}/a")
    answer.write_text("nothing")
    with pytest.raises(CredentialsError):
        open_repository("s3://process/a")


def test_the_role_of_the_machine_is_used(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = {
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-11-23T00:00:00Z", "AccessKeyId": ACCESS_KEY,
        "SecretAccessKey": SECRET_KEY, "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
    }  # fmt: skip

    def metadata(method: str, path: str) -> Answer:
        if method == "PUT" and path == "/latest/api/token":
            return Answer(200, b"token")
        if path.endswith("/security-credentials/"):
            return Answer(200, b"backup-role")
        return Answer(200, json.dumps(credentials).encode())

    asked: list[str] = []

    def noted(method: str, path: str) -> Answer:
        asked.append(path)
        return metadata(method, path)

    with answering(noted) as endpoint:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", endpoint)
        storage = opened(s3.endpoint, s3.bucket("role"))
        # versitygw takes no session tokens; its refusal shows that the role's credentials arrived there whole.
        with pytest.raises(CredentialsError, match="InvalidToken"):
            storage.create("a/b", b"x")
    assert "/latest/meta-data/iam/security-credentials/backup-role" in asked
