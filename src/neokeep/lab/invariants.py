"""Look at a graph that a workload wrote to, or at a restored copy of it, and tell whether it is right.

The sum of the balances is what it was, sequences have no hole and end where they may, indexes and the counts store
tell the same as scans, every property can be read. The graph carries what it must add up to; nothing else is needed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.lab.bolt import GONE, PATIENCE, REFUSED, Row, Session, connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SAMPLE = 500
STALLED = 60
"""Seconds without progress after which an index is taken for one that will never be whole."""
SETTLED = 3
"""Seconds in which an index that is whole goes online, unless it is that of a constraint which was never made."""

INDEXES = "SHOW INDEXES YIELD name, state, populationPercent"
OWN_INDEXES = frozenset({"account_number", "token_number", "step_place", "account_holder", "account_note"})

# A predicate on `number` with a hint keeps the planner off the index on what is compared.
SCANNED = (
    "MATCH (a:Account) USING SCAN a:Account WHERE a.number >= 0 "
    "RETURN a.number AS number, a.holder AS holder, a.note AS note"
)
LOOKED_UP = (
    "UNWIND $values AS value MATCH (a:Account) USING INDEX a:Account(holder) WHERE a.holder = value "
    "RETURN value, a.number AS number"
)
FULLTEXT = (
    "UNWIND $values AS value CALL db.index.fulltext.queryNodes('account_note', value) YIELD node "
    "RETURN value, node.number AS number"
)
STEPS = (
    "MATCH (s:Step) RETURN s.writer AS writer, count(s) AS steps, count(DISTINCT s.number) AS numbers, "
    "min(s.number) AS first, max(s.number) AS last ORDER BY writer"
)
BY_INDEX = (
    "MATCH (s:Step) USING INDEX s:Step(writer, number) WHERE s.writer >= 0 AND s.number >= 0 "
    "RETURN s.writer AS writer, count(*) AS steps"
)
COUNTS = (
    ("nodes", "MATCH (n) RETURN count(n) AS counted", "MATCH (n) RETURN sum(1) AS counted"),
    (
        "relationships",
        "MATCH ()-[r]->() RETURN count(r) AS counted",
        "MATCH ()-[r]->() RETURN sum(1) AS counted",
    ),
)
LABELS = "CALL db.labels() YIELD label RETURN label AS name ORDER BY name"
TYPES = "CALL db.relationshipTypes() YIELD relationshipType RETURN relationshipType AS name ORDER BY name"
READ_ALL = (
    "MATCH (n) RETURN sum(size(keys(properties(n)))) AS values",
    "MATCH ()-[r]->() RETURN sum(size(keys(properties(r)))) AS values",
)


@dataclass(frozen=True, slots=True)
class InvariantReport:
    """What was found wrong, one sentence each, and the facts that were seen on the way."""

    findings: tuple[str, ...]
    accounts: int
    total: int
    sequences: Mapping[int, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify_invariants(
    uri: str,
    *,
    acknowledged: Mapping[int, int] | None = None,
    attempted: Mapping[int, int] | None = None,
    database: str = "neo4j",
    patience: float = PATIENCE,
) -> InvariantReport:
    """Check every invariant; sequences have to reach `acknowledged` and must not pass `attempted`, where given.

    A database that does not answer within `patience` seconds is a finding.
    """
    try:
        with connected(uri, database, patience) as session:
            return _report(session, acknowledged or {}, attempted or {})
    except (*REFUSED, *GONE) as failure:
        return InvariantReport((f"{database} does not answer: {failure}",), accounts=0, total=0)


def _report(session: Session, acknowledged: Mapping[int, int], attempted: Mapping[int, int]) -> InvariantReport:
    _await_indexes(session)
    findings: list[str] = []
    accounts = _row(session, "MATCH (a:Account) RETURN count(a) AS number, sum(a.balance) AS total")
    sequences = {row["writer"]: row["last"] for row in session.run(STEPS)}
    checks: tuple[Callable[[Session], Iterator[str]], ...] = (
        _money,
        lambda s: _sequences(s, acknowledged, attempted),
        _range_index,
        _fulltext_index,
        _counts,
        _indexes_online,
        _everything_reads,
    )
    for check in checks:
        try:
            findings += check(session)
        except REFUSED as failure:
            findings.append(f"a query failed: {failure}")
    return InvariantReport(tuple(findings), accounts["number"], accounts["total"], sequences)


def _row(session: Session, statement: str) -> dict[str, int]:
    return session.run(statement)[0]


def _money(session: Session) -> Iterator[str]:
    ledgers = session.run("MATCH (l:Ledger) RETURN l.accounts AS accounts, l.total AS total")
    if len(ledgers) != 1:
        yield f"there are {len(ledgers)} ledgers instead of one"
        return
    found = _row(session, "MATCH (a:Account) RETURN sum(1) AS accounts, sum(a.balance) AS total")
    for name, wanted in ledgers[0].items():
        if found[name] != wanted:
            yield f"{name}: {found[name]} instead of {wanted}"
    bare = _row(session, "MATCH (a:Account) WHERE NOT (a)<-[:OF]-(:Token) RETURN count(a) AS number")["number"]
    tokens = _row(session, "MATCH (t:Token)-[:OF]->(:Account) RETURN count(t) AS number")["number"]
    if bare or tokens != ledgers[0]["accounts"]:
        yield f"{bare} accounts without a token, {tokens} tokens on {ledgers[0]['accounts']} accounts"


def _sequences(session: Session, acknowledged: Mapping[int, int], attempted: Mapping[int, int]) -> Iterator[str]:
    last: dict[int, int] = defaultdict(int)
    for row in session.run(STEPS):
        last[row["writer"]] = row["last"]
        if (row["first"], row["steps"], row["numbers"]) != (1, row["last"], row["last"]):
            yield (
                f"sequence {row['writer']}: {row['steps']} steps, {row['numbers']} numbers "
                f"from {row['first']} to {row['last']}"
            )
    for writer, number in acknowledged.items():
        if last[writer] < number:
            yield f"sequence {writer} ends at {last[writer]}, but {number} was acknowledged"
    for writer, number in attempted.items():
        if last[writer] > number:
            yield f"sequence {writer} ends at {last[writer]}, but only {number} was attempted"


def _range_index(session: Session) -> Iterator[str]:
    wanted: dict[str, set[int]] = defaultdict(set)
    for row in session.run(SCANNED):
        if row["holder"] is None:
            yield f"account {row['number']} has no holder"
        else:
            wanted[row["holder"]].add(row["number"])
    found: dict[str, set[int]] = defaultdict(set)
    for row in session.run(LOOKED_UP, values=sorted(wanted)):
        found[row["value"]].add(row["number"])
    yield from _differences("the index on holder", wanted, found)
    entries = "MATCH (a:Account) USING INDEX a:Account(holder) WHERE a.holder >= '' RETURN count(*) AS number"
    held = _row(session, entries)["number"]
    if held != sum(map(len, wanted.values())):
        yield f"the index on holder holds {held} entries for {sum(map(len, wanted.values()))} accounts"
    scanned = {row["writer"]: row["steps"] for row in session.run(STEPS)}
    indexed = {row["writer"]: row["steps"] for row in session.run(BY_INDEX)}
    if scanned != indexed:
        yield f"the index on steps holds {indexed}, a scan finds {scanned}"


def _fulltext_index(session: Session) -> Iterator[str]:
    wanted: dict[str, set[int]] = defaultdict(set)
    rows = session.run(SCANNED)
    for row in rows:
        words = (row["note"] or "").split()
        if len(words) < 2:
            yield f"account {row['number']} has the note {row['note']!r}"
        else:
            wanted[words[1]].add(row["number"])
    sample = dict(sorted(wanted.items())[:: max(1, len(wanted) // SAMPLE)])
    found: dict[str, set[int]] = defaultdict(set)
    for row in session.run(FULLTEXT, values=sorted(sample)):
        found[row["value"]].add(row["number"])
    yield from _differences("the full-text index", sample, found)
    # Every note has the word "ledger": the index holds one entry per account and none of a deleted one.
    held = session.run(FULLTEXT, values=["ledger"])
    if len(held) != len(rows):
        yield f"the full-text index holds {len(held)} entries for {len(rows)} accounts"


def _differences(name: str, wanted: Mapping[str, set[int]], found: Mapping[str, set[int]]) -> Iterator[str]:
    wrong = [value for value, numbers in wanted.items() if found.get(value, set()) != numbers]
    if wrong:
        yield f"{name} differs from a scan for {len(wrong)} of {len(wanted)} values, first {wrong[0]!r}"


def _counts(session: Session) -> Iterator[str]:
    pairs = list(COUNTS)
    for row in session.run(LABELS):
        name = row["name"]
        pattern = f"MATCH (n:`{name}`) RETURN"
        pairs.append((f"label {name}", f"{pattern} count(n) AS counted", f"{pattern} sum(1) AS counted"))
    for row in session.run(TYPES):
        name = row["name"]
        pattern = f"MATCH ()-[r:`{name}`]->() RETURN"
        pairs.append((f"type {name}", f"{pattern} count(r) AS counted", f"{pattern} sum(1) AS counted"))
    for name, stored, scanned in pairs:
        told, seen = _row(session, stored)["counted"], _row(session, scanned)["counted"]
        if told != seen:
            yield f"{name}: the counts store says {told}, a scan finds {seen}"


def _indexes_online(session: Session) -> Iterator[str]:
    for row in session.run(INDEXES):
        if row["state"] != "ONLINE" and not (_waits_for_constraint(row) and row["name"] not in OWN_INDEXES):
            yield f"index {row['name']} is {row['state']} at {row['populationPercent']} %"


def _await_indexes(session: Session) -> None:
    """Wait until no index gets on any more.

    Not db.awaitIndexes: a crash may leave the index of a uniqueness constraint whose constraint was not made yet. Such
    an index is whole and waits for its constraint for ever, and the procedure with it.
    """
    before: list[Row] = []
    changed = time.monotonic()
    while pending := [row for row in session.run(INDEXES) if row["state"] == "POPULATING"]:
        if pending != before:
            before, changed = pending, time.monotonic()
        patience = SETTLED if all(_waits_for_constraint(row) for row in pending) else STALLED
        if time.monotonic() - changed > patience:
            return
        time.sleep(0.1)


def _waits_for_constraint(index: Row) -> bool:
    return bool(index["state"] == "POPULATING" and index["populationPercent"] == 100)


def _everything_reads(session: Session) -> Iterator[str]:
    for statement in READ_ALL:
        if session.run(statement)[0]["values"] is None:
            yield "properties cannot be read"
