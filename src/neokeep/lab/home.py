"""Make Neo4j homes to try things on, and run servers in them.

A lab home holds `conf`, `data`, `logs`, `run` and a `lib` that points into the cache. Bolt listens on a free port of
127.0.0.1, HTTP and authentication are off. Settings are given by their names of Neo4j 5 and later; for 4.x they are
written by the names of that time.
"""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING

from neokeep.errors import SourceError, UsageError
from neokeep.lab.fetch import fetch
from neokeep.neo4j.distribution import Distribution
from neokeep.neo4j.java import release_of
from neokeep.neo4j.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# Below the range from which the kernel takes ports for outgoing connections: nobody takes the port between two starts.
PORTS = range(15_000, 32_000)

DEFAULTS = {
    "dbms.security.auth_enabled": "false",
    "server.http.enabled": "false",
    "server.https.enabled": "false",
    "server.bolt.enabled": "true",
    "server.memory.heap.max_size": "1g",
    "server.memory.pagecache.size": "64m",
    "db.tx_log.rotation.size": "1m",
    "db.tx_log.rotation.retention_policy": "keep_all",
    "db.checkpoint.interval.time": "30s",
}
# Without these a server waits 5 to 10 s for connections to go quiet before it stops. Which release in between renamed
# the setting is not known, and a server refuses a name that it does not know: there it just stops slowly.
QUIET_BEFORE_2025 = {"internal.dbms.bolt.netty_server_shutdown_quiet_period": "0"}
QUIET_SINCE_2026_08 = {"internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s"}
SINCE_5 = {"server.config.strict_validation.enabled": "true"}
SINCE_5_20 = {"dbms.usage_report.enabled": "false"}

OLD_NAMES = (
    ("server.bolt.", "dbms.connector.bolt."),
    ("server.http.", "dbms.connector.http."),
    ("server.https.", "dbms.connector.https."),
    ("server.", "dbms."),
    ("db.", "dbms."),
    ("initial.dbms.", "dbms."),
    ("internal.", "unsupported."),
)


def create_home(
    home: Path, version: str, settings: Mapping[str, str] | None = None, say: Callable[[str], None] = print
) -> Server:
    """Make a home for a version of Neo4j, fetched when need be; the server is not started."""
    distribution = fetch(version, say)
    if (home / "conf" / "neo4j.conf").exists():
        raise UsageError(f"there is a Neo4j home at {home} already", remedy="Give a new or empty directory.")
    home = home.absolute()
    for folder in ("conf", "data", "logs", "run"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "lib").symlink_to(distribution.lib, target_is_directory=True)
    configure(home, version, settings or {})
    return Server(distribution, home)


def configure(home: Path, version: str, settings: Mapping[str, str]) -> None:
    """Write conf/neo4j.conf anew: the lab's defaults, a free port, and these settings over them."""
    release = release_of(version)
    wanted = {
        **DEFAULTS,
        "server.bolt.listen_address": f"127.0.0.1:{free_port()}",
        **(SINCE_5 if release >= (5,) else {}),
        **(SINCE_5_20 if release >= (5, 20) else {}),
        **(QUIET_SINCE_2026_08 if release >= (2026, 8) else {}),
        **(QUIET_BEFORE_2025 if release < (2025,) else {}),
        **settings,
    }
    lines = [f"{setting_name(name, release)}={value}\n" for name, value in wanted.items()]
    (home / "conf" / "neo4j.conf").write_text("".join(lines), encoding="utf-8")


def setting_name(name: str, release: tuple[int, ...]) -> str:
    """Name a setting as a release does; names of 4.x are left as they are."""
    if release >= (5,):
        return name
    for new, old in OLD_NAMES:
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise SourceError("no free port on 127.0.0.1", remedy="See what listens on this machine's ports.")


def open_home(home: Path, say: Callable[[str], None] = print) -> Server:
    """Give the server of a lab home that exists."""
    return Server(Distribution.of_home(home, say), home.absolute())


@contextlib.contextmanager
def lab_server(
    version: str, home: Path, settings: Mapping[str, str] | None = None, say: Callable[[str], None] = print
) -> Iterator[Server]:
    """Run a server in a new home; it is stopped at the end of the block."""
    server = create_home(home, version, settings, say)
    server.start()
    try:
        yield server
    finally:
        server.stop()
