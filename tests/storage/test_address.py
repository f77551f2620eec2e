"""What users call places, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.errors import UsageError
from neokeep.storage.address import SCHEMES, Address, parse_address

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/backup/neo4j", Address("file", "/backup/neo4j")),
        ("file:///backup/neo4j", Address("file", "/backup/neo4j")),
        ("s3://bucket", Address("s3", "", "bucket")),
        ("s3://my.bucket-1/", Address("s3", "", "my.bucket-1")),
        ("s3://bucket/a/b/", Address("s3", "a/b", "bucket")),
        ("gs://bucket/a", Address("gs", "a", "bucket")),
        ("az://container/a", Address("az", "a", "container")),
        ("sftp://host/backup", Address("sftp", "/backup", "host")),
        ("sftp://me@host.example:2222/backup/neo4j/", Address("sftp", "/backup/neo4j", "host.example", "me", 2222)),
        ("sftp://me@[::1]:22/backup", Address("sftp", "/backup", "[::1]", "me", 22)),
        ("sftp://host/~/backup", Address("sftp", "backup", "host")),
    ],
)
def test_places_are_understood(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "file://", "ftp://host/a", "http://host/a", "s3://", "s3:///a", "s3://b", "s3://bucket/../a",
        "s3://bucket/a//b", "s3://bucket/a b", "s3://bucket/%61", "s3://bucket:80/a", "gs://bucket?x", "az://-/a",
        "sftp://", "sftp:///a", "sftp://host", "sftp://host/", "sftp://host:0/a", "sftp://host:65536/a",
        "sftp://host:x/a", "sftp://host/a/../b", "sftp://host/~other/a", "sftp://host/~", "sftp://a@b@c/d",
        "s3://bucket/a\nb", "/a\0b",
    ],
)  # fmt: skip
def test_what_cannot_be_a_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse_address(text)
    assert failure.value.remedy


@pytest.mark.parametrize(
    "text", [f"s3://key:{SECRET}@bucket/a", f"sftp://me:{SECRET}@host/a", f"az://{SECRET}@container/a"]
)
def test_a_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse_address(text)
    assert SECRET not in failure.value.message + failure.value.remedy


def test_a_directory_may_be_relative_or_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert parse_address("a/b").path == str(tmp_path / "a/b")
    assert parse_address("~/b").path == "/home/me/b"


@given(
    st.one_of(
        st.text(max_size=40),
        st.builds(
            "{}://{}".format,
            st.sampled_from(SCHEMES),
            st.text(alphabet="ab.@:/~-_[]1290%?#", max_size=30),
        ),
    )
)
def test_any_text_is_an_address_that_its_url_gives_again_or_a_usage_error(text: str) -> None:
    try:
        address = parse_address(text)
    except UsageError:
        return
    assert parse_address(address.url) == address
    if address.scheme != "file":
        assert ".." not in Path(address.path).parts
