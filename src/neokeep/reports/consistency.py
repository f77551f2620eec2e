"""Reports on whether the graph in a store is whole."""

from __future__ import annotations

import msgspec


class ConsistencyKind(msgspec.Struct, frozen=True, kw_only=True):
    """How many findings of a kind there are; what they mean, and what is likely to come of them."""

    code: str
    count: int
    what: str
    consequence: str


class ConsistencyFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One inconsistency: its kind, the store file and the id of the record, and what is there.

    Of an index, counts, degrees or an id file `record` is the page.
    """

    code: str
    store: str
    record: int
    detail: str


class ConsistencyLeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the store that was not looked at, and why."""

    part: str
    why: str


class ConsistencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `check-consistency`: `ok` where nothing was found. `findings` holds at most 1,000 of each kind.

    `label` is that of the backup; `last_transaction` the last one of the log that was applied first, for a backup and
    for a database that was not stopped in order. Else they are null. `left_out` is what was not looked at.
    """

    subject: str
    database: str
    label: str | None
    last_transaction: int | None
    ok: bool
    nodes: int
    relationships: int
    inconsistencies: int
    kinds: tuple[ConsistencyKind, ...]
    findings: tuple[ConsistencyFinding, ...]
    left_out: tuple[ConsistencyLeftOut, ...]
    seconds: float
