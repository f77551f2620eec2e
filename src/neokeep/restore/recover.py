"""`--recover`: have Neo4j's own recovery run on a restored database before it is put in place.

A server of the target's own version starts on the staged directories in a scratch home, on a free port of the loopback,
recovers, and is stopped in order. Afterwards the newest checkpoint must stand at the end of the log, or it failed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.errors import IntegrityError
from neokeep.lab.home import configure
from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import scan_log
from neokeep.neo4j.server import Server
from neokeep.neo4j.source import SYSTEM_DATABASE

if TYPE_CHECKING:
    from neokeep.neo4j.distribution import Distribution
    from neokeep.restore.swap import Staging

_MIB = 1 << 20
_LONGEST_RECOVERY_SECONDS = 7 * 24 * 3600


def recover(staging: Staging, database: str, distribution: Distribution) -> None:
    """Recover a staged database with Neo4j itself.

    Raises:
        SourceError: the server did not start; its last log lines are in the message.
        IntegrityError: it started, but this database is not clean afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="neokeep-recover-") as scratch:
        home = Path(scratch)
        for folder, target in (("databases", staging.store), ("transactions", staging.log)):
            (home / "data" / folder).mkdir(parents=True)
            (home / "data" / folder / database).symlink_to(target, target_is_directory=True)
        (home / "conf").mkdir()
        settings = _memory()
        if database != SYSTEM_DATABASE:
            settings["initial.dbms.default_database"] = database
        configure(home, distribution.version, settings)
        server = Server(distribution, home)
        try:
            server.start(timeout=_LONGEST_RECOVERY_SECONDS)
        finally:
            server.stop()
        if not is_clean(staging.log):
            raise IntegrityError(
                f"Neo4j {distribution.version} did not recover {database}:\n{server.last_lines}",
                remedy="Nothing was replaced. Restore without --recover to look at it, or restore another backup.",
            )
    for name in ("database_lock", "quarantine_marker"):
        (staging.store / name).unlink(missing_ok=True)


def _memory() -> dict[str, str]:
    """Give recovery a quarter of the free memory as page cache and as heap, the heap no more than it can use."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB
    return {
        "server.memory.pagecache.size": f"{max(64, free // 4)}m",
        "server.memory.heap.max_size": f"{min(8192, max(1024, free // 4))}m",
    }


def is_clean(log_directory: Path) -> bool:
    """Tell whether the newest checkpoint stands at the very end of the newest log."""
    position = choose_checkpoint(log_directory).position
    version = log_versions(log_directory)[-1]
    path = log_directory / log_name(version)
    with path.open("rb", buffering=0) as file:

        def read_at(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length) or b""

        header = parse_header(read_at(0, LARGEST), str(path))
        return header is not None and (position.version, position.offset) == (version, scan_log(read_at, header).end)
