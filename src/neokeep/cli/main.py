"""The door: find the command, run it, and turn whatever happens into a message and an exit status.

Nothing heavy is imported here, and a command's module only when it is needed: `neokeep info` runs every minute on some
machines. Ctrl-C and SIGTERM both end as KeyboardInterrupt, which no error handling on the way takes for a failure.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

import click

from neokeep import __version__
from neokeep.cli.command import Command, build
from neokeep.cli.output import Printer, silence
from neokeep.errors import AccessError, InterruptedByUser, NeokeepError, SpaceError, UsageError
from neokeep.memory import settle_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

MODULES = (
    "init", "backup", "archive", "restore", "consolidate", "info", "log", "verify", "check", "check-consistency",
    "stats", "export", "sql", "expire", "hold", "release", "collect", "copy-backups", "heal", "rebuild-index", "dump",
    "load", "ingest", "inspect", "diff-config", "key", "lab",
)  # fmt: skip
READER_GONE = 128 + signal.SIGPIPE

HELP = """Back up and restore Neo4j: online, consistent, verified.

A backup needs access to the server's files and nothing else: no password, no plugin, no downtime.
"""
EPILOG = """Each command tells more: neokeep backup --help

What exit statuses mean is listed in docs/exit-codes.md
"""


def commands_of(module: str) -> tuple[Command, ...]:
    """Import the module of a command; the lab has several."""
    commands: tuple[Command, ...] = importlib.import_module(f"neokeep.cli.{module.replace('-', '_')}").COMMANDS
    return commands


class Door(click.Group):
    """The group of all commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """List the commands in the order in which they are needed."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Find a command."""
        if cmd_name not in MODULES:
            return None
        commands = commands_of(cmd_name)
        if commands[0].name == cmd_name:
            return build(commands[0])
        module = importlib.import_module(f"neokeep.cli.{cmd_name}")
        group = _Room(cmd_name, help=module.__doc__, short_help=module.SUMMARY)
        for command in commands:
            group.add_command(build(command))
        return group


class _Room(click.Group):
    """A group whose commands are listed in the order in which they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)


def door() -> Door:
    """Make the group."""
    version = click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
    )
    return Door("neokeep", help=HELP, epilog=EPILOG, params=[version])


def run() -> NoReturn:
    """Run the command line of this process, and end it."""
    # numpy's linear algebra, which nothing here uses, would start a thread for each processor and let it spin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settle_memory()
    status = main()
    if any(thread.daemon for thread in threading.enumerate()):
        # Left by a second interruption. In a library's code such a thread crashes when the interpreter is taken down.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "_NEOKEEP_COMPLETE" in os.environ:
        door().main(prog_name="neokeep")
    printer = Printer(json=wants_json(given, os.environ))
    if given[:1] == ["help"]:
        given = [*given[1:], "--help"]
    elif given in ([], ["key"], ["lab"]):
        given = [*given, "--help"]
    try:
        with _terminated_as_interrupted():
            status = _dispatch(given, printer)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        return READER_GONE
    except (Exception, KeyboardInterrupt) as problem:  # noqa: BLE001  the last place that can explain it
        if isinstance(problem, click.UsageError) and problem.ctx:
            printer.command = problem.ctx.command_path.removeprefix("neokeep").strip()
            printer.lines = printer.lines or getattr(problem.ctx.command, "prints_lines", False)
        return printer.failure(explained(problem))
    return status


def _dispatch(given: list[str], printer: Printer) -> int:
    """Parse and run. click's own `main` would print errors itself, and never as JSON."""
    try:
        with door().make_context("neokeep", given, obj=printer) as context:
            return int(context.command.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code


def wants_json(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether JSON is wanted, before the command line is understood: mistakes in it are told as JSON too."""
    wanted = environment.get("NEOKEEP_OUTPUT", "")
    for argument, following in pairwise([*arguments, ""]):
        if argument == "--":
            break
        if argument == "--output":
            wanted = following
        elif argument.startswith("--output="):
            wanted = argument.removeprefix("--output=")
    return wanted == "json"


def explained(problem: BaseException) -> NeokeepError:
    """Turn whatever ended a command into an error with a kind, a message and a remedy."""
    if isinstance(problem, NeokeepError):
        return problem
    if isinstance(problem, KeyboardInterrupt):
        return InterruptedByUser("interrupted; nothing half-done is visible", remedy="Run the same command again.")
    if isinstance(problem, click.UsageError):
        path = problem.ctx.command_path if problem.ctx else "neokeep"
        return UsageError(problem.format_message(), remedy=f"See: {path} --help")
    if isinstance(problem, PermissionError):
        return AccessError(
            f"{problem.filename or 'a file'} may not be used by this user: {problem.strerror}",
            remedy="Run neokeep as the user that owns the files, or give this user access.",
        )
    if isinstance(problem, OSError) and problem.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SpaceError(
            f"no space left for {problem.filename or 'what has to be written'}: {problem.strerror}",
            remedy="Make room on that disk, or raise the quota, and run the command again.",
        )
    return _defect(problem)


def _defect(problem: BaseException) -> NeokeepError:
    if os.environ.get("NEOKEEP_DEBUG") == "1":
        import traceback

        traceback.print_exception(problem)
    text = str(problem) or "no further text"
    return NeokeepError(
        f"this is a defect in neokeep: {type(problem).__name__}: {text}",
        remedy="Run it again with NEOKEEP_DEBUG=1 and report what it prints, with the output of neokeep --version.",
    )


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Make SIGTERM end a command as Ctrl-C does: orderly, with what was begun cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise KeyboardInterrupt


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value and not ctx.resilient_parsing:
        click.echo(f"neokeep {__version__}")
        ctx.exit()
