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
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from neokeep.lab import storage_servers
from neokeep.lab.storage_servers import (
    ACCESS_KEY,
    CACHE,
    SECRET_KEY,
    S3Server,
    ServerUnavailable,
    fetched,
    free_port,
    running,
)
from neokeep.neo4j.cache import entry_locked, entry_made

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ACCESS_KEY", "SECRET_KEY", "S3Server", "SshServer", "azure_server", "free_port", "locked_bucket", "s3_server",
    "ssh_server",
]  # fmt: skip

AZURITE = "3.35.0"
AZURE_ACCOUNT = "devstoreaccount1"
# Published by Microsoft for every emulator; it opens nothing else.
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_SSHD = "/usr/sbin/sshd"


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


@contextmanager
def or_skipped() -> Iterator[None]:
    """Skip the test where a server cannot be had, or fail it where nothing may be missing."""
    try:
        yield
    except ServerUnavailable as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(problem.message)
        pytest.skip(problem.message)


@contextmanager
def s3_server(directory: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[S3Server]:
    """Run versitygw over files below a directory, with TLS where a certificate and its key are given."""
    with ExitStack() as stack:
        with or_skipped():
            server = stack.enter_context(storage_servers.s3_server(directory, certificate))
        yield server


def locked_bucket(server: S3Server, name: str) -> str:
    """Make a bucket with object lock, which neokeep itself never does, by a request signed as AWS's papers say."""
    host, now = server.endpoint.split("//")[1], datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
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
        urllib.request.Request(f"{server.endpoint}/{name}", method="PUT", headers=headers), timeout=10
    ).close()
    return name


@contextmanager
def ssh_server(directory: Path, sftp: str = "") -> Iterator[SshServer]:
    """Run sshd as this user, with keys of its own; `sftp` are flags of its SFTP server."""
    if not os.path.exists(_SSHD):
        with or_skipped():
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
    with running([_SSHD, "-D", "-e", "-f", str(configuration)], port, directory / "sshd.log", {}) as process:
        yield SshServer(port, getpass.getuser(), home, process)


@contextmanager
def azure_server(directory: Path) -> Iterator[str]:
    """Run azurite's blob service; gives its endpoint, with the well-known account of emulators in it."""
    with or_skipped():
        script = _azurite()
    port = free_port()
    arguments = [
        "node", str(script), "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1",
        "--blobPort", str(port), "--location", str(directory),
    ]  # fmt: skip
    with running(arguments, port, directory / "azurite.log", {}):
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


def _azurite() -> Path:
    entry = CACHE / f"azurite-{AZURITE}"
    script = entry / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    with entry_locked(entry):
        if not script.is_file():
            with entry_made(entry) as scratch:
                package = ["npm", "install", "--no-audit", "--no-fund", "--silent", f"azurite@{AZURITE}"]
                fetched("azurite", [*package, "--prefix", str(scratch)], scratch, {})
    return script


def _installed(package: str, program: str) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ServerUnavailable(package, f"there is no {program}; install it by the system's package manager")
    steps = [["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "-y", "--no-install-recommends", package]]
    with entry_locked(CACHE / package):
        if not os.path.exists(program):
            for step in steps:
                fetched(package, step, Path("/"), {"DEBIAN_FRONTEND": "noninteractive"})
