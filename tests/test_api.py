from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import neokeep
from neokeep import api
from neokeep.capture.policy import FullPolicy
from neokeep.errors import UsageError
from neokeep.workers import default_jobs


def stand_in(
    monkeypatch: pytest.MonkeyPatch, module_name: str, name: str
) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Replace a function that does the work; the list gets its calls."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def called(*arguments: Any, **options: Any) -> str:
        calls.append((arguments, options))
        return name

    module = ModuleType(module_name)
    setattr(module, name, called)
    monkeypatch.setitem(sys.modules, module_name, module)
    return calls


def test_the_version_is_that_of_the_distribution() -> None:
    assert neokeep.__version__ == importlib.metadata.version("neokeep")


def test_importing_the_package_imports_its_version_and_nothing_else() -> None:
    program = (
        "import sys, neokeep; "
        "print([name for name in sys.modules if name.startswith(('neokeep.', 'msgspec', 'click'))])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert printed == b"['neokeep.version']\n"


def test_backup_takes_paths_and_gives_the_work_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = stand_in(monkeypatch, "neokeep.neo4j.source", "find_source")
    opened = stand_in(monkeypatch, "neokeep.repository.open", "open_repository")
    backups = stand_in(monkeypatch, "neokeep.capture.backup", "back_up")
    api.backup("/h", Path("/r"), ["neo4j"], rate_limit=5)
    assert sources == [((Path("/h"), None, None), {})]
    assert opened == [(("/r",), {})]
    ((arguments, options),) = backups
    assert arguments == ("find_source", "open_repository", ["neo4j"])
    assert (options["options"].rate_limit, options["options"].jobs) == (5, default_jobs())
    policy = FullPolicy(every=7 * 86_400, at_log_share=1.0)
    assert (options["options"].type, options["options"].policy) == ("auto", policy)


def test_backup_hands_on_when_a_full_one_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    backups = stand_in(monkeypatch, "neokeep.capture.backup", "back_up")
    source: Any = object()
    repository: Any = object()
    api.backup(source, repository, full_every=None, full_after=12, full_at_log_share=0.5)
    assert backups[0][1]["options"].policy == FullPolicy(None, 12, 0.5)


@pytest.mark.parametrize(
    "rules", [{"full_every": 0}, {"full_after": -1}, {"full_at_log_share": 0.0}, {"full_at_log_share": float("nan")}]
)
def test_backup_refuses_a_policy_that_means_nothing(rules: dict[str, Any]) -> None:
    (name,) = rules
    with pytest.raises(UsageError, match=f"{name}=.* is not above zero"):
        api.backup("/h", "/r", **rules)


def test_backup_takes_objects_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    backups = stand_in(monkeypatch, "neokeep.capture.backup", "back_up")
    source: Any = object()
    repository: Any = object()
    api.backup(source, repository)
    assert backups[0][0] == (source, repository, ())


def test_backup_refuses_one_text_for_a_list_of_databases() -> None:
    with pytest.raises(UsageError) as caught:
        api.backup("/h", "/r", "neo4j")
    assert caught.value.remedy == "Give a list: ['neo4j']."


def test_backup_refuses_what_indexes_cannot_be() -> None:
    with pytest.raises(UsageError, match="indexes='none'"):
        api.backup("/h", "/r", indexes="none")


def test_backup_refuses_a_type_that_is_none() -> None:
    with pytest.raises(UsageError, match="type='log'"):
        api.backup("/h", "/r", type="log")


def test_restore_refuses_a_time_without_a_zone_and_two_targets() -> None:
    noon = datetime(2026, 8, 1, 12, tzinfo=UTC)
    repository: Any = object()
    with pytest.raises(UsageError, match="has no zone"):
        api.restore(repository, "/h", "neo4j", to_time=noon.replace(tzinfo=None))
    with pytest.raises(UsageError, match="several targets"):
        api.restore(repository, "/h", "neo4j", to_time=noon, to_transaction=5)


def test_restore_info_verify_and_check_take_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "neokeep.repository.open", "open_repository")
    restores = stand_in(monkeypatch, "neokeep.restore.restore", "restore")
    infos = stand_in(monkeypatch, "neokeep.repository.info", "describe")
    verifies = stand_in(monkeypatch, "neokeep.repository.verify", "verify")
    checks = stand_in(monkeypatch, "neokeep.check.check", "run_check")
    api.restore("/r", "/h", "neo4j", configuration_directory="/c", overwrite=True)
    api.info("/r", "neo4j")
    api.verify("/r", "L", jobs=2)
    api.check("/h", Path("/r"), interval_seconds=60)
    assert restores[0][0] == ("open_repository", Path("/h"), "neo4j")
    assert restores[0][1]["configuration_directory"] == Path("/c")
    assert restores[0][1]["overwrite"] is True
    assert infos == [(("open_repository", "neo4j", None), {})]
    assert verifies[0][0] == ("open_repository", "L")
    assert checks[0][0] == (Path("/h"), None, "/r")
    assert checks[0][1]["interval_seconds"] == 60


def test_init_makes_a_repository_that_opens(tmp_path: Path) -> None:
    made = api.init(tmp_path / "r")
    assert api.open_repository(tmp_path / "r").config == made.config
    assert api.info(tmp_path / "r").backups == ()
