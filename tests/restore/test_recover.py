"""`--recover`: which engine does it, what it says, and what it leaves when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.fuzzy import DERIVED, Fuzzy
from helpers.redo_model import Made, write_logs
from helpers.redo_model import payload as payload_of
from neokeep.errors import IntegrityError, SourceError
from neokeep.neo4j.distribution import Distribution
from neokeep.neo4j.log.commands import UnknownCommand
from neokeep.neo4j.store.layout import TREES
from neokeep.progress import Silent
from neokeep.restore import recover as recovering
from neokeep.restore.recover import NATIVE, NEO4J, Recovery, is_clean, recover
from neokeep.restore.swap import Staging

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = 20


class Notes(Silent):
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def fuzzy(tmp_path: Path) -> Fuzzy:
    return Fuzzy(tmp_path, KERNEL)


@pytest.fixture
def some_neo4j(tmp_path: Path) -> Distribution:
    return Distribution("5.26.30", tmp_path / "lib", tmp_path / "java")


def run(fuzzy: Fuzzy, recovery: Recovery, notes: Notes | None = None) -> str:
    staging = Staging(fuzzy.store, fuzzy.log)
    return recover(recovery, staging, "neo4j", "aligned", notes or Notes())


def add_unknown_command(fuzzy: Fuzzy) -> None:
    newest = fuzzy.logs[1]
    newest.add(payload_of(KERNEL, [Made(bytes([30]) + bytes(40))]))
    write_logs(fuzzy.log, [newest])


def test_natively_the_store_is_clean_and_no_neo4j_is_needed(fuzzy: Fuzzy) -> None:
    notes = Notes()
    assert run(fuzzy, Recovery(NATIVE, None), notes) == NATIVE
    assert is_clean(fuzzy.log)
    assert notes.said == [f"applying the log of neo4j from 0:{fuzzy.logs[0].ends[1]} on"]


def test_what_is_not_understood_is_left_to_neo4j(
    fuzzy: Fuzzy, some_neo4j: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_unknown_command(fuzzy)
    before, seen = fuzzy.content(), list[dict[str, bytes]]()
    monkeypatch.setattr(recovering, "recover_with_neo4j", lambda *_: seen.append(fuzzy.content()))
    notes = Notes()
    assert run(fuzzy, Recovery(NATIVE, some_neo4j), notes) == NEO4J
    assert seen == [before]
    assert "cannot be understood at 1:" in notes.said[1]
    assert notes.said[1].endswith("it is left to Neo4j's own recovery")
    assert notes.said[2] == "Neo4j 5.26.30 recovers neo4j"


def test_what_is_not_understood_is_an_error_without_a_neo4j(fuzzy: Fuzzy) -> None:
    add_unknown_command(fuzzy)
    before = fuzzy.content()
    with pytest.raises(UnknownCommand, match="a command of type 30") as failure:
        run(fuzzy, Recovery(NATIVE, None))
    assert isinstance(failure.value, SourceError)
    assert failure.value.exit_status == 11
    assert failure.value.remedy
    assert fuzzy.content() == before


def test_a_damaged_log_is_not_left_to_neo4j_which_would_not_notice(fuzzy: Fuzzy, some_neo4j: Distribution) -> None:
    (fuzzy.log / "neostore.transaction.db.1").unlink()
    write_logs(fuzzy.log, [fuzzy.logs[1].next([])])
    with pytest.raises(IntegrityError, match=r"neostore\.transaction\.db\.1, is missing"):
        run(fuzzy, Recovery(NATIVE, some_neo4j))


def test_a_clean_store_keeps_its_indexes(fuzzy: Fuzzy) -> None:
    run(fuzzy, Recovery(NATIVE, None))
    for name in (*TREES, *DERIVED):
        (fuzzy.store / name).parent.mkdir(parents=True, exist_ok=True)
        (fuzzy.store / name).write_bytes(b"good")
    before, notes = fuzzy.content(), Notes()
    assert run(fuzzy, Recovery(NATIVE, None), notes) == NATIVE
    assert fuzzy.content() == before
    assert notes.said == ["neo4j needs no recovery"]


def test_a_store_that_is_not_clean_afterwards_is_an_error(fuzzy: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neokeep.neo4j.recovery.finish._append_checkpoint", lambda *_: None)
    with pytest.raises(IntegrityError, match="neo4j is not clean after its log was applied"):
        run(fuzzy, Recovery(NATIVE, None))
