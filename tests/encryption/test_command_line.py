"""Encrypted repositories from the command line, with every source of a key, and no secret anywhere to be seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from helpers.backups import content, expected
from helpers.database import make_database
from helpers.properties import one_of
from neokeep.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "correct-horse-battery-staple"


class Run(Protocol):
    """Runs one command line in an environment without settings but those that are given."""

    def __call__(
        self, *arguments: object, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


def is_setting(name: str) -> bool:
    return name.startswith(("NEOKEEP_", "NEO4J_"))


def neokeep(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own, where keys have the cost that they have for users."""
    clean = {name: value for name, value in os.environ.items() if not is_setting(name)}
    return subprocess.run(
        [sys.executable, "-m", "neokeep", *map(str, arguments)],
        env=clean | dict(environment or {}), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run command lines in this process."""

    def run(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        line = list(map(str, arguments))
        with monkeypatch.context() as patch:
            for name in filter(is_setting, list(os.environ)):
                patch.delenv(name)
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            status = main(line)
        return subprocess.CompletedProcess(line, status, *capsys.readouterr())

    return run


@pytest.fixture
def files(tmp_path: Path, here: Run) -> Path:
    (tmp_path / "p").write_text(f"{SECRET}\n")
    assert here("key", "generate", tmp_path / "id.pem").returncode == 0
    return tmp_path


def ways(files: Path) -> dict[str, tuple[list[object], dict[str, str]]]:
    return {
        "file": (["--passphrase-file", files / "p"], {}),
        "command": (["--passphrase-command", f"cat {files / 'p'}"], {}),
        "identity": (["--identity-file", files / "id.pem"], {}),
        "file-variable": ([], {"NEOKEEP_PASSPHRASE_FILE": str(files / "p")}),
        "command-variable": ([], {"NEOKEEP_PASSPHRASE_COMMAND": f"cat {files / 'p'}"}),
        "identity-variable": ([], {"NEOKEEP_IDENTITY_FILE": str(files / "id.pem")}),
        "variable": ([], {"NEOKEEP_PASSPHRASE": SECRET}),
    }


@pytest.mark.parametrize("way", one_of(3, list(ways(Path()))))
def test_a_backup_is_made_listed_verified_and_restored_with_each_source_of_a_key(
    files: Path, here: Run, way: str
) -> None:
    require_everything_works(here, files, way)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["command", "identity-variable", "variable"])
def test_processes_of_their_own_do_the_same(files: Path, way: str) -> None:
    require_everything_works(neokeep, files, way)


def require_everything_works(run: Run, files: Path, way: str) -> None:
    flags, environment = ways(files)[way]
    made = make_database(files / "home")
    repository = files / "repository"
    common = ["--repo", repository, *flags]
    outputs = [
        run("init", *common, environment=environment),
        run("backup", "--home", made.home, *common, environment=environment),
        run("info", *common, "--output", "json", environment=environment),
        run("verify", *common, environment=environment),
        run("restore", "neo4j", "--home", files / "restored", *common, environment=environment),
        run("key", "list", "--repo", repository, "--output", "json"),
    ]
    for ran in outputs:
        assert ran.returncode == 0, ran.stderr
        assert SECRET not in ran.stdout + ran.stderr
    assert content(files / "restored") == expected(made)
    for path in repository.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
    wrong = run("info", "--repo", repository, "--output", "json", environment={"NEOKEEP_PASSPHRASE": "other"})
    assert wrong.returncode == json.loads(wrong.stdout)["error"]["exit_status"] == 21
    none = run("info", "--repo", repository)
    assert (none.returncode, "Traceback" in none.stderr) == (22, False)


def test_flags_count_before_the_environment_and_that_before_the_file(files: Path, here: Run) -> None:
    (files / "wrong").write_text("wrong")
    repository = files / "repository"
    assert here("init", "--repo", repository, "--passphrase-file", files / "p").returncode == 0
    (files / "neokeep.toml").write_text(
        f'[repositories.main]\npath = "{repository}"\npassphrase-file = "p"\n[defaults]\nidentity-file = "id.pem"\n'
    )
    configured: list[object] = ["info", "--config", files / "neokeep.toml"]
    assert here(*configured).returncode == 0
    assert here(*configured, environment={"NEOKEEP_PASSPHRASE": "wrong"}).returncode == 21
    flag = ["--passphrase-file", files / "wrong"]
    assert here(*configured, *flag, environment={"NEOKEEP_PASSPHRASE": SECRET}).returncode == 21


def test_no_process_shows_the_passphrase_in_its_arguments_or_hands_it_on(files: Path, here: Run) -> None:
    repository = files / "repository"
    here("init", "--repo", repository, "--passphrase-file", files / "p")
    seen = files / "seen"
    script = files / "spy"
    script.write_text(
        f"#!/bin/sh\ncat /proc/$PPID/cmdline /proc/self/cmdline > {seen}; env > {files / 'env'}\necho {SECRET}\n"
    )
    script.chmod(0o700)
    ran = neokeep("info", "--repo", repository, "--passphrase-command", script, environment={"NEOKEEP_PASSPHRASE": "x"})
    assert ran.returncode == 0, ran.stderr
    assert SECRET not in seen.read_text()
    assert "NEOKEEP_PASSPHRASE" not in (files / "env").read_text()


@pytest.mark.slow
def test_a_plain_repository_needs_no_library_of_encryption(files: Path) -> None:
    made = make_database(files / "home")
    program = (
        "import sys; from neokeep.cli.main import main; status = main(sys.argv[1:]); "
        "sys.exit(status or any(name.startswith('cryptography') for name in sys.modules))"
    )
    for line in (["init"], ["backup", "--home", made.home], ["info"], ["verify"]):
        command = [sys.executable, "-c", program, *map(str, line), "--repo", str(files / "plain")]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_keys_of_openssl_are_keys_of_neokeep(files: Path, here: Run) -> None:
    private, public = files / "o.pem", files / "o.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    private.chmod(0o600)
    repository = files / "repository"
    assert here("init", "--repo", repository, "--recipient", public).returncode == 0
    assert here("info", "--repo", repository, "--identity-file", private).returncode == 0
    assert here("info", "--repo", repository, "--identity-file", files / "id.pem").returncode == 21
