"""A whole server comes back: its databases, and from the same backups its configuration, certificates and keys."""

from __future__ import annotations

import shutil
import ssl
from typing import TYPE_CHECKING

import pytest

from helpers.server_home import certificate, put, put_plugin
from neokeep import api
from neokeep.lab.bolt import connected
from neokeep.lab.home import create_home
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

VERSION = "5.26.30"
TLS = {
    "dbms.ssl.policy.bolt.enabled": "true",
    "dbms.ssl.policy.bolt.base_directory": "certificates/bolt",
    "dbms.ssl.policy.bolt.client_auth": "NONE",
    "server.bolt.tls_level": "OPTIONAL",
}


def test_a_server_that_is_lost_comes_back_with_its_certificates(tmp_path: Path, quick_java: None) -> None:
    server = create_home(tmp_path / "home", VERSION, TLS)
    public, private = certificate(days=20.5)
    put(server.home, "certificates/bolt/public.crt", public, 0o644)
    put(server.home, "certificates/bolt/private.key", private, 0o600)
    put_plugin(server.home, "helper-1.2.jar", "1.2")
    (tmp_path / "passphrase").write_text("a phrase of some length")
    place = Place(str(tmp_path / "encrypted"), keys=KeySources(passphrase_file=tmp_path / "passphrase"))
    plain = str(tmp_path / "plain")
    api.init(place)
    api.init(plain)
    server.start()
    try:
        with connected(server.bolt_uri) as session:
            session.run("CREATE (:Person {name: 'Ada'})")
        report = api.backup(server.home, [place, plain], server_files="all")
        with connected(server.bolt_uri) as session:
            session.run("CREATE (:Person {name: 'Grace'})")
        later = api.backup(server.home, place, ["neo4j"], type="incremental", server_files="all")
    finally:
        server.stop()
    assert [one.days_left for one in report.certificates] == [20]
    for one in report.others[0].backups:
        assert one.server_files is not None
        assert [item.path for item in one.server_files.left_out] == ["certificates/bolt/private.key"]
    assert later.backups[0].server_files == report.backups[0].server_files
    assert api.diff_config(place, source=server.home).same

    shutil.rmtree(server.home / "data")
    restored = api.restore_server_files(place, tmp_path / "files")
    back = create_home(tmp_path / "back", VERSION)
    for folder in ("conf", "certificates", "plugins"):
        shutil.rmtree(back.home / folder, ignore_errors=True)
        shutil.copytree(tmp_path / "files" / folder, back.home / folder)
    for name in ("system", "neo4j"):
        api.restore(place, back.home, name)
    assert restored.label == later.backups[0].label
    back.start()
    try:
        with connected(back.bolt_uri) as session:
            people = session.run("MATCH (p:Person) RETURN p.name AS name ORDER BY name")
        host, port = back.bolt_uri.removeprefix("bolt://").split(":")
        shown = ssl.get_server_certificate((host, int(port)))
    finally:
        back.stop()
    assert [one["name"] for one in people] == ["Ada", "Grace"]
    assert ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(public.decode())
    made = api.consolidate(place, "neo4j")
    assert made.backup.server_files == later.backups[0].server_files
    assert api.diff_config(place, made.backup.label, later.backups[0].label).same
    assert api.verify(place).ok
