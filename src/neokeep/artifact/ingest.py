"""`ingest`: archives of Neo4j's own become full backups of a repository, each with the date that it really is of.

An archive is read once, as a stream, into blocks of the sizes that a capture gives them: what archives and captures
have in common is stored once. Its log is verified like that of a capture. The manifest comes last, so a bad archive
leaves no backup, and its blocks are collected. No chain goes on with what was ingested, whatever a server's log says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neokeep.artifact.intake import Content, Intake
from neokeep.artifact.naming import database_name, require_full
from neokeep.artifact.places import STANDARD, CountedSource, Found, find_all, opened
from neokeep.artifact.reports import IngestReport, SkippedArchive
from neokeep.capture.attempt import Image, checkpoint_entry, is_rebuilt, log_events
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.full import Effort, commit_full, image_manifest
from neokeep.capture.logs import LogFollower
from neokeep.capture.void import CaptureVoid
from neokeep.errors import IntegrityError, NeokeepError, SourceError, UsageError
from neokeep.files import scratch_directory
from neokeep.neo4j.artifact.read import open_artifact
from neokeep.neo4j.names import require_database_name
from neokeep.reports import Failure
from neokeep.repository import manifest as manifests
from neokeep.repository.info import backup_info
from neokeep.repository.manifest import Ingested, LeftOut, Manifest, SourceRecord
from neokeep.repository.writer import BlockWriter
from neokeep.units import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.neo4j.artifact.read import ArtifactHeader
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository
    from neokeep.repository.writer import LendsWorkers
    from neokeep.storage.place import Place

SOURCE = "archives"
"""The source that ingested backups are of, where nobody says another."""


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Order:
    """How to ingest: under which names, of what date, whether what is there already is taken again, and with what."""

    database: str | None = None
    source: str | None = None
    taken_at: datetime | None = None
    again: bool = False
    scratch: Path | None = None
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.database is not None:
            require_database_name(self.database)
        if self.taken_at is not None and self.taken_at.tzinfo is None:
            raise UsageError(
                f"the time {self.taken_at} has no zone", remedy="Write it with one, such as 2026-11-22T10:00:00Z."
            )
        if self.taken_at is not None and self.taken_at > datetime.now(UTC):
            raise UsageError(
                f"no archive is of {format_time(self.taken_at)}, which is still to come", remedy="Check --taken-at."
            )

    @property
    def source_name(self) -> str:
        """The source that the backups are of."""
        return self.source or SOURCE


def ingest(places: Sequence[Place], repository: Repository, order: Order, progress: Progress) -> IngestReport:
    """Make a full backup of each archive; one that fails does not stop the others.

    Raises:
        UsageError: the order makes no sense.
        SourceError, IntegrityError, AccessError, SpaceError: of the only archive that there is.
    """
    archives = [found for place in places for found in find_all(place)]
    if not archives:
        raise SourceError(
            f"there is no archive in {', '.join(place.url for place in places)}",
            remedy="Check the address; in folders, .dump and .backup files are found.",
        )
    if order.taken_at is not None and len(archives) > 1:
        raise UsageError(f"{len(archives)} archives are not of one moment", remedy="Ingest each with its --taken-at.")
    known = [item for item in repository.manifests() if isinstance(item, Manifest)]
    _require_own_source(known, order.source_name)
    repository.storage.clear_abandoned()
    done: list[Manifest] = []
    skipped: list[SkippedArchive] = []
    failures: list[Failure] = []
    for found in archives:
        try:
            outcome = _ingest_one(found, repository, order, [*known, *done], progress)
        except NeokeepError as problem:
            if len(archives) == 1:
                raise
            progress.say(f"{found.place.url} failed: {problem.message}")
            failures.append(
                Failure(subject=found.place.url, kind=problem.kind, message=problem.message, remedy=problem.remedy)
            )
            continue
        if isinstance(outcome, SkippedArchive):
            progress.say(f"{outcome.archive} is there already, as {outcome.label}")
            skipped.append(outcome)
        else:
            done.append(outcome)
    return IngestReport(
        repository=repository.storage.url,
        backups=tuple(map(backup_info, done)),
        skipped=tuple(skipped),
        failures=tuple(failures),
    )


def _require_own_source(known: Sequence[Manifest], name: str) -> None:
    """Keep archives apart from what was captured: their dates must not decide what of a server's history is kept."""
    if any(item.source.name == name and item.ingested is None for item in known):
        raise UsageError(
            f"backups of the source {name} were captured from its server; archives have a history of their own",
            remedy="Give another name with --from-source, or none.",
        )


def _ingest_one(
    found: Found, repository: Repository, order: Order, known: Sequence[Manifest], progress: Progress
) -> Manifest | SkippedArchive:
    effort = Effort.begin()
    effort.attempts = 1
    url = found.place.url
    with opened(found.place) as opened_source:
        source = CountedSource(opened_source)
        artifact = open_artifact(source)
        require_full(artifact.header, url)
        database = database_name(artifact.header, found, order.database)
        if not order.again and (twin := _same_archive(found, database, order, known)):
            return SkippedArchive(archive=_address(found), label=twin.label)
        progress.begin(f"reading {url}", artifact.header.size or 0)
        writer = BlockWriter(repository)
        try:
            with scratch_directory("ingest", order.scratch) as folder:
                log = folder / "log"
                log.mkdir()
                content = Intake(artifact, source, writer, log, progress).run(order.jobs)
                manifest, image = _manifest(found, artifact.header, database, content, log, writer, order, effort)
            with writer.worker() as worker:
                files = worker.put_bytes(msgspec.json.encode(image.files))
            if not order.again and (twin := _same_content(manifest, files.hash, known)):
                return SkippedArchive(archive=_address(found), label=twin.label)
            return commit_full(manifest, repository, writer, files, f"ingested from {_address(found)}", None)
        finally:
            writer.close()
            progress.end()


def _manifest(
    found: Found,
    header: ArtifactHeader,
    database: str,
    content: Content,
    log: Path,
    writer: LendsWorkers,
    order: Order,
    effort: Effort,
) -> tuple[Manifest, Image]:
    """Verify the log that lies in scratch, and put together what was found."""
    url = found.place.url
    try:
        image = _image(content, log, writer)
        manifest = image_manifest(image, database, content.store_id, url, effort)
    except (SourceError, IntegrityError, CaptureVoid, ValueError, OverflowError) as problem:
        # A commit time that is none is no defect of neokeep: its checksum may be right.
        told = problem.message if isinstance(problem, NeokeepError) else str(problem)
        kind = type(problem) if isinstance(problem, NeokeepError) else IntegrityError
        raise kind(
            f"{url} cannot be used: {told.replace(str(log), url)}",
            remedy="Use another archive, or load this one into the Neo4j that made it, start and stop that, and dump "
            "it again.",
        ) from problem
    taken_at, dated_by = _date(found, header, manifest.end.commit_time, order)
    if taken_at < _EARLIEST:
        raise UsageError(
            f"{url} says that it is of {format_time(taken_at)}, which cannot be",
            remedy="Give the time with --taken-at.",
        )
    later = manifest.end.commit_time
    if order.taken_at is not None and later is not None and taken_at < later.replace(microsecond=0):
        raise UsageError(
            f"{url} holds a transaction of {format_time(later)}, after the time that was given for it",
            remedy="Check --taken-at, or leave it out.",
        )
    now = datetime.now(UTC)
    address = _address(found)
    own = msgspec.structs.replace(
        manifest,
        label=manifests.new_label(database, taken_at),
        source=SourceRecord(name=order.source_name, host="", home=_folder(address), edition="unknown", running=False),
        started_at=taken_at,
        finished_at=taken_at,
        statistics=msgspec.structs.replace(manifest.statistics, bytes_read=content.read),
        ingested=Ingested(
            archive=address,
            type=header.kind,
            format=header.magic,
            size_bytes=found.size,
            modified=found.modified,
            ingested_at=now,
            dated_by=dated_by,
        ),
    )
    return own, image


def _image(content: Content, log: Path, writer: LendsWorkers) -> Image:
    """Verify and store the log from where recovery starts, as a capture does."""
    checkpoint = choose_checkpoint(log)
    follower = LogFollower(log, checkpoint.position, writer)
    try:
        follower.start()
        followed = follower.finish()
    finally:
        follower.close()
    dropped = [LeftOut(path=path, reason=why, rebuilt=is_rebuilt(path)) for path, why in content.dropped.items()]
    left_behind = [
        LeftOut(path=path, reason="it belongs to a running server, not to the database", rebuilt=True)
        for path in content.skipped
    ]
    return Image(
        checkpoint=checkpoint,
        log=followed,
        files=(*content.files, *followed.entries, checkpoint_entry(checkpoint, writer)),
        left_out=(*dropped, *left_behind),
        events=log_events(followed),
        file_retries=0,
    )


def _date(found: Found, header: ArtifactHeader, committed: datetime | None, order: Order) -> tuple[datetime, str]:
    """Decide of which moment an archive is, and say by what."""
    if order.taken_at is not None:
        return order.taken_at, "option"
    if header.metadata is not None:
        return header.metadata.time, "header"
    if committed is not None:
        return committed, "log"
    if found.modified is not None:
        return found.modified, "file"
    return datetime.now(UTC), "arrival"


def _same_archive(found: Found, database: str, order: Order, known: Sequence[Manifest]) -> Manifest | None:
    """Find the backup that was made of this very file: of the same address, size and time."""
    if found.modified is None:
        return None
    wanted = (_address(found), found.size, found.modified)
    for item in known:
        record = item.ingested
        if record is None or (record.archive, record.size_bytes, record.modified) != wanted:
            continue
        if (item.database, item.source.name) == (database, order.source_name) and order.taken_at in (
            None,
            item.finished_at,
        ):
            return item
    return None


def _same_content(manifest: Manifest, files: bytes, known: Sequence[Manifest]) -> Manifest | None:
    """Find the ingested backup of the same name and date that holds the same files, down to the byte."""
    return next(
        (
            item
            for item in known
            if item.ingested is not None
            and item.files.hash == files
            and (item.database, item.source.name, item.finished_at)
            == (manifest.database, manifest.source.name, manifest.finished_at)
        ),
        None,
    )


def _address(found: Found) -> str:
    """Say where an archive is, so that it is known again from wherever the next command is started."""
    url = found.place.url
    if url == STANDARD or ("://" in url and not url.startswith("file://")):
        return url
    return str(Path(url.removeprefix("file://")).expanduser().absolute())


def _folder(address: str) -> str:
    return address.rpartition("/")[0] or address
