"""Writers that work at the same time, and what they know of the graph at each transaction.

No version tells the id of a transaction that one has committed. What all tell is the bookmark of a session: the newest
transaction of the whole database when the server answered. With several writers that need not be one's own, but it
holds one's own between two numbers: above the newest id that any writer had heard of when the transaction was sent, and
not above the bookmark that came with its acknowledgement.

Each writer numbers its transactions in a ledger node of its own, so a copy of the graph tells how many of each writer
it holds. `Writers.require_possible` proves that up to a transaction id just these can have been committed: no id is
missing or used for nothing, nothing known to be newer is there, and nothing known to be older is missing. Wherever they
met at the hub, the order between writers is known exactly.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.lab.bolt import GONE, REFUSED, connected
from real.graph_model import Change, Graph, Visit, any_change, create_graph, first_graph, read_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from neokeep.lab.bolt import Session

Done = tuple[int, ...]
"""How many transactions of each writer."""

_INTEGERS = {0xC8: 1, 0xC9: 2, 0xCA: 4, 0xCB: 8}
_ID_IN_BOOKMARK = 3 + 16
"""Behind the markers of a structure and of the database's id."""


@dataclass(frozen=True)
class Committed:
    """A change and what is known of its transaction: the id is above `after` and not above `until`."""

    change: Change
    after: int
    until: int
    visit: int


@dataclass
class Writer:
    """One of the writers: what it has committed, and the nodes that it has made."""

    name: str
    chance: random.Random
    graph: Graph
    committed: list[Committed]
    in_doubt: tuple[Change, int] | None = None
    """A change whose outcome the server did not live to tell, and the newest transaction known when it was sent."""

    @property
    def ledger(self) -> str:
        """The key of the node that counts its transactions."""
        return f"ledger-{self.name}"

    def note(self, change: Change, after: int, until: int, visit: int) -> None:
        """Remember what was committed."""
        change.apply(self.graph, visit)
        self.committed.append(Committed(change, after, until, visit))


class Writers:
    """All of them, and what they know together. `others` are transactions that the server made for itself."""

    def __init__(self, count: int, seed: str) -> None:
        self.writers = [
            Writer(f"w{number}", random.Random(f"{seed} {number}"), first_graph(()), []) for number in range(count)
        ]
        self.begun_with = first_graph(writer.ledger for writer in self.writers)
        self.first = 0
        self.others: list[int] = []
        self.came_to_nothing = 0
        self._newest = 0
        self._working: list[Future[None]] = []
        self._lock = threading.Lock()

    @property
    def done(self) -> Done:
        """What has been committed so far."""
        return tuple(len(writer.committed) for writer in self.writers)

    @property
    def are_at_work(self) -> bool:
        """Whether any of them has something left to do."""
        return not all(each.done() for each in self._working)

    def begin(self, uri: str) -> None:
        """Make the graph that they begin with; `first` is the newest transaction then."""
        with connected(uri) as session:
            create_graph(session, self.begun_with)
            self.first = self._heard(session)

    @contextlib.contextmanager
    def at_work(self, uri: str, most: int) -> Iterator[None]:
        """Have all work until each has done `most` transactions, or the server is gone; the block goes on meanwhile."""
        with ThreadPoolExecutor(len(self.writers)) as pool:
            self._working = [pool.submit(self._work, writer, uri, most) for writer in self.writers]
            yield
            for each in self._working:
                each.result()

    def write_one(self, uri: str) -> None:
        """Have one of them do one transaction, with nobody else at work."""
        with connected(uri) as session:
            self._commit(session, self.writers[0])

    def settle(self, uri: str) -> None:
        """After a crash, learn what became of changes whose outcome the server did not live to tell."""
        with connected(uri) as session:
            found = read_graph(session)
            newest = self._heard(session)
        for writer in self.writers:
            if writer.in_doubt is not None and found.nodes[writer.ledger].properties["done"] > len(writer.committed):
                change, after = writer.in_doubt
                visit = found.relationships[change.key].properties["visit"] if isinstance(change, Visit) else 0
                writer.note(change, after, newest, visit)
            writer.in_doubt = None

    def newest_transaction(self, uri: str) -> int:
        """Ask the server for the newest transaction of the database."""
        with connected(uri) as session:
            session.run("RETURN 1")
            return self._heard(session)

    def graph_at(self, done: Done) -> Graph:
        """Say what the graph was when so many of each writer's transactions were committed."""
        graph = copy.deepcopy(self.begun_with)
        for writer, number in zip(self.writers, done, strict=True):
            for committed in writer.committed[:number]:
                committed.change.apply(graph, committed.visit)
            graph.nodes[writer.ledger].properties["done"] = number
        return graph

    def done_in(self, graph: Graph) -> Done:
        """Read from a copy of the graph what it holds of each writer."""
        return tuple(graph.nodes[writer.ledger].properties["done"] for writer in self.writers)

    def require_possible(self, done: Done, transaction: int) -> None:
        """Prove that exactly this can have been committed up to a transaction, the last one included."""
        of_the_server = sum(other <= transaction for other in self.others)
        assert sum(done) + of_the_server == transaction - self.first, "ids and transactions differ in number"
        visits = []
        for writer, number in zip(self.writers, done, strict=True):
            there, missing = writer.committed[:number], writer.committed[number:]
            assert len(there) == number, f"{writer.name} never did so much"
            assert all(item.after < transaction for item in there), f"{writer.name} did that later"
            assert all(item.until > transaction for item in missing), f"{writer.name} did more before"
            visits += [item.visit for item in there if item.visit]
        assert sorted(visits) == list(range(1, len(visits) + 1)), "a visit is there without those before it"

    def _work(self, writer: Writer, uri: str, most: int) -> None:
        with contextlib.suppress(*GONE), connected(uri) as session:
            while len(writer.committed) < most:
                if writer.chance.random() < 0.1:
                    self._come_to_nothing(session, writer)
                self._commit(session, writer)

    def _commit(self, session: Session, writer: Writer) -> None:
        number = len(writer.committed) + 1
        change = any_change(f"{writer.name}-{number}", writer.graph, writer.chance)
        with self._lock:
            after = self._newest
        writer.in_doubt = (change, after)
        statement, parameters = change.statement()
        rows = session.run(
            "MATCH (l:Ledger {key: $ledger}) SET l.done = $number WITH l " + statement,
            ledger=writer.ledger,
            number=number,
            **parameters,
        )
        writer.in_doubt = None
        writer.note(change, after, self._heard(session), rows[0]["visit"] if rows else 0)

    def _come_to_nothing(self, session: Session, writer: Writer) -> None:
        """Begin a change and take it back, or try one that is not allowed."""
        with contextlib.suppress(*REFUSED):
            if writer.chance.random() < 0.5:
                with session.session.begin_transaction() as transaction:
                    transaction.run("CREATE (:Thing:Red {key: $key})-[:KNOWS]->(:Blue)", key=f"{writer.name}-never")
                    transaction.run("MATCH (h:Hub) SET h.visits = 0").consume()
                    transaction.rollback()
            else:
                session.run("UNWIND ['twice', 'twice'] AS key CREATE (:Thing {key: key})")
                raise AssertionError("the constraint did not hold")
        with self._lock:
            self.came_to_nothing += 1

    def _heard(self, session: Session) -> int:
        """Note the bookmark of the session's last transaction as heard of by all."""
        transaction = transaction_in(session.session.last_bookmarks().raw_values)
        with self._lock:
            self._newest = max(self._newest, transaction)
        return transaction


def transaction_in(bookmarks: Sequence[str] | frozenset[str]) -> int:
    """Read the transaction id in a bookmark; all versions write it as a packed integer behind the database's id."""
    (bookmark,) = bookmarks
    encoded = bookmark.removeprefix("FB:")
    data = base64.b64decode(encoded + "=" * (-len(encoded) % 4))[_ID_IN_BOOKMARK:]
    length = _INTEGERS.get(data[0])
    return data[0] if length is None else int.from_bytes(data[1 : 1 + length], "big", signed=True)
