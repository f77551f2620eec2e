"""`log`: what the transactions of a chain did, so that the one before the mistake can be found."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.repository.transactions import TransactionFilter, transactions

if TYPE_CHECKING:
    from neokeep.neo4j.log.summary import Changes, TransactionSummary
    from neokeep.repository.chains import Chain
    from neokeep.repository.repository import Repository


def history(repository: Repository, chain: Chain, wanted: TransactionFilter, limit: int) -> reports.LogReport:
    """List the newest `limit` transactions of a chain that a filter lets through.

    Raises:
        IntegrityError: a block or a segment is missing or damaged.
        SourceError: a transaction holds something that neokeep does not understand.
    """
    newest: deque[TransactionSummary] = deque(maxlen=limit)
    matched = 0
    for summary in transactions(repository, chain, wanted):
        newest.append(summary)
        matched += 1
    return reports.LogReport(
        repository=repository.storage.url,
        database=chain.base.database,
        chain=chain.base.label,
        window_first=(chain.base.opens or chain.base.end).transaction or 0,
        window_last=chain.last_transaction,
        matched=matched,
        transactions=tuple(_info(summary) for summary in newest),
    )


def _info(summary: TransactionSummary) -> reports.TransactionInfo:
    return reports.TransactionInfo(
        id=summary.id,
        committed_at=summary.committed,
        size_bytes=summary.size,
        position=str(summary.position),
        nodes=_counts(summary.nodes),
        relationships=_counts(summary.relationships),
        properties=_counts(summary.properties),
        tokens=_counts(summary.tokens),
        schema=_counts(summary.schema),
        additional_header=summary.additional_header.hex(),
    )


def _counts(changes: Changes) -> reports.ChangeCounts:
    return reports.ChangeCounts(created=changes.created, changed=changes.changed, deleted=changes.deleted)
