"""Real storage servers for tests: versitygw (S3), Debian's sshd (SFTP), azurite (Azure Blob).

Each is fetched once by its ordinary client, into the cache where Neo4j lies too, and runs on a free loopback port until
the block ends; it is stopped by its own process id. Where one cannot be had, tests are skipped, and fail with CI=true.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from neokeep.neo4j.cache import cache_directory, entry_locked, entry_made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Looked up now: tests give HOME another value later.
CACHE = cache_directory() / "servers"
VERSITYGW = "v1.8.0"
AZURITE = "3.35.0"
ACCESS_KEY, SECRET_KEY = "neokeep-access", "neokeep-secret-of-tests"
AZURE_ACCOUNT = "devstoreaccount1"
# Published by Microsoft for every emulator; it opens nothing else.
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_SSHD = "/usr/sbin/sshd"
_STARTED_WITHIN_SECONDS = 60
_FETCHED_WITHIN_SECONDS = 900


@dataclass(frozen=True)
class S3Server:
    """A running versitygw; `data` holds one directory for each bucket."""

    endpoint: str
    data: Path

    def bucket(self, name: str) -> str:
        (self.data / name).mkdir(exist_ok=True)
        return name

    def locked_bucket(self, name: str) -> str:
        """Make a bucket with object lock, which neokeep itself never does, by a request signed as AWS's papers say."""
        host, now = self.endpoint.split("//")[1], datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        empty = hashlib.sha256(b"").hexdigest()
        headers = {
            "host": host,
            "x-amz-bucket-object-lock-enabled": "true",
            "x-amz-content-sha256": empty,
            "x-amz-date": now,
        }
        names, scope = ";".join(headers), f"{now[:8]}/us-east-1/s3/aws4_request"
        canonical = "\n".join(["PUT", f"/{name}", "", *(f"{key}:{headers[key]}" for key in headers), "", names, empty])
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{SECRET_KEY}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
        del headers["host"]
        headers["Authorization"] = f"AWS4-HMAC-SHA256 {credential}"
        urllib.request.urlopen(
            urllib.request.Request(f"{self.endpoint}/{name}", method="PUT", headers=headers), timeout=10
        ).close()
        return name

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": self.endpoint,
        }


@dataclass(frozen=True)
class SshServer:
    """A running sshd that lets this user in by a key; `home` has an .ssh as a user would have it."""

    port: int
    user: str
    home: Path
    process: int

    @property
    def key(self) -> Path:
        return self.home / ".ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.home / ".ssh" / "known_hosts"

    def url(self, path: Path) -> str:
        return f"sftp://{self.user}@127.0.0.1:{self.port}{path}"


def unavailable(what: str, why: str) -> None:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} cannot be had: {why}")
    pytest.skip(f"{what} cannot be had: {why}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def s3_server(directory: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[S3Server]:
    """Run versitygw over files below a directory, with TLS where a certificate and its key are given."""
    program = _versitygw()
    port, data = free_port(), directory / "buckets"
    data.mkdir(parents=True)
    arguments = [str(program), "--port", f"127.0.0.1:{port}", "--quiet"]
    if certificate:
        arguments += ["--cert", str(certificate[0]), "--key", str(certificate[1])]
    keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    with _running([*arguments, "posix", str(data)], port, directory / "versitygw.log", keys):
        yield S3Server(f"{'https' if certificate else 'http'}://127.0.0.1:{port}", data)


@contextmanager
def ssh_server(directory: Path, sftp: str = "") -> Iterator[SshServer]:
    """Run sshd as this user, with keys of its own; `sftp` are flags of its SFTP server."""
    if not os.path.exists(_SSHD):
        _installed("openssh-server", _SSHD)
    port, home = free_port(), directory / "home"
    dot_ssh = home / ".ssh"
    dot_ssh.mkdir(parents=True, mode=0o700)
    for key in (directory / "host_key", dot_ssh / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (directory / "authorized_keys").write_text((dot_ssh / "id_ed25519.pub").read_text())
    host_key = " ".join((directory / "host_key.pub").read_text().split()[:2])
    (dot_ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    configuration = directory / "sshd_config"
    lines = (
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {directory / 'host_key'}", "PidFile none",
        f"AuthorizedKeysFile {directory / 'authorized_keys'}", "StrictModes no", "UsePAM no", "LogLevel ERROR",
        "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password",
        "MaxStartups 100", f"Subsystem sftp internal-sftp {sftp}"
    )  # fmt: skip
    configuration.write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with _running([_SSHD, "-D", "-e", "-f", str(configuration)], port, directory / "sshd.log", {}) as process:
        yield SshServer(port, getpass.getuser(), home, process)


@contextmanager
def azure_server(directory: Path) -> Iterator[str]:
    """Run azurite's blob service; gives its endpoint, with the well-known account of emulators in it."""
    script = _azurite()
    port = free_port()
    arguments = [
        "node", str(script), "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1",
        "--blobPort", str(port), "--location", str(directory),
    ]  # fmt: skip
    with _running(arguments, port, directory / "azurite.log", {}):
        yield f"http://127.0.0.1:{port}/devstoreaccount1"


def make_container(endpoint: str, name: str) -> None:
    """Make a container, which neokeep itself never does, by a request signed as Azure's documents say."""
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{name}\nrestype:container"
    signed = "PUT" + "\n" * 12 + headers + resource
    signature = base64.b64encode(hmac.digest(base64.b64decode(AZURE_KEY), signed.encode(), "sha256")).decode()
    request = urllib.request.Request(
        f"{endpoint}/{name}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}",
            "Content-Length": "0",
        },
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as problem:
        with problem:
            if problem.code != 409:
                raise


@contextmanager
def _running(arguments: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> Iterator[int]:
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
                _fetched("versitygw", ["go", "install", module], scratch, {"GOBIN": str(scratch)})
    return program


def _azurite() -> Path:
    entry = CACHE / f"azurite-{AZURITE}"
    script = entry / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    with entry_locked(entry):
        if not script.is_file():
            with entry_made(entry) as scratch:
                package = ["npm", "install", "--no-audit", "--no-fund", "--silent", f"azurite@{AZURITE}"]
                _fetched("azurite", [*package, "--prefix", str(scratch)], scratch, {})
    return script


def _installed(package: str, program: str) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        unavailable(package, f"there is no {program}; install it by the system's package manager")
    steps = [["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "-y", "--no-install-recommends", package]]
    with entry_locked(CACHE / package):
        if not os.path.exists(program):
            for step in steps:
                _fetched(package, step, Path("/"), {"DEBIAN_FRONTEND": "noninteractive"})


def _fetched(what: str, command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
    if shutil.which(command[0]) is None:
        unavailable(what, f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            command, cwd=directory, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=_FETCHED_WITHIN_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        unavailable(what, f"{command[0]} took too long")
        return
    if done.returncode:
        unavailable(what, (done.stderr or done.stdout).strip()[-500:])
