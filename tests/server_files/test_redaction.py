"""What of a file may be public: no secret stays, and what is none stays byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.server_home import APOC, CONF, SECRETS, certificate
from neokeep.neo4j.configuration import parse_properties
from neokeep.server_files.properties import MARK, groups_of, settings_of
from neokeep.server_files.secrets import is_secret_setting, public_part, redacted

SECRET_NAMES = st.sampled_from(
    [
        "dbms.ssl.policy.bolt.private_key_password",
        "dbms.security.ldap.authorization.system_password",
        "dbms.security.oidc.mysso.client_secret",
        "apoc.custom.api-key",
        "my.plugin.access_key",
        "apoc.es.passphrase",
        "some.auth.token",
        "DB.PASSWD",
    ]
)
SECRET_FORMS = st.sampled_from(
    [
        "server.jvm.additional=-Djavax.net.ssl.trustStorePassword={}",
        "apoc.jdbc.shop.url=jdbc:mysql://host/db?user=u&password={}",
        "apoc.jdbc.other.url=jdbc:oracle:thin:scott/{}@host",
        "apoc.redis.url=redis://user:{}@host:6379",
        "dbms.security.oidc.x.params=client_id=a;client_secret={}",
        "# the old password: {}",
        "!db.password = {}",
        "pass\\u0077ord={}",
    ]
)
# Letters that no name and no form has, so that a secret is found by looking for it.
SECRET = st.text("ŁŁçßqzQZ0123456789#!$%+", min_size=3, max_size=24).map(lambda text: f"Ł{text}".replace("$(", "$"))
OPEN = st.sampled_from(
    [
        "# a comment",
        "server.bolt.listen_address=:7687",
        "dbms.ssl.policy.bolt.private_key=private.key",
        "server.directories.data : /data",
        "db.tx_log.rotation.size 250m",
        "server.jvm.additional=-XX:+UseG1GC",
        "dbms.security.oidc.x.token_endpoint=https://sso/token",
        "server.memory.heap.max_size=\\",
        "",
        "dbms.password=$(cat /run/secrets/pw)",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def secret_lines(draw: st.DrawFn) -> tuple[str, str]:
    """A line, or two, with a secret in it, and the secret."""
    secret = draw(SECRET)
    if draw(st.booleans()):
        name, between = draw(SECRET_NAMES), draw(st.sampled_from(["=", ": ", " ", "=\\\n   ", " = "]))
        comment = draw(st.sampled_from(["", "#", "  # ", "!"]))
        return f"{comment}{name}{between}{secret}", secret
    return draw(SECRET_FORMS).format(secret), secret


@given(st.lists(st.one_of(OPEN.map(lambda line: (line, "")), secret_lines())), ENDS)
def test_no_secret_stays_in_a_configuration_and_all_else_does(lines: list[tuple[str, str]], end: str) -> None:
    text = "".join(line.replace("\n", end) + end for line, _ in lines)
    public = redacted(text.encode())
    assert public.content is not None
    left = public.content.decode()
    for _, secret in lines:
        assert not secret or secret not in left
    kept = [group.text for group in groups_of(left) if not group.text.startswith(MARK)]
    groups = [group.text for group in groups_of(text)]
    assert [group for group in groups if group in kept] == kept
    assert bool(public.redacted) == (left != text)


@given(st.text())
def test_the_groups_of_a_text_are_the_text(text: str) -> None:
    assert "".join(group.text for group in groups_of(text)) == text


@given(st.binary())
@example(b"\xff\xfepassword=\xff")
def test_bytes_of_any_kind_are_redacted_without_an_error(content: bytes) -> None:
    public = redacted(content)
    assert public.content is not None
    again = redacted(public.content)
    assert again.content is not None
    assert not public.redacted or len(again.redacted) <= len(public.redacted)


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,9}\.[a-z]{1,9}", fullmatch=True), st.from_regex(r"\w{0,9}"))))
def test_settings_are_read_as_a_server_reads_them(pairs: list[tuple[str, str]]) -> None:
    text = "".join(f"{name}={value.strip()}\n" for name, value in pairs)
    settings, left_out = settings_of(text.encode())
    assert {name: values[-1] for name, values in settings.items()} == parse_properties(text)
    assert not left_out


def test_the_names_of_what_is_left_out_are_told_in_its_place() -> None:
    public = redacted(CONF.encode())
    assert public.redacted == (
        "dbms.ssl.policy.bolt.private_key_password",
        "dbms.security.ldap.authorization.system_password (in a comment)",
        "server.jvm.additional",
    )
    settings, left_out = settings_of(public.content or b"")
    assert left_out == {"dbms.ssl.policy.bolt.private_key_password", "server.jvm.additional"}
    assert settings["server.jvm.additional"] == ("-XX:+UseG1GC",)
    assert settings["server.bolt.listen_address"] == (":7687",)


def test_a_secret_is_left_out_wherever_else_its_file_repeats_it() -> None:
    text = "db.password=correct-horse\n# it was correct-horse in May\nother.setting=correct-horse\nmy.horse=brown\n"
    public = redacted(text.encode())
    assert b"correct-horse" not in (public.content or b"")
    assert (public.content or b"").endswith(b"my.horse=brown\n")
    assert public.redacted == ("db.password", "text (in a comment)", "other.setting")


def test_both_files_of_the_example_lose_all_their_secrets() -> None:
    content = (redacted(CONF.encode()).content or b"") + (redacted(APOC.encode()).content or b"")
    assert not [secret for secret in SECRETS if secret in content]
    assert b"apoc.import.file.enabled=true" in content


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dbms.password", "$(cat /run/secrets/pw)"),
        ("dbms.password", ""),
        ("dbms.security.auth_minimum_password_length", "8"),
        ("dbms.security.oidc.x.token_endpoint", "https://sso.example.com/token"),
        ("dbms.ssl.policy.bolt.private_key", "private.key"),
        ("server.bolt.advertised_address", "db1.example.com:7687"),
        ("db.transaction.timeout", "10s"),
    ],
)
def test_what_is_no_secret_is_not_taken_for_one(name: str, value: str) -> None:
    assert not is_secret_setting(name, value)


def test_certificates_are_public_and_keys_are_not() -> None:
    public, private = certificate()
    assert public_part("certificates", "bolt/public.crt", public).content == public
    assert public_part("certificates", "bolt/chain.pem", public + public).content == public + public
    for path, content in [
        ("bolt/private.key", private),
        ("bolt/both.pem", public + private),
        ("bolt/named.key", public),
        ("bolt/store.p12", b"\x30\x82"),
        ("bolt/store", b"\x30\x82 no certificate"),
        ("bolt/notes.txt", b"the password is 1234"),
        ("bolt/half.pem", public + b"A" * 64),
        ("bolt/open.pem", private[: len(private) // 2]),
    ]:
        assert public_part("certificates", path, content).content is None, path


@pytest.mark.parametrize("path", ["apoc.conf", "server-logs.xml"])
def test_letters_of_two_bytes_hide_no_secret(path: str) -> None:
    assert public_part("conf", path, "db.password=x".encode("utf-16")).content is None


@pytest.mark.parametrize(
    ("name", "value", "is_public"),
    [
        ("server.default_listen_address", "0.0.0.0\n", True),
        ("dbms.security.ldap.authorization.system_password", "hunter2", False),
        ("server.jvm.additional", "-Djavax.net.ssl.keyStorePassword=hunter2", False),
        ("dbms.password", "$(cat /run/secrets/pw)", True),
    ],
)
def test_a_setting_in_a_file_of_its_own_is_public_unless_it_is_a_secret(name: str, value: str, is_public: bool) -> None:
    public = public_part("conf", f"neo4j.conf/{name}", value.encode())
    assert public.content == (value.encode() if is_public else None)


def test_an_empty_file_has_no_secret() -> None:
    assert public_part("certificates", "bolt/revoked/.gitkeep", b"").content == b""


def test_a_file_that_a_setting_names_as_a_key_is_one_whatever_it_holds() -> None:
    public, _ = certificate()
    assert public_part("certificates", "bolt/x.pem", public, private=True).content is None


def test_a_key_inside_of_a_configuration_takes_the_whole_file_out() -> None:
    _, private = certificate()
    assert public_part("conf", "neo4j.conf", b"a=b\n" + private).content is None


@pytest.mark.parametrize("path", ["neo4j.conf.bak", "ldap-password", "ca.p12", "notes"])
def test_a_file_of_an_unknown_kind_is_not_public(path: str) -> None:
    assert public_part("conf", path, b"anything").content is None


def test_a_log_configuration_is_public_unless_it_speaks_of_a_secret() -> None:
    assert public_part("conf", "server-logs.xml", b"<Configuration/>").content == b"<Configuration/>"
    for text in (b'<KeyStore passWord="x"/>', b'<JDBC url="jdbc:mysql:scott/tiger@h"/>', b"<X>smtp://u:p@h</X>"):
        assert public_part("conf", "server-logs.xml", text).content is None
