"""`--recover`: make a restored database clean before it is put in place, by one of two engines.

`neo4j`: a server of the target's own version starts on the staged directories in a scratch home, on a free port of the
loopback, recovers, and is stopped in order. `native`: neokeep applies the log itself; Neo4j rebuilds the indexes at its
next start. With both the newest checkpoint must stand at the end of the log afterwards, or it failed.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.errors import IntegrityError
from neokeep.lab.home import configure
from neokeep.neo4j.log.commands import UnknownCommand
from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import scan_log
from neokeep.neo4j.server import Server
from neokeep.neo4j.source import SYSTEM_DATABASE
from neokeep.restore.logs import cut_log
from neokeep.restore.targets import Moment

if TYPE_CHECKING:
    from neokeep.neo4j.distribution import Distribution
    from neokeep.progress import Progress
    from neokeep.restore.swap import Staging

NEO4J, NATIVE = "neo4j", "native"
_MIB = 1 << 20
_LONGEST_RECOVERY_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Recovery:
    """Which engine recovers; `distribution` is the target's own Neo4j, None where it has none."""

    engine: str
    distribution: Distribution | None


def recover(recovery: Recovery, staging: Staging, database: str, store_format: str, progress: Progress) -> str:
    """Recover a staged database; return the engine that did it.

    What the native engine does not understand is left to Neo4j, where there is one: nothing was written by then.

    Raises:
        SourceError: the log holds what neokeep does not understand and there is no Neo4j, or Neo4j did not start.
        IntegrityError: the log is damaged, or the database is not clean afterwards.
    """
    if recovery.engine == NATIVE:
        try:
            recover_natively(staging, database, store_format, progress)
        except UnknownCommand as unknown:
            if recovery.distribution is None:
                raise
            progress.say(f"{unknown.message}; it is left to Neo4j's own recovery")
        else:
            return NATIVE
    if recovery.distribution is None:
        raise AssertionError("without a Neo4j of its own a target is recovered natively")
    progress.say(f"Neo4j {recovery.distribution.version} recovers {database}")
    recover_with_neo4j(staging, database, recovery.distribution)
    return NEO4J


def recover_natively(
    staging: Staging, database: str, store_format: str, progress: Progress, *, last: int | None = None
) -> None:
    """Apply the log of a staged database, and undo what lies behind transaction `last`.

    Raises:
        SourceError: the log holds what neokeep does not understand; nothing was written.
        IntegrityError: it is damaged, or does not tell what is needed to go back.
    """
    # Compiled code takes a moment to load, which other commands need not wait for.
    from neokeep.neo4j.recovery.finish import finish
    from neokeep.neo4j.recovery.log import read_parts
    from neokeep.neo4j.recovery.redo import redo

    if last is None and is_clean(staging.log):
        progress.say(f"{database} needs no recovery")
        return
    checkpoint = choose_checkpoint(staging.log)
    what = f"from {checkpoint.position} on" if last is None else f"back to transaction {last}"
    progress.say(f"applying the log of {database} {what}")
    done = redo(staging.store, staging.log, checkpoint.position, aligned=store_format == "aligned", last=last)
    parts = done.parts
    if last is not None:
        cut_log(staging.log, Moment(transaction=last), last)
        parts = read_parts(staging.log, checkpoint.position)
    finish(staging.store, staging.log, parts, done.metadata, checkpoint.name, len(checkpoint.content))
    if not is_clean(staging.log):
        raise IntegrityError(
            f"{database} is not clean after its log was applied",
            remedy="Nothing was replaced. Restore without --recover, or with --recover neo4j.",
        )


def recover_with_neo4j(staging: Staging, database: str, distribution: Distribution) -> None:
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
        settings = memory_for_recovery()
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


def memory_for_recovery() -> dict[str, str]:
    """Give recovery a quarter of the free memory as page cache and as heap, the heap no more than it can use."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB
    return {
        "server.memory.pagecache.size": f"{max(64, free // 4)}m",
        "server.memory.heap.max_size": f"{min(8192, max(1024, free // 4))}m",
    }


def is_clean(log_directory: Path) -> bool:
    """Tell whether the newest checkpoint stands at the very end of the log.

    That may be the end of a file before the newest: where the last transaction had the log rotated, nothing is in that.
    """
    position = choose_checkpoint(log_directory).position
    there = log_versions(log_directory)
    versions = [version for version in there if version >= position.version]
    if versions != list(range(position.version, there[-1] + 1)):
        return False
    return bool(versions) and all(
        _ends_by(log_directory / log_name(version), position.offset if version == position.version else 0)
        for version in versions
    )


def _ends_by(path: Path, offset: int) -> bool:
    """Tell whether a log file has its last transaction before an offset, or none where the offset is in its header."""
    with path.open("rb", buffering=0) as file:

        def read_at(at: int, length: int) -> bytes:
            file.seek(at)
            return file.read(length) or b""

        header = parse_header(read_at(0, LARGEST), str(path))
        # A 4.x database that never had a checkpoint is recovered from the very begin, before the header.
        return header is not None and max(offset, header.size) == scan_log(read_at, header).end
