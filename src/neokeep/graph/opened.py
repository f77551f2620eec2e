"""What is opened for reading a graph: whose it is, and its clean pages. Commands that read graphs know nothing else.

Each kind of subject has a module here with a context manager that gives an `OpenedStore`; what it laid out in scratch
is gone when the block ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.neo4j.store.graph import GraphReader

if TYPE_CHECKING:
    from neokeep.graph.pending import PendingLog
    from neokeep.neo4j.store.pages import StorePages


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A store with its log in it; or as it lies there, then `pending` is what its log holds beside it.

    `subject` names it for people. `label` is that of the backup, `archive` the address of the archive, and
    `last_transaction` the last one that is in it where that was found out on the way. `derived` says that counts,
    indexes and id files are there as of the records: the store was closed in order, and not changed since.
    """

    subject: str
    database: str
    pages: StorePages
    aligned: bool
    label: str | None = None
    last_transaction: int | None = None
    archive: str | None = None
    pending: PendingLog | None = None
    derived: bool = False

    def reader(self) -> GraphReader:
        """Read the graph.

        Raises:
            IntegrityError: a store file is missing, or does not say how large its records are.
        """
        return GraphReader(self.pages, aligned=self.aligned)
