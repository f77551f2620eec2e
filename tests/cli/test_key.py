"""What the commands for keys tell a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cli import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work

    Run = Callable[..., Ran]


def test_a_new_key_is_told_with_its_name_where_it_has_one(work: Work, run: Run) -> None:
    work.answers["add_one"] = keys.KEY_ADDED
    out = run("key add --repo /r --recipient host.pem.pub").out
    assert f"new writer key {keys.HOST_KEY.id} ({keys.HOST_KEY.name})\n" in out
    nameless = msgspec.structs.replace(keys.HOST_KEY, name="")
    work.answers["add_one"] = msgspec.structs.replace(keys.KEY_ADDED, key=nameless)
    assert f"new writer key {nameless.id}\n" in run("key add --repo /r --recipient host.pem.pub").out


def test_changing_a_passphrase_tells_which_key_came_and_which_went(work: Work, run: Run) -> None:
    work.answers["change_passphrase"] = keys.KEY_CHANGED
    out = run("key change-passphrase --repo /r").out
    assert f"/backup/neo4j has a new reader key {keys.KEY.id}\n" in out
    assert f"The key {keys.KEY_CHANGED.removed} is removed." in out
