"""Real storage servers for measurements and tests: fetched once by their ordinary clients, run on a free loopback port.

Each lives in the cache where Neo4j lies too, runs until the block ends, and is stopped by its own process id.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.errors import ConfigurationError
from neokeep.neo4j.cache import cache_directory, entry_locked, entry_made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# Looked up now: tests give HOME another value later.
CACHE = cache_directory() / "servers"
VERSITYGW = "v1.8.0"
ACCESS_KEY, SECRET_KEY = "neokeep-access", "neokeep-secret-of-tests"
_STARTED_WITHIN_SECONDS = 60
_FETCHED_WITHIN_SECONDS = 900


class ServerUnavailable(ConfigurationError):
    """A storage server cannot be had on this machine."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} cannot be had: {why}")


@dataclass(frozen=True)
class S3Server:
    """A running versitygw; `data` holds one directory for each bucket."""

    endpoint: str
    data: Path

    def bucket(self, name: str) -> str:
        """Make a bucket where there is none of this name; return the name."""
        (self.data / name).mkdir(exist_ok=True)
        return name

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": self.endpoint,
        }


@contextmanager
def s3_server(directory: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[S3Server]:
    """Run versitygw over files below a directory, with TLS where a certificate and its key are given.

    Raises:
        ServerUnavailable: it cannot be fetched.
    """
    program = _versitygw()
    port, data = free_port(), directory / "buckets"
    data.mkdir(parents=True)
    arguments = [str(program), "--port", f"127.0.0.1:{port}", "--quiet"]
    if certificate:
        arguments += ["--cert", str(certificate[0]), "--key", str(certificate[1])]
    keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    with running([*arguments, "posix", str(data)], port, directory / "versitygw.log", keys):
        yield S3Server(f"{'https' if certificate else 'http'}://127.0.0.1:{port}", data)


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(arguments: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a server that listens on a port for as long as the block lasts; gives its process id."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env={**os.environ, **environment}
        )
    try:
        deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{arguments[0]} did not start: {log.read_text(errors='replace')}")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fetched(what: str, command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
    """Have a package client fetch a server.

    Raises:
        ServerUnavailable: it did not.
    """
    if shutil.which(command[0]) is None:
        raise ServerUnavailable(what, f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            command, cwd=directory, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=_FETCHED_WITHIN_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ServerUnavailable(what, f"{command[0]} took too long") from None
    if done.returncode:
        raise ServerUnavailable(what, (done.stderr or done.stdout).strip()[-500:])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _versitygw() -> Path:
    entry = CACHE / f"versitygw-{VERSITYGW}"
    program = entry / "versitygw"
    with entry_locked(entry):
        if not program.is_file():
            with entry_made(entry) as scratch:
                module = f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}"
                fetched("versitygw", ["go", "install", module], scratch, {"GOBIN": str(scratch)})
    return program
