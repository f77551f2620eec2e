"""What changed between two states of a server's configuration, told without a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import new_repository
from helpers.database import make_database
from helpers.encrypted import encrypted_repository
from helpers.server_home import SECRETS, certificate, furnish, put, put_plugin, take
from neokeep import api
from neokeep.errors import RepositoryError, SourceError, UsageError
from neokeep.server_files.compare import State, compare
from neokeep.server_files.gather import _left_out
from neokeep.server_files.listing import Candidate

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.repository.repository import Repository
    from neokeep.server_files.reports import DiffConfigReport


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    database = make_database(tmp_path / "home")
    furnish(database.home)
    return database


def differences(report: DiffConfigReport) -> list[tuple[str, str, tuple[str, ...] | None, tuple[str, ...] | None]]:
    return [(one.setting, one.change, one.before, one.after) for one in report.settings]


def edit(made: Synthetic, old: str, new: str) -> None:
    path = made.home / "conf/neo4j.conf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(params=["plain", "encrypted"])
def repository(request: pytest.FixtureRequest) -> Repository:
    return (new_repository() if request.param == "plain" else encrypted_repository())[0]


def test_nothing_differs_right_after_a_backup(made: Synthetic, repository: Repository) -> None:
    take(made, repository)
    report = api.diff_config(repository, source=made.source)
    assert report.same
    assert (report.settings, report.files) == ((), ())
    assert report.before.label is not None
    assert report.after.label is None


def test_settings_that_came_went_and_changed_are_told(made: Synthetic, repository: Repository) -> None:
    take(made, repository)
    edit(made, "server.bolt.listen_address=:7687\n", "server.bolt.listen_address=:7688\nnew.one = 1\n")
    edit(made, "dbms.ssl.policy.bolt.enabled=true\n", "")
    report = api.diff_config(repository, source=made.source)
    assert not report.same
    assert differences(report) == [
        ("dbms.ssl.policy.bolt.enabled", "removed", ("true",), ()),
        ("new.one", "added", (), ("1",)),
        ("server.bolt.listen_address", "changed", (":7687",), (":7688",)),
    ]


def test_a_changed_secret_is_told_where_it_can_be_compared_and_never_shown(
    made: Synthetic, repository: Repository
) -> None:
    take(made, repository)
    edit(made, "hunter2-of-the-key", "another-secret-here")
    edit(made, "changeit-please", "and-one-more-here")
    edit(made, "server.bolt", "a.password=brand-new-secret\nserver.bolt")
    report = api.diff_config(repository, source=made.source)
    names = ["dbms.ssl.policy.bolt.private_key_password", "server.jvm.additional"]
    changed = [(name, "changed", None, None) for name in names] if repository.encrypted else []
    assert differences(report) == [("a.password", "added", None, None), *changed]
    assert report.not_compared[-2:] == (
        ("conf/neo4j.conf: dbms.ssl.policy.bolt.private_key_password", "conf/neo4j.conf: server.jvm.additional")
        if not repository.encrypted
        else report.not_compared[-2:]
    )
    text = msgspec.json.encode(report)
    for secret in (*SECRETS, b"another-secret-here", b"and-one-more-here", b"brand-new-secret"):
        assert secret not in text


def test_a_secret_that_was_removed_or_is_new_is_told_of_a_redacted_backup_too(made: Synthetic) -> None:
    repository, _ = new_repository()
    take(made, repository)
    edit(made, "dbms.ssl.policy.bolt.private_key_password=hunter2-of-the-key\n", "")
    assert differences(api.diff_config(repository, source=made.source)) == [
        ("dbms.ssl.policy.bolt.private_key_password", "removed", None, None)
    ]


def test_plugins_are_told_by_version_and_certificates_by_content_and_mode(
    made: Synthetic, repository: Repository
) -> None:
    take(made, repository)
    (made.home / "plugins/apoc-5.26.0-core.jar").unlink()
    put_plugin(made.home, "apoc-5.26.1-core.jar", "5.26.1")
    put(made.home, "certificates/bolt/public.crt", certificate(days=9.5)[0], 0o644)
    (made.home / "certificates/bolt/trusted/ca.crt").unlink()
    (made.home / "licenses/gds.license").chmod(0o666)
    put(made.home, "conf/more.conf", "a=b\n")
    report = api.diff_config(repository, source=made.source)
    told = {one.file: (one.change, one.what) for one in report.files}
    content = told.pop("certificates/bolt/public.crt")
    assert content[0] == "changed"
    assert content[1].startswith("other content")
    assert told == {
        "certificates/bolt/trusted/ca.crt": ("removed", ""),
        "conf/more.conf": ("added", ""),
        "licenses/gds.license": ("changed", "mode 0640 -> 0666"),
        "plugins/apoc-5.26.1-core.jar": (
            "changed",
            "instead of plugins/apoc-5.26.0-core.jar: APOC 5.26.0 -> APOC 5.26.1",
        ),
    }
    assert [(one.path, one.days_left) for one in report.certificates] == [("certificates/bolt/public.crt", 9)]


def test_two_backups_are_compared_by_their_labels(made: Synthetic, repository: Repository) -> None:
    first = take(made, repository).label
    edit(made, ":7687", ":7699")
    second = take(made, repository).label
    report = api.diff_config(repository, first, second)
    assert (report.before.label, report.after.label) == (first, second)
    assert differences(report) == [("server.bolt.listen_address", "changed", (":7687",), (":7699",))]
    back = api.diff_config(repository, second, first)
    assert differences(back) == [("server.bolt.listen_address", "changed", (":7699",), (":7687",))]


def test_what_makes_no_sense_is_refused(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    with pytest.raises(RepositoryError):
        api.diff_config(repository, source=made.source)
    label = take(made, repository).label
    with pytest.raises(UsageError, match="nothing to compare"):
        api.diff_config(repository, label)
    with pytest.raises(UsageError, match="only one"):
        api.diff_config(repository, after=label)
    with pytest.raises(SourceError, match="no configuration"):
        api.diff_config(repository, label, source=make_database(tmp_path / "bare").source)


NAMES = st.sampled_from(["a.b", "c.password", "d.e", "server.jvm.additional"])
VALUES = st.sampled_from(["1", "2", "-Dx.password=3", "redis://u:pw@h", ""])
TEXTS = st.lists(st.tuples(NAMES, VALUES)).map(lambda pairs: "".join(f"{name}={value}\n" for name, value in pairs))


def state(text: str) -> list[State]:
    from pathlib import Path

    file = _left_out(Candidate("conf", "neo4j.conf", Path("/x"), private=False), "")
    return [State(msgspec.structs.replace(file, state="whole"), text.encode())]


@given(TEXTS, TEXTS)
def test_a_comparison_is_the_same_backwards_and_silent_about_secrets(one: str, other: str) -> None:
    there, back = compare(state(one), state(other)), compare(state(other), state(one))
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(item.setting, opposite[item.change], item.after, item.before) for item in there.settings] == [
        (item.setting, item.change, item.before, item.after) for item in back.settings
    ]
    assert compare(state(one), state(one)).none
    for item in there.settings:
        shown = " ".join((*(item.before or ()), *(item.after or ())))
        assert "password" not in shown
        assert "pw@" not in shown
        assert item.setting != "c.password" or not shown.strip()
