from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import SourceError
from neokeep.lab import fetch as fetching
from neokeep.lab.fetch import fetch, is_whole, pom

if TYPE_CHECKING:
    from pathlib import Path

MAVEN = """#!/bin/sh
for argument; do case $argument in -DoutputDirectory=*) out=${argument#*=};; esac; done
echo run >> "$COUNTER"
mkdir -p "$out"; sleep 0.3
echo kernel > "$out/neo4j-kernel-5.26.30.jar"; echo other > "$out/other.jar"
"""


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "mvn"
    program.parent.mkdir()
    program.write_text(MAVEN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("NEOKEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COUNTER", str(tmp_path / "runs"))
    return program


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().splitlines())


def test_a_version_is_fetched_once(maven: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first, second = fetch("5.26.30", said.append), fetch("5.26.30", said.append)
    assert first == second
    assert first.lib == tmp_path / "cache" / "neo4j" / "5.26.30" / "lib"
    assert runs(tmp_path) == 1
    assert said == ["fetching Neo4j Community 5.26.30"]


def test_fetches_at_the_same_time_all_succeed(maven: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fetch, ["5.26.30"] * 4))
    assert len(set(found)) == 1
    assert runs(tmp_path) == 1


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing", "short", "no list"])
def test_a_half_filled_cache_is_never_used(maven: Path, tmp_path: Path, damage: str) -> None:
    lib = fetch("5.26.30").lib
    if damage == "missing":
        (lib / "other.jar").unlink()
    elif damage == "short":
        (lib / "other.jar").write_text("o")
    else:
        (lib.parent / "jars.txt").unlink()
    assert not is_whole(lib.parent)
    fetch("5.26.30")
    assert is_whole(lib.parent)
    assert (lib / "other.jar").read_text() == "other\n"
    assert runs(tmp_path) == 2


def test_an_unknown_version_is_told_apart_and_leaves_nothing(maven: Path, tmp_path: Path) -> None:
    maven.write_text(
        "#!/bin/sh\necho '[ERROR] Could not find artifact org.neo4j:neo4j:jar:9.9.9 in somewhere'\nexit 1\n"
    )
    with pytest.raises(SourceError, match=r"no Neo4j Community 9\.9\.9") as caught:
        fetch("9.9.9")
    assert caught.value.remedy
    assert [path.name for path in (tmp_path / "cache" / "neo4j").iterdir()] == [".9.9.9.lock"]


def test_any_other_failure_of_maven_is_shown(maven: Path) -> None:
    maven.write_text("#!/bin/sh\necho '[ERROR] the network is down'\nexit 1\n")
    with pytest.raises(SourceError, match="the network is down"):
        fetch("5.26.30")


def test_without_maven_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOKEEP_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match="Maven") as caught:
        fetch("5.26.30")
    assert "apt-get install maven" in caught.value.remedy


def test_a_bare_machine_of_root_gets_maven_by_its_package_manager(
    maven: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, empty = maven.rename(tmp_path / "mvn-to-be"), maven.parent
    (empty / "apt-get").write_text(f'#!/bin/sh\n[ "$2" = install ] && /bin/cp {real} {maven}; exit 0\n')
    (empty / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    said: list[str] = []
    assert fetching._maven(said.append) == str(maven)
    assert said == ["installing Maven by apt-get"]


def test_a_package_manager_that_fails_tells_why(maven: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    maven.unlink()
    (maven.parent / "apt-get").write_text(
        "#!/bin/sh\necho 'W: a warning' >&2\necho 'E: Unmet dependencies.' >&2\nexit 100\n"
    )
    (maven.parent / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(maven.parent))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(SourceError, match=r"not installed, and apt-get fails: E: Unmet dependencies\.$"):
        fetching._maven(lambda _: None)


def test_the_project_names_every_artifact_at_the_version() -> None:
    text = pom("5.26.30")
    assert text.count("<version>5.26.30</version>") == len(fetching.ARTIFACTS)


@pytest.mark.real
def test_every_version_can_be_assembled(version: str, lab_cache: Path) -> None:
    distribution = fetch(version)
    assert distribution.lib == lab_cache / "neo4j" / version / "lib"
    assert is_whole(distribution.lib.parent)
