"""What lies in the two directories of a database that no server has open: which store, up to where, whether clean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.void import CaptureVoid
from neokeep.errors import IntegrityError, SourceError
from neokeep.neo4j.recovery.log import read_parts
from neokeep.neo4j.store.neostore import StoreId, read_store_id
from neokeep.neo4j.versions import (
    Neo4jVersion,
    kernel_version_introduced,
    kernel_version_name,
    require_kernel_version,
)
from neokeep.restore.plan import FIRST_OF_4X_LOGS
from neokeep.restore.recover import is_clean

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.restore.swap import Staging


@dataclass(frozen=True, slots=True)
class Examined:
    """A database at rest. `last_transaction` is the last of its log; `clean`: nothing is left to recover."""

    store_id: StoreId
    kernel_version: int
    last_transaction: int
    last_commit_time: datetime | None
    clean: bool


def examine(store: Path, log: Path) -> Examined:
    """Look at a database; its log is verified from where recovery would start.

    Raises:
        SourceError: its format or version is not one that can be worked with, or its logs are missing.
        IntegrityError: its log is damaged.
    """
    store_id = read_store_id(store)
    try:
        checkpoint = choose_checkpoint(log)
    except CaptureVoid as problem:
        raise IntegrityError(f"the checkpoint files in {log} changed: {problem}", remedy="Try again.") from problem
    newest = read_parts(log, checkpoint.position)[-1]
    record = checkpoint.record
    kernel_version = newest.last_kernel_version or (record.kernel_version if record else FIRST_OF_4X_LOGS - 1)
    require_kernel_version(kernel_version, str(log))
    milliseconds = newest.last_commit_time or (record.commit_time if record else None)
    return Examined(
        store_id=store_id,
        kernel_version=kernel_version,
        last_transaction=newest.last_transaction,
        last_commit_time=datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None,
        clean=is_clean(log),
    )


def examine_unpacked(staging: Staging, what: str) -> Examined:
    """Look at what an archive was unpacked to, and tell what is wrong of `what`: the files are gone by then.

    Raises:
        SourceError, IntegrityError: see `examine`.
    """
    try:
        return examine(staging.store, staging.log)
    except (SourceError, IntegrityError) as problem:
        message = problem.message
        for folder in (staging.store, staging.log):
            message = message.replace(str(folder), what)
        raise type(problem)(message, remedy=problem.remedy) from problem


def require_loadable(found: Examined, what: str, server: Neo4jVersion | None) -> tuple[str, ...]:
    """Refuse a database that the target's server could not open; return what has to be done before it can.

    Raises:
        SourceError: it would be a downgrade, or the way leads over another version; the remedy names it.
    """
    if server is None:
        return ()
    oldest = kernel_version_introduced(found.kernel_version)
    writer = f"Neo4j {kernel_version_name(found.kernel_version)} or newer"
    if server < oldest:
        raise SourceError(
            f"{what} was written by {writer}; the target is {server}, which cannot open it",
            remedy=f"Load it into Neo4j {oldest} or newer: a store is never downgraded.",
        )
    if found.kernel_version >= FIRST_OF_4X_LOGS or server.family == "4.4":
        return ()
    if server.family == "5" and found.clean:
        return ("Run 'neo4j-admin database migrate' on it before the server starts: it has the format of Neo4j 4.",)
    raise SourceError(
        f"{what} was written by {writer}; the target is {server}, which can neither migrate nor recover it",
        remedy="Load it into Neo4j 4.4, start and stop that, dump it, load the dump into 5.26 and run "
        "'neo4j-admin database migrate' there; from 5.26 newer versions open it."
        if not found.clean
        else "Load it into Neo4j 5.26 and run 'neo4j-admin database migrate' there; from 5.26 newer versions open it.",
    )
