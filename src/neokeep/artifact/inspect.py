"""`inspect`: what archives are at an address, by their headers alone; chains put in order. No Java, little is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.artifact.chains import order_chains
from neokeep.artifact.places import Found, find_all, opened
from neokeep.artifact.reports import ArtifactInfo, InspectReport
from neokeep.errors import NeokeepError
from neokeep.neo4j.artifact.metadata import SCRIPTS
from neokeep.neo4j.artifact.read import DUMP, ArtifactHeader, open_artifact
from neokeep.reports import Failure

if TYPE_CHECKING:
    from neokeep.neo4j.artifact.metadata import BackupMetadata
    from neokeep.storage.place import Place


def inspect(place: Place) -> InspectReport:
    """Describe the archive at an address, or all below a folder.

    Raises:
        SourceError: there is none, or the only one is no archive.
        IntegrityError: the only one is damaged.
    """
    found = find_all(place)
    infos: list[ArtifactInfo] = []
    backups: list[tuple[str, BackupMetadata]] = []
    failures: list[Failure] = []
    for one in found:
        try:
            with opened(one.place) as source:
                header = open_artifact(source).header
        except NeokeepError as problem:
            if len(found) == 1:
                raise
            failures.append(
                Failure(subject=one.name, kind=problem.kind, message=problem.message, remedy=problem.remedy)
            )
            continue
        infos.append(describe(header, one))
        if header.metadata is not None:
            backups.append((one.name, header.metadata))
    return InspectReport(path=place.url, artifacts=tuple(infos), chains=order_chains(backups), failures=tuple(failures))


def describe(header: ArtifactHeader, found: Found) -> ArtifactInfo:
    """Say what a header says."""
    info = ArtifactInfo(
        path=found.name,
        type=DUMP,
        format=header.magic,
        compression=header.compression,
        size_bytes=found.size,
        files=header.files,
        content_bytes=header.size,
    )
    metadata = header.metadata
    if metadata is None:
        return info
    from msgspec.structs import replace

    store = metadata.store
    return replace(
        info,
        type="full" if metadata.full else "differential",
        database=metadata.database,
        database_id=str(metadata.database_id),
        store_id=str(store),
        store_format=store.store_format,
        time=metadata.time,
        lowest_tx=metadata.lowest,
        highest_tx=metadata.highest,
        recovered=metadata.recovered,
        scripts=tuple(name for name in metadata.entries if name in SCRIPTS),
    )
