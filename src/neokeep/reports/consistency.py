"""Reports on whether the graph in a store is whole."""

from __future__ import annotations

from datetime import datetime

import msgspec


class ConsistencyKind(msgspec.Struct, frozen=True, kw_only=True):
    """How many findings of a kind there are, and how many of them are gone once the log is applied.

    What they mean, and what is likely to come of them.
    """

    code: str
    count: int
    explained: int
    what: str
    consequence: str


class ConsistencyFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One inconsistency: its kind, the store file and the id of the record, and what is there.

    `explained`: it is gone once the log is applied that was left aside. Of an index, counts, degrees or an id file
    `record` is the page.
    """

    code: str
    store: str
    record: int
    detail: str
    explained: bool


class ConsistencyLeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the store that was not looked at, and why."""

    part: str
    why: str


class ConsistencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `check-consistency`: `ok` where nothing was found but what is explained.

    `not_applied` is the number of transactions in the log that were left aside, null without `--as-is`. Of the
    `inconsistencies` so many are `explained` by that. `findings` holds at most 1,000 of each kind, and as many that are
    explained. `left_out` is what was not looked at.

    `label` is that of the backup, `archive` the address of the archive; `last_transaction` the last one in what was
    read, for a backup, an archive, and a database that was not stopped in order. Else they are null.
    """

    subject: str
    database: str
    label: str | None
    archive: str | None
    last_transaction: int | None
    not_applied: int | None
    ok: bool
    nodes: int
    relationships: int
    inconsistencies: int
    explained: int
    kinds: tuple[ConsistencyKind, ...]
    findings: tuple[ConsistencyFinding, ...]
    left_out: tuple[ConsistencyLeftOut, ...]
    seconds: float
    recorded_at: datetime | None = None
    """When the outcome for a backup was recorded in its repository, by the clock of that; null: it was not."""
