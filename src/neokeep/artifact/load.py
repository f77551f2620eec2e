"""`load`: from an archive of Neo4j's own to a database of a stopped server, under the rules of restore.

The archive is unpacked and verified beside its place; only what is whole, fits the server and is durable is put there,
in one step. Neo4j's own load checks none of this.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from neokeep.artifact.examine import examine_unpacked, require_loadable
from neokeep.artifact.inspect import describe
from neokeep.artifact.naming import database_name, require_full
from neokeep.artifact.places import find_one, opened
from neokeep.artifact.reports import LoadReport
from neokeep.artifact.unpack import unpack
from neokeep.neo4j.artifact.read import open_artifact
from neokeep.neo4j.source import SYSTEM_DATABASE
from neokeep.neo4j.versions import kernel_version_name
from neokeep.restore.target import Target, find_target, how_to_open, replacement, require_space, target_source

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.artifact.examine import Examined
    from neokeep.artifact.places import Found
    from neokeep.artifact.unpack import Unpacked
    from neokeep.neo4j.artifact.read import Artifact
    from neokeep.progress import Progress
    from neokeep.storage.place import Place

_PIECE = 1024 * 1024


def load(
    place: Place,
    home: Path,
    *,
    configuration_directory: Path | None = None,
    loaded_as: str | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> LoadReport:
    """Load an archive as the database that it is of, or under another name.

    Raises:
        UsageError: it is not clear what the database is to be called, or there is one and `overwrite` is not given.
        LockedError: the target database is open in a running server.
        SourceError: it is no archive that can be loaded here.
        IntegrityError, SpaceError, AccessError: what it says; the target is as it was.
    """
    began = time.monotonic()
    found = find_one(place)
    source = target_source(home, configuration_directory)
    with opened(found.place) as stream:
        artifact = open_artifact(stream)
        header = artifact.header
        require_full(header, place.url)
        target = find_target(source, database_name(header, found, loaded_as), None)
        progress.begin(f"loading {target.database}", header.size or 0)
        try:
            with replacement(target, overwrite=overwrite) as new:
                if header.size is not None:
                    require_space(target, f"loading {place.url}", {"store": header.size})
                unpacked = unpack(artifact, new.staging, new.owner, progress)
                state = examine_unpacked(new.staging, place.url)
                steps = require_loadable(state, place.url, source.version)
        finally:
            progress.end()
    return _loaded(artifact, found, target, unpacked, state, steps, began, replaced=new.replaced)


def read_through(place: Place, progress: Progress) -> LoadReport:
    """Read an archive to its end and tell what it holds; nothing is written.

    Raises:
        SourceError: it is no archive.
        IntegrityError: it is damaged, cut off or unsafe.
    """
    began = time.monotonic()
    found = find_one(place)
    with opened(found.place) as stream:
        artifact = open_artifact(stream)
        progress.begin(f"reading {place.url}", artifact.header.size or 0)
        room = memoryview(bytearray(_PIECE))
        try:
            with artifact.entries() as (entries, read_into):
                for _ in entries:
                    while done := read_into(room):
                        progress.advance(done)
        finally:
            progress.end()
    info = describe(artifact.header, found)
    return LoadReport(
        archive=info,
        loaded_as=None,
        home=None,
        store_directory=None,
        log_directory=None,
        files=artifact.files,
        content_bytes=artifact.size,
        store_id=info.store_id,
        store_format=info.store_format,
        kernel_version=None,
        last_tx=info.highest_tx,
        last_commit_time=None,
        clean=info.recovered,
        replaced=False,
        left_out=(),
        seconds=round(time.monotonic() - began, 3),
        next_steps=(),
    )


def _loaded(
    artifact: Artifact,
    found: Found,
    target: Target,
    unpacked: Unpacked,
    state: Examined,
    steps: tuple[str, ...],
    began: float,
    *,
    replaced: bool,
) -> LoadReport:
    info = describe(artifact.header, found)
    return LoadReport(
        archive=info,
        loaded_as=target.database,
        home=str(target.source.home),
        store_directory=str(target.place.store),
        log_directory=str(target.place.log),
        files=len(unpacked.paths),
        content_bytes=unpacked.size,
        store_id=str(state.store_id),
        store_format=state.store_id.store_format,
        kernel_version=kernel_version_name(state.kernel_version),
        last_tx=state.last_transaction,
        last_commit_time=state.last_commit_time,
        clean=state.clean,
        replaced=replaced,
        left_out=tuple(unpacked.left_out),
        seconds=round(time.monotonic() - began, 3),
        next_steps=(*steps, *_next_steps(target, state, info.scripts)),
    )


def _next_steps(target: Target, state: Examined, scripts: tuple[str, ...]) -> tuple[str, ...]:
    steps = [] if state.clean else ["Start Neo4j: it recovers the database first, as after a crash."]
    if scripts:
        steps.append(
            f"The archive holds a script of users and roles ({', '.join(scripts)}), which is not loaded: "
            "they are in the system database."
        )
    if target.database == SYSTEM_DATABASE:
        steps.append("Users and passwords are now those of the archive; see docs/operations.md for how to reset them.")
    return (*steps, *how_to_open(target))
