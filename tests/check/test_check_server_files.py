"""What `check` says of the server's other files: nothing of them keeps backups from working."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from helpers.database import make_database
from helpers.server_home import certificate, furnish, put
from neokeep.check.server_files import check_server_files

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.reports import Finding


def findings(home: Path) -> list[Finding]:
    return list(check_server_files(make_database(home).source))


def test_files_that_can_be_read_are_counted(tmp_path: Path) -> None:
    furnish(tmp_path)
    (found,) = findings(tmp_path)
    assert (found.status, found.message) == ("ok", "8 files can be read")


def test_a_home_without_any_is_as_good(tmp_path: Path) -> None:
    (found,) = findings(tmp_path)
    assert found.status == "ok"


def test_what_is_not_in_backups_and_what_ends_soon_are_warnings(tmp_path: Path) -> None:
    furnish(tmp_path)
    os.symlink("/nowhere", tmp_path / "conf/broken.conf")
    put(tmp_path, "conf/neo4j.conf", "server.directories.licenses=$(pwd)\n")
    put(tmp_path, "certificates/near.crt", certificate("near", 5)[0])
    put(tmp_path, "certificates/over.crt", certificate("over", -5)[0])
    found = findings(tmp_path)
    assert [one.status for one in found] == ["ok", *["warning"] * 4]
    messages = "\n".join(one.message for one in found)
    for part in ("server.directories.licenses", "conf/broken.conf: it cannot be read", "CN=over", "CN=near"):
        assert part in messages
    assert all(one.remedy for one in found[1:])
