"""What decides how S3 is reached: options, environment, the files of Amazon's tools."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import ConfigurationError, CredentialsError
from neokeep.storage.aws import Profile, credentials_of_process, read_profile, settle
from neokeep.storage.place import StorageOptions

if TYPE_CHECKING:
    from pathlib import Path

NONE = Profile("default", {})
KEYS = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S"}
SECRET = "wJalrXUtnFEMI"


def write(home: Path, config: str = "", credentials: str = "") -> dict[str, str]:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(config)
    (home / ".aws" / "credentials").write_text(credentials)
    return {"HOME": str(home)}


def test_without_anything_it_is_amazon_by_host_with_keys_found_by_the_library() -> None:
    settings = settle(StorageOptions(), "bucket", {}, NONE)
    assert (settings.region, settings.endpoint, settings.by_host, settings.keys) == ("us-east-1", None, True, None)
    assert not settle(StorageOptions(), "my.bucket", {}, NONE).by_host


def test_an_option_counts_before_the_environment_and_that_before_the_profile() -> None:
    profile = Profile("default", {"endpoint_url": "http://profile", "region": "eu-profile-1"})
    environment = {"AWS_ENDPOINT_URL": "http://environment", "AWS_REGION": "eu-environment-1"}
    options = StorageOptions(endpoint="http://option", region="eu-option-1")
    for given, around, origin in ((options, environment, "option"), (StorageOptions(), environment, "environment")):
        settings = settle(given, "bucket", around, profile)
        assert (settings.endpoint, settings.region) == (f"http://{origin}", f"eu-{origin}-1")
    settings = settle(StorageOptions(), "bucket", {}, profile)
    assert (settings.endpoint, settings.region) == ("http://profile", "eu-profile-1")
    both = {"AWS_ENDPOINT_URL_S3": "http://s3", "AWS_ENDPOINT_URL": "http://all", "AWS_DEFAULT_REGION": "eu-west-1"}
    settings = settle(StorageOptions(), "bucket", both, NONE)
    assert (settings.endpoint, settings.region) == ("http://s3", "eu-west-1")


def test_an_own_endpoint_is_asked_by_path_unless_it_shall_be_by_host() -> None:
    own = StorageOptions(endpoint="https://store:9000")
    assert settle(own, "bucket", {}, NONE).endpoint == "https://store:9000"
    assert not settle(own, "bucket", {}, NONE).by_host
    by_host = StorageOptions(endpoint="https://store:9000", addressing="host")
    assert settle(by_host, "bucket", {}, NONE).endpoint == "https://bucket.store:9000"


def test_keys_come_from_the_environment_then_from_the_profile() -> None:
    profile = Profile("default", {"aws_access_key_id": "P", "aws_secret_access_key": "Q", "aws_session_token": "T"})
    environment = {**KEYS, "AWS_SESSION_TOKEN": "E"}
    settings = settle(StorageOptions(), "bucket", environment, profile)
    assert settings.keys == {"access_key_id": "A", "secret_access_key": "S", "session_token": "E"}
    in_profile = {"access_key_id": "P", "secret_access_key": "Q", "session_token": "T"}
    assert settle(StorageOptions(), "bucket", {}, profile).keys == in_profile
    named = {**KEYS, "AWS_PROFILE": "default"}
    assert settle(StorageOptions(), "bucket", named, profile).keys == in_profile


def test_half_a_key_is_refused() -> None:
    with pytest.raises(CredentialsError, match="without AWS_SECRET_ACCESS_KEY"):
        settle(StorageOptions(), "bucket", {"AWS_ACCESS_KEY_ID": "A"}, NONE)


def test_a_profile_is_read_from_both_files(tmp_path: Path) -> None:
    environment = write(
        tmp_path,
        "[default]\nregion = eu-central-1\n[profile backup]\nregion = eu-west-3\nca_bundle = ~/ca.pem\n",
        "[default]\naws_access_key_id = D\naws_secret_access_key = 50%of\n[backup]\naws_access_key_id = B\n",
    )
    assert read_profile(environment).values["aws_secret_access_key"] == "50%of"
    assert read_profile(environment).values["region"] == "eu-central-1"
    backup = read_profile(environment | {"AWS_PROFILE": "backup"})
    assert (backup.values["region"], backup.values["aws_access_key_id"]) == ("eu-west-3", "B")
    assert read_profile({"HOME": str(tmp_path / "nobody")}).values == {}


def test_a_named_profile_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no profile 'backup'"):
        read_profile(write(tmp_path) | {"AWS_PROFILE": "backup"})


def test_a_file_that_cannot_be_understood_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a configuration file of AWS") as failure:
        read_profile(write(tmp_path, credentials=f"aws_secret_access_key = {SECRET}\n"))
    assert SECRET not in str(failure.value)
    assert failure.value.__suppress_context__


def test_a_role_or_single_sign_on_is_left_to_boto3() -> None:
    profile = Profile("sso", {"sso_session": "work"})
    assert settle(StorageOptions(), "bucket", {}, profile).boto3_profile == "sso"


def test_the_process_of_a_profile_gives_credentials() -> None:
    answer = (
        '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T", '
        '"Expiration": "2026-11-23T01:00:00Z"}'
    )
    found = credentials_of_process(_python(f"print({answer!r})"))
    assert (found["access_key_id"], found["secret_access_key"], found.get("token")) == ("A", "S", "T")
    assert found["expires_at"] is not None


@pytest.mark.parametrize("program", ["print('{}')", f"print({SECRET!r})", "raise SystemExit(1)", "print('[]')"])
def test_a_process_that_gives_none_is_told_without_its_output(program: str) -> None:
    with pytest.raises(CredentialsError, match="credential_process") as failure:
        credentials_of_process(_python(program))
    assert SECRET not in str(failure.value)


def _python(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])
