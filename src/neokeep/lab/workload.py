"""Writers that change a graph all the time, in ways that show afterwards whether a copy of it is right.

Each writer moves money between accounts (the sum never changes), counts up a sequence of its own (no number may be
missing), deletes and recreates nodes with their relationships, and changes strings that a range index and a full-text
index hold. What the server acknowledged is remembered. `verify_invariants` looks at any server's copy of the graph.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

from neokeep.errors import UsageError
from neokeep.lab.bolt import GONE, REFUSED, Session, connected, is_shutdown
from neokeep.lab.invariants import InvariantReport, verify_invariants

__all__ = ["InvariantReport", "Throughput", "Workload", "verify_invariants"]

OPENING_BALANCE = 1_000
TRANSFER, STEP, RECREATE, RENAME = range(4)
WEIGHTS = (4, 3, 1, 2)

SCHEMA = (
    "CREATE CONSTRAINT account_number IF NOT EXISTS FOR (a:Account) REQUIRE a.number IS UNIQUE",
    "CREATE CONSTRAINT token_number IF NOT EXISTS FOR (t:Token) REQUIRE t.number IS UNIQUE",
    "CREATE INDEX step_place IF NOT EXISTS FOR (s:Step) ON (s.writer, s.number)",
    "CREATE INDEX account_holder IF NOT EXISTS FOR (a:Account) ON (a.holder)",
    "CREATE FULLTEXT INDEX account_note IF NOT EXISTS FOR (a:Account) ON EACH [a.note]",
)
ACCOUNTS = """
UNWIND range(0, $accounts - 1) AS number
CREATE (:Account {number: number, balance: $balance, holder: 'holder-' + number, note: 'ledger w0x' + number})
"""
TOKENS = """
MATCH (a:Account)
CREATE (t:Token {number: a.number, text: 'token of account ' + a.number})-[:OF {since: 0}]->(a)
"""
LEDGER = "CREATE (:Ledger {accounts: $accounts, total: $accounts * $balance})"
STATEMENTS = {
    # Locks are taken in one order, so that two transfers over the same accounts do not wait for each other.
    TRANSFER: """
        MATCH (low:Account {number: $low}) SET low.balance = low.balance - $amount
        WITH low MATCH (high:Account {number: $high}) SET high.balance = high.balance + $amount
        CREATE (low)-[:PAID {amount: $amount, reason: $reason}]->(high)""",
    STEP: "CREATE (:Step {writer: $writer, number: $number, text: $text})",
    RECREATE: """
        MATCH (t:Token {number: $number}) DETACH DELETE t
        WITH count(*) AS deleted MATCH (a:Account {number: $number})
        CREATE (new:Token {number: $number, text: $text}), (new)-[:OF {since: $since}]->(a)""",
    RENAME: "MATCH (a:Account {number: $number}) SET a.holder = $holder, a.note = $note",
}


@dataclass(frozen=True, slots=True)
class Throughput:
    """Committed transactions and the seconds they took."""

    transactions: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Transactions per second."""
        return self.transactions / self.seconds if self.seconds else 0.0


class Workload:
    """A number of writers on one database; start and stop them as often as you like."""

    def __init__(self, uri: str, accounts: int = 1000, writers: int = 4, database: str = "neo4j") -> None:
        if accounts < 2 or writers < 1:
            raise UsageError("a workload needs at least two accounts and one writer")
        self.uri = uri
        self.accounts = accounts
        self.writers = writers
        self.database = database
        self.failures: list[Exception] = []
        self._acknowledged: dict[int, int] = {}
        self._attempted: dict[int, int] = {}
        self._committed = [0] * writers
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._began = self._seconds = 0.0

    def setup(self) -> None:
        """Create the schema and the accounts; once per database."""
        with connected(self.uri, self.database) as session:
            for statement in SCHEMA:
                session.run(statement)
            session.run("CALL db.awaitIndexes(300)")
            session.run(ACCOUNTS, accounts=self.accounts, balance=OPENING_BALANCE)
            session.run(TOKENS)
            session.run(LEDGER, accounts=self.accounts, balance=OPENING_BALANCE)

    def start(self) -> None:
        """Start the writers; each goes on from the number that its sequence has in the database."""
        if self.is_running:
            raise UsageError("the workload is running already")
        with connected(self.uri, self.database) as session:
            rows = session.run("MATCH (s:Step) RETURN s.writer AS writer, max(s.number) AS number")
        reached = {row["writer"]: row["number"] for row in rows}
        self._acknowledged = {writer: reached.get(writer, 0) for writer in range(self.writers)}
        self._attempted = dict(self._acknowledged)
        self._stopping.clear()
        self._began = time.monotonic()
        self._threads = [
            threading.Thread(target=self._write, args=(writer,), name=f"writer-{writer}", daemon=True)
            for writer in range(self.writers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every writer finish its transaction; an unexpected failure of one is raised here."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._threads:
            self._seconds += time.monotonic() - self._began
        self._threads = []
        if self.failures:
            raise self.failures[0]

    @property
    def is_running(self) -> bool:
        """Whether a writer is at work; none is when the server died."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def acknowledged(self) -> dict[int, int]:
        """The last number of each sequence that the server said is committed, as of now."""
        return dict(self._acknowledged)

    @property
    def attempted(self) -> dict[int, int]:
        """The last number of each sequence that was sent; it may or may not be in the database."""
        return dict(self._attempted)

    @property
    def throughput(self) -> Throughput:
        """What was committed since the first start, in the time that the writers ran."""
        running = time.monotonic() - self._began if self._threads else 0.0
        return Throughput(sum(self._committed), self._seconds + running)

    def _write(self, writer: int) -> None:
        chance = random.Random()  # noqa: S311 -- it only mixes the load
        try:
            with connected(self.uri, self.database) as session:
                while not self._stopping.is_set():
                    self._transact(session, writer, chance)
        except GONE:
            return  # the server died or was stopped, which tests do on purpose: what is known so far stands
        except REFUSED as failure:
            if not is_shutdown(failure):
                self.failures.append(failure)

    def _transact(self, session: Session, writer: int, chance: random.Random) -> None:
        kind = chance.choices((TRANSFER, STEP, RECREATE, RENAME), WEIGHTS)[0]
        number = chance.randrange(self.accounts)
        word = f"w{writer}x{chance.randrange(1_000_000)}"
        if kind == TRANSFER:
            low, high = sorted(chance.sample(range(self.accounts), 2))
            session.run(STATEMENTS[kind], low=low, high=high, amount=chance.randint(-100, 100), reason=word)
        elif kind == STEP:
            step = self._acknowledged[writer] + 1
            self._attempted[writer] = step
            text = f"step {step} of writer {writer} " + word * chance.randrange(30)
            session.run(STATEMENTS[kind], writer=writer, number=step, text=text)
            self._acknowledged[writer] = step
        elif kind == RECREATE:
            text = "token " + word * chance.randrange(20)
            session.run(STATEMENTS[kind], number=number, text=text, since=chance.randrange(100))
        else:
            note = f"ledger {word} " + "memo " * chance.randrange(40)
            session.run(STATEMENTS[kind], number=number, holder=f"holder-{word}", note=note)
        self._committed[writer] += 1
