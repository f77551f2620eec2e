"""Run a Neo4j server on a home: start, wait until it serves, stop, kill.

The server is detached and outlives this process. Its process id is kept in `run/neo4j.pid` and is believed only while
`/proc` shows a command line that names the home, so a signal never reaches a stranger. neo4j.conf is the one
source of its settings; the heap and the Bolt address are read from there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import LockedError, SourceError
from neokeep.neo4j.configuration import Configuration, configuration_directory, read_configuration

if TYPE_CHECKING:
    from neokeep.neo4j.distribution import Distribution

DEFAULT_HEAP = "1g"
BOLT_ADDRESSES = ("server.bolt.listen_address", "dbms.connector.bolt.listen_address")
HEAP_SIZES = ("server.memory.heap.max_size", "dbms.memory.heap.max_size")
BOLT_HANDSHAKE = bytes.fromhex("6060b017 00000005 00040404 00000004 00000003")
LAST_LINES = 15
POLL_SECONDS = 0.1
KILL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """The server of one Neo4j home, running or not."""

    distribution: Distribution
    home: Path
    java_options: tuple[str, ...] = ()
    """What Java is told beside what every server of this distribution needs."""

    def __str__(self) -> str:
        return f"Neo4j {self.distribution.version} at {self.home}"

    @property
    def bolt_address(self) -> tuple[str, int]:
        """Host and port where the configuration makes the server listen."""
        host, _, port = (self._configuration.get(BOLT_ADDRESSES) or ":7687").rpartition(":")
        return host if host not in {"", "0.0.0.0"} else "127.0.0.1", int(port)  # noqa: S104 -- it is compared

    @property
    def bolt_uri(self) -> str:
        """The address for a driver."""
        host, port = self.bolt_address
        return f"bolt://{host}:{port}"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        try:
            pid = int((self.home / "run" / "neo4j.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    @property
    def is_running(self) -> bool:
        """Whether the server's process is alive, ready or not."""
        return self.pid is not None

    @property
    def last_lines(self) -> str:
        """The end of what the server printed and logged: the reason, when it died."""
        printed = _tail(self.home / "logs" / "console.log")
        return printed or _tail(self.home / "logs" / "neo4j.log")

    def start(self, timeout: float = 180) -> None:
        """Start the server and wait until it accepts Bolt connections."""
        if self.is_running:
            raise LockedError(
                f"the server at {self.home} is running already (process {self.pid})", remedy="Stop it first."
            )
        logged = _size(self.home / "logs" / "neo4j.log")
        self._spawn()
        deadline = time.monotonic() + timeout
        while not self._is_ready(logged):
            if not self.is_running:
                raise SourceError(
                    f"{self} stopped while it was starting:\n{self.last_lines}",
                    remedy=f"See {self.home / 'logs'} for more.",
                )
            if time.monotonic() > deadline:
                self.kill()
                raise SourceError(
                    f"{self} was not ready after {timeout:.0f} s:\n{self.last_lines}",
                    remedy="A long recovery needs a longer time limit.",
                )
            time.sleep(POLL_SECONDS)

    def stop(self, timeout: float = 120) -> bool:
        """Stop the server in order; False when it was not running or had to be killed."""
        if self._end(signal.SIGTERM, timeout):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._end(signal.SIGKILL, KILL_SECONDS)

    def _spawn(self) -> None:
        for folder in ("run", "logs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        console = os.open(
            self.home / "logs" / "console.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644
        )
        command = self._command()
        environment = {
            **os.environ,
            "NEO4J_HOME": str(self.home),
            "NEO4J_CONF": str(configuration_directory(self.home)),
        }
        try:
            # Not subprocess: the server is meant to outlive this process, and nobody keeps an object to wait for it.
            pid = os.posix_spawn(
                command[0],
                command,
                environment,
                setsid=True,
                file_actions=(
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, console, 1),
                    (os.POSIX_SPAWN_DUP2, console, 2),
                ),
            )
        finally:
            os.close(console)
        (self.home / "run" / "neo4j.pid").write_text(str(pid), encoding="ascii")
        # The kernel returns from a spawn a moment before it shows the new command line; a zombie never shows one.
        deadline = time.monotonic() + 5
        while not _command_line(pid) and time.monotonic() < deadline and os.waitpid(pid, os.WNOHANG) == (0, 0):
            time.sleep(POLL_SECONDS / 10)

    def _command(self) -> list[str]:
        heap = self._configuration.get(HEAP_SIZES) or DEFAULT_HEAP
        return self.distribution.command(
            self.distribution.server_class,
            self._home_argument,
            f"--config-dir={configuration_directory(self.home)}",
            options=(
                f"-Xmx{heap}",
                f"-XX:ErrorFile={self.home / 'logs' / 'hs_err.log'}",
                "-Dfile.encoding=UTF-8",
                *self.java_options,
            ),
        )

    @property
    def _configuration(self) -> Configuration:
        return read_configuration(self.home, configuration_directory(self.home))

    @property
    def _home_argument(self) -> str:
        return f"--home-dir={self.home}"

    def _is_ours(self, pid: int) -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # a child of ours that ended stays as a zombie until somebody asks
        return os.fsencode(self._home_argument) in _command_line(pid)

    def _end(self, number: signal.Signals, timeout: float) -> bool:
        """Send a signal and wait for the end of the process; whether it came."""
        pid = self.pid
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + timeout
        # Neo4j removes its pid file some time before its process is gone: wait for the process, not for the file.
        # A dying process loses its command line before it closes its files, and with them Neo4j's locks.
        while self._is_ours(pid) or _is_dying(pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS / 2)
        (self.home / "run" / "neo4j.pid").unlink(missing_ok=True)
        return True

    def _is_ready(self, logged: int) -> bool:
        logs = self.home / "logs"
        started = _says_started(logs / "neo4j.log", logged) or _says_started(logs / "console.log", 0)
        return started and _speaks_bolt(self.bolt_address)


def _is_dying(pid: int) -> bool:
    """Tell whether a process without a command line still has files open: any thread of it is not yet a zombie."""
    if _command_line(pid):
        return False
    for thread in Path("/proc").glob(f"{pid}/task/*/stat"):
        with contextlib.suppress(OSError):
            if thread.read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X"):
                return True
    return False


def _command_line(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as arguments:
            return arguments.read().split(b"\0")[:-1]
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _says_started(log: Path, start: int) -> bool:
    try:
        with open(log, "rb") as content:
            content.seek(start)
            return b"Started." in content.read()
    except FileNotFoundError:
        return False


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-LAST_LINES:])


def _speaks_bolt(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=2) as connection:
            connection.sendall(BOLT_HANDSHAKE)
            return len(connection.recv(4)) > 0
    except OSError:
        return False
