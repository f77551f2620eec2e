"""Which chain holds the newest state: that of the newest full backup, or one before it that reaches further.

Between the end of a full backup and the moment in which archiving goes on with its chain, new transactions are in the
chain before it alone. That one counts where it holds the last transaction of the newer one with the same checksum, and
what follows was archived after the newer one had begun. Else it is a history that ended, in a restore or a crash of the
server: who went back before a mistake must not get it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError
from neokeep.neo4j.log import entries
from neokeep.repository.chains import end_of
from neokeep.repository.segment import peek, read_segment
from neokeep.repository.transactions import scanned_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.repository.chains import Chain
    from neokeep.repository.repository import Repository
    from neokeep.repository.windows import Window


def farthest(repository: Repository, windows: Sequence[Window]) -> Window:
    """Find the window that closes with the newest state of a database."""
    newest, *older = sorted(windows, key=lambda window: window.chain.base.finished_at, reverse=True)
    for window in sorted(older, key=lambda window: window.last, reverse=True):
        if window.last <= newest.last:
            break
        if _goes_on(repository, window.chain, newest.chain):
            return window
    return newest


def _goes_on(repository: Repository, older: Chain, newer: Chain) -> bool:
    """Tell whether a chain holds the very transaction with which another one ends."""
    if older.base.store_id != newer.base.store_id:
        return False
    if not _archived_later(repository, older, newer):
        return False
    tail = end_of(repository, newer).tail
    checksum = tail.checksum if tail is not None else newer.base.end.checksum
    return checksum is not None and checksum == checksum_of(repository, older, newer.last_transaction)


def _archived_later(repository: Repository, older: Chain, newer: Chain) -> bool:
    """Tell whether what a chain holds beyond another one was archived after that had begun."""
    beyond = next((one for one in older.segments if one.last > newer.last_transaction), None)
    header = peek(repository.storage, beyond) if beyond is not None else None
    return header is not None and header.created_at >= newer.base.started_at


def checksum_of(repository: Repository, chain: Chain, transaction: int) -> int | None:
    """Find the checksum of an archived transaction; None where the chain does not tell."""
    if transaction == chain.base.end.transaction:
        return chain.base.end.checksum
    segment = next((one for one in chain.segments if one.first <= transaction <= one.last), None)
    if segment is None:
        return None
    try:
        header, data = read_segment(repository.storage, segment)
    except IntegrityError:
        return None
    for content, start, _, scan in scanned_pieces(segment, header, data):
        if scan.first_transaction <= transaction <= scan.last_transaction:
            commit = scan.ends[transaction - scan.first_transaction] - start - entries.COMMIT_SIZE
            return int(entries.commit_layout(content[commit]).fields.unpack_from(content, commit + 2)[2])
    return None
