"""`verify --recover`: apply the log of each chain to its full backup, in scratch, and tell whether they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import IntegrityError
from neokeep.image.chain_image import chain_image
from neokeep.repository.chains import Chain, chain_of
from neokeep.repository.manifest import Manifest
from neokeep.repository.reader import BlockReader
from neokeep.repository.recording import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.reports import VerifiedBackup, VerifyReport
    from neokeep.repository.repository import Repository

SHOWN = 20
"""Misfits of a chain that are told."""


def verify_recovered(
    repository: Repository, report: VerifyReport, *, scratch: Path | None, jobs: int, progress: Progress
) -> VerifyReport:
    """Go on from a verification that read everything: what it found whole is recovered, up to the end of its chain.

    Raises:
        SourceError: a log holds what neokeep does not understand; that says nothing of the backup.
    """
    verified = {backup.label: backup for backup in report.backups}
    manifests = {item.label: item for item in repository.manifests() if isinstance(item, Manifest)}
    transactions = 0
    for base in sorted({manifests[label].base or label for label, found in verified.items() if found.ok}):
        chain = chain_of(repository, manifests[base])
        transactions += chain.last_transaction - (chain.base.end.transaction or 0)
        first, problems = _problems(repository, chain, scratch, jobs, progress)
        for label, found in verified.items():
            item = manifests.get(label)
            if problems and item is not None and base in (label, item.base) and (item.end.transaction or 0) >= first:
                verified[label] = _bad(found, problems)
    fits = {before.label: verified[before.label].ok for before in report.backups if before.ok}
    if fits:
        Recorder.begin(repository.storage).note_recovered(fits)
    return msgspec.structs.replace(
        report,
        ok=report.ok and all(backup.ok for backup in verified.values()),
        backups=tuple(verified.values()),
        transactions_applied=transactions,
    )


def _problems(
    repository: Repository, chain: Chain, scratch: Path | None, jobs: int, progress: Progress
) -> tuple[int, list[str]]:
    """Find what does not fit in a chain, and the first transaction from which on it does not."""
    # Compiled code takes a moment to load, which a plain verification need not wait for.
    from neokeep.image.fits import misfits

    reader = BlockReader.of(repository)
    progress.say(f"recovering {chain.base.label} up to transaction {chain.last_transaction}, in scratch")
    first, told = 0, list[str]()
    try:
        with chain_image(reader, chain, scratch=scratch, jobs=jobs, progress=progress) as image:
            for number, reason in misfits(image):
                first = first or number
                told.append(f"transaction {number} does not fit the backup: {reason}")
                if len(told) >= SHOWN:
                    break
    except IntegrityError as problem:
        told.append(f"it cannot be recovered: {problem.message}")
    finally:
        progress.end()
    return first, told


def _bad(found: VerifiedBackup, problems: list[str]) -> VerifiedBackup:
    return msgspec.structs.replace(found, ok=False, problems=(*found.problems, *problems))
