from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli import samples
from neokeep import __version__
from neokeep.cli.command import build
from neokeep.cli.main import MODULES, commands_of, wants_json
from neokeep.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ran, Work
    from neokeep.cli.command import Command

    Run = Callable[..., Ran]

COMMANDS = [command for module in MODULES for command in commands_of(module)]


LEFT_BEHIND = """
import atexit, sys, threading, time
from neokeep.cli import main as door

def main():
    if {left}:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    print("told", end="")
    return 7

atexit.register(print, ", taken down", end="")
door.main = main
door.run()
"""


@pytest.mark.parametrize(("left", "told"), [(True, "told"), (False, "told, taken down")])
def test_the_interpreter_is_not_taken_down_below_a_thread_that_still_runs(left: bool, told: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LEFT_BEHIND.format(left=left)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, told, "")


def test_an_error_is_told_in_three_parts_on_stderr(work: Work, run: Run) -> None:
    work.answers["back_up"] = LockedError("neo4j is open in process 12", remedy="Stop the server.")
    ran = run("backup --home /h --repo /r")
    assert (ran.status, ran.out) == (12, "")
    assert ran.err.splitlines()[-3:] == [
        "error: neo4j is open in process 12",
        "where: neokeep backup (locked, exit status 12)",
        "What to do: Stop the server.",
    ]


def test_a_mistake_in_the_command_line_names_the_help_that_applies(run: Run) -> None:
    ran = run("backup --sideways")
    assert (ran.status, ran.out) == (2, "")
    assert "--sideways" in ran.err
    assert "where: neokeep backup (usage, exit status 2)" in ran.err
    assert "neokeep backup --help" in ran.err


@pytest.mark.parametrize(
    "line", ["backup --sideways --output json", "nonsense --output=json", "backup --output json --jobs"]
)
def test_a_mistake_in_the_command_line_is_json_where_json_is_wanted(run: Run, line: str) -> None:
    ran = run(line)
    assert (ran.status, ran.err) == (2, "")
    error = json.loads(ran.out)["error"]
    assert (error["kind"], error["exit_status"]) == ("usage", 2)


def test_a_mistake_in_a_value_is_json_where_json_is_wanted(work: Work, run: Run) -> None:
    error = json.loads(run("verify --repo /r --jobs many --output json").out)["error"]
    assert error["kind"] == "usage"
    assert error["message"].startswith("--jobs: 'many'")


def test_the_environment_can_ask_for_json(work: Work, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOKEEP_OUTPUT", "json")
    assert json.loads(run("nonsense").out)["error"]["kind"] == "usage"
    assert "error" in run("nonsense --output text").err


def test_words_for_another_program_do_not_ask_for_json() -> None:
    assert not wants_json(["lab", "admin", "/tmp/lab", "--", "--output", "json"], {})


@pytest.mark.parametrize(("command", "what"), [("info", "--repo"), ("backup --repo /r", "--home")])
def test_what_is_missing_is_named_with_every_way_to_give_it(run: Run, command: str, what: str) -> None:
    ran = run(command)
    assert ran.status == 2
    assert f"Give {what}" in ran.err
    assert "neokeep.toml" in ran.err


@pytest.mark.parametrize("output", ["text", "json"])
def test_ctrl_c_ends_with_130_and_a_clear_line(work: Work, run: Run, output: str) -> None:
    work.answers["back_up"] = KeyboardInterrupt()
    ran = run(f"backup --home /h --repo /r --output {output}")
    assert ran.status == 130
    assert "interrupted; nothing half-done is visible" in (ran.err if output == "text" else ran.out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_end_a_command_in_order(work: Work, run: Run, number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGTERM)
    # A shell starts what runs in its background with SIGINT ignored.
    ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)
    work.answers["back_up"] = lambda *_, **__: os.kill(os.getpid(), number)
    try:
        assert run("backup --home /h --repo /r").status == 130
    finally:
        signal.signal(signal.SIGINT, ctrl_c)
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_unexpected_exception_is_called_a_defect(work: Work, run: Run) -> None:
    work.answers["back_up"] = ZeroDivisionError("division by zero")
    ran = run("backup --home /h --repo /r")
    assert ran.status == 70
    assert "this is a defect in neokeep: ZeroDivisionError: division by zero" in ran.err
    assert "Traceback" not in ran.err


def test_the_traceback_of_a_defect_comes_with_neokeep_debug(
    work: Work, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEOKEEP_DEBUG", "1")
    work.answers["back_up"] = ZeroDivisionError()
    ran = run("backup --home /h --repo /r --output json")
    assert "Traceback" in ran.err
    assert json.loads(ran.out)["error"]["kind"] == "internal"


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/h/data"), 13),
        (OSError(errno.ENOSPC, "No space left on device", "/r/packs"), 14),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 14),
        (OSError(errno.EIO, "Input/output error"), 70),
    ],
)
def test_what_the_system_refuses_has_its_own_exit_status(work: Work, run: Run, problem: OSError, status: int) -> None:
    work.answers["back_up"] = problem
    ran = run("backup --home /h --repo /r")
    assert ran.status == status
    assert "What to do:" in ran.err


def test_quiet_prints_nothing_when_all_went_well(work: Work, run: Run) -> None:
    work.answers["back_up"] = samples.BACKED_UP
    ran = run("backup --home /h --repo /r --quiet")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_quiet_still_answers_and_still_fails_aloud(work: Work, run: Run) -> None:
    work.answers["describe"] = samples.INFO
    work.answers["verify"] = samples.BROKEN
    assert "neo4j-20260801-120000F" in run("info --repo /r --quiet").out
    ran = run("verify --repo /r --quiet")
    assert "DAMAGED" in ran.out
    assert "error:" in ran.err


def test_progress_goes_to_stderr_and_not_into_json(work: Work, run: Run) -> None:
    def back_up(*_: object, progress: object, **__: object) -> object:
        progress.say("neo4j: log file 3 was rotated")  # type: ignore[attr-defined]
        return samples.BACKED_UP

    work.answers["back_up"] = back_up
    assert "log file 3 was rotated" in run("backup --home /h --repo /r").err
    assert run("backup --home /h --repo /r --output json").err == ""


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"neokeep {__version__}\n"


@pytest.mark.parametrize("line", ["", "--help", "help", "lab", "help lab"])
def test_help_lists_the_commands(run: Run, line: str) -> None:
    ran = run(line)
    assert ran.status == 0
    assert "Commands:" in ran.out


@pytest.mark.parametrize("command", COMMANDS, ids=[command.name for command in COMMANDS])
def test_the_help_of_every_command_has_an_example_that_parses(run: Run, command: Command) -> None:
    shown = run(f"help {command.name}").out
    assert command.examples
    for example in command.examples:
        assert example in shown
        words = shlex.split(example.removeprefix(f"neokeep {command.name} "))
        assert build(command).make_context(command.word, words if words[0] != "neokeep" else []).params


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "neokeep", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    with child.stderr as stderr:
        assert stderr.read() == b""
    assert child.wait() in {0, 141}


@pytest.mark.parametrize("line", ["--help", "backup --help", "info --repo nowhere", "info --repo ."])
def test_plain_commands_import_nothing_heavy(tmp_path: Path, line: str) -> None:
    program = (
        "import sys; from neokeep.cli.main import main; main(sys.argv[1:]); "
        "print(*[name for name in ('numpy', 'rich', 'neo4j', 'blake3', 'crc32c', 'traceback') if name in sys.modules], "
        "file=sys.stderr)"
    )
    (tmp_path / "config").write_text(
        '{"format": 1, "repository_id": "6de05d63-eb1e-459c-8330-c997e300ec49", "created_at": "2026-08-01T00:00:00Z"}'
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEOKEEP_")}
    done = subprocess.run(
        [sys.executable, "-c", program, *line.split()], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    imported = done.stderr.decode().splitlines()[-1].split()
    assert not {"numpy", "rich", "neo4j"}.intersection(imported)
