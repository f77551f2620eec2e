"""The command line with the work behind it replaced: these tests are about what is parsed, called and printed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

# Its modules are imported while those below are whole: stand-ins have not all that it takes from them.
import neokeep.graph.subject  # noqa: F401
from neokeep.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Work:
    """What stands in for the modules that do the work: what they answer, and how they were called."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    def function(self, name: str) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            self.calls.append((name, arguments, options))
            answer = self.answers[name]
            if isinstance(answer, BaseException):
                raise answer
            return answer(*arguments, **options) if callable(answer) else answer

        return called

    def options_of(self, name: str) -> dict[str, Any]:
        return next(options for called, _, options in self.calls if called == name)

    def arguments_of(self, name: str) -> tuple[Any, ...]:
        return next(arguments for called, arguments, _ in self.calls if called == name)


REPOSITORY = SimpleNamespace(
    storage=SimpleNamespace(url="/backup/neo4j", content_keys=None),
    encrypted=False,
    config=SimpleNamespace(repository_id="6de05d63-eb1e-459c-8330-c997e300ec49", format=1, features=()),
)

FUNCTIONS = (
    ("neokeep.repository.open", "init_repository"),
    ("neokeep.repository.open", "open_repository"),
    ("neokeep.repository.info", "describe"),
    ("neokeep.image.consolidate", "consolidate"),
    ("neokeep.repository.history", "history"),
    ("neokeep.restore.choose", "choose_chain"),
    ("neokeep.repository.verify", "verify"),
    ("neokeep.capture.backup", "back_up"),
    ("neokeep.capture.several", "back_up_to_several"),
    ("neokeep.capture.several", "Destination"),
    ("neokeep.archive.archiver", "Archiver"),
    ("neokeep.restore.restore", "restore"),
    ("neokeep.restore.several", "restore_from_several"),
    ("neokeep.check.check", "run_check"),
    ("neokeep.consistency.check", "check"),
    ("neokeep.statistics.stats", "describe_graph"),
    ("neokeep.export.run", "export"),
    ("neokeep.export.sql", "run_sql"),
    ("neokeep.repository.expire", "expire"),
    ("neokeep.repository.collect", "collect"),
    ("neokeep.repository.holds", "place_hold"),
    ("neokeep.repository.holds", "release_holds"),
    ("neokeep.repository.holds", "describe_holds"),
    ("neokeep.repository.reindex", "rebuild_index"),
    ("neokeep.repository.keys", "describe_keys"),
    ("neokeep.repository.keys", "add_one"),
    ("neokeep.repository.keys", "remove_one"),
    ("neokeep.repository.keys", "change_passphrase"),
    ("neokeep.repository.keys", "generate"),
    ("neokeep.copies.copy", "copy_backups"),
    ("neokeep.copies.heal", "heal"),
    ("neokeep.neo4j.source", "find_source"),
    ("neokeep.server_files.restore", "restore_server_files"),
    ("neokeep.server_files.diff", "diff_config"),
    ("neokeep.artifact.inspect", "inspect"),
    ("neokeep.artifact.load", "load"),
    ("neokeep.artifact.load", "read_through"),
    ("neokeep.artifact.dump", "dump_server"),
    ("neokeep.artifact.dump", "dump_repository"),
    ("neokeep.artifact.ingest", "ingest"),
)


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("NEOKEEP_", "NEO4J_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    stand_in = Work({"init_repository": REPOSITORY, "open_repository": REPOSITORY, "find_source": "the source"})
    modules: dict[str, ModuleType] = {}
    for module_name, name in FUNCTIONS:
        module = modules.setdefault(module_name, ModuleType(module_name))
        setattr(module, name, stand_in.function(name))
        monkeypatch.setitem(sys.modules, module_name, module)
    modules["neokeep.neo4j.source"].SYSTEM_DATABASE = "system"  # type: ignore[attr-defined]
    modules["neokeep.artifact.dump"].Wanted = SimpleNamespace  # type: ignore[attr-defined]
    modules["neokeep.artifact.ingest"].Order = SimpleNamespace  # type: ignore[attr-defined]
    return stand_in


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run_line(line: str, *more: str) -> Ran:
        status = main([*line.split(), *more])
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run_line
