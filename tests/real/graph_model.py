"""A graph as those who write it know it, and the changes that they make: each is run by Neo4j and applied to the model.

Nodes and relationships are told apart by their property `key`, which no two share. Every writer changes nodes of its
own, so that its changes mean the same whatever the others do meanwhile; only a hub is shared, which counts visits.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from neokeep.lab.bolt import Session

Properties = dict[str, Any]

HUB = "hub"
COLOURS = ("Red", "Green", "Blue")
TYPES = ("KNOWS", "OWES", "FOLLOWS")
SCHEMA = (
    "CREATE CONSTRAINT thing_key IF NOT EXISTS FOR (t:Thing) REQUIRE t.key IS UNIQUE",
    "CREATE INDEX thing_small IF NOT EXISTS FOR (t:Thing) ON (t.small)",
    "CREATE FULLTEXT INDEX thing_large IF NOT EXISTS FOR (t:Thing) ON EACH [t.large]",
)
# Every label, type and property name comes into being here: each takes a transaction of the server's own.
TOKENS = """
CREATE (a:Thing:Red:Green:Blue:Hub:Ledger {
  key: 'a', small: 's', large: 'l', numbers: [1], words: ['w'], ratio: 0.5, flag: true, count: 1, done: 0, visits: 0,
  last: '', visit: 0
})-[:KNOWS]->(b:Thing {key: 'b'})-[:OWES]->(a), (a)-[:FOLLOWS]->(b), (b)-[:VISITED]->(a)
DETACH DELETE a, b
"""
CREATE = """
UNWIND $nodes AS values CREATE (n:Thing:{colour}) SET n = values WITH collect(n) AS made
UNWIND range(1, size(made) - 1) AS at WITH made[at - 1] AS a, made[at] AS b
CREATE (a)-[:{type} {{key: a.key + '-' + b.key}}]->(b)
"""
# The first SET takes the lock under which the count is read.
VISIT = """
MATCH (n:Thing {key: $start}), (h:Hub) SET h.last = $key SET h.visits = h.visits + 1
CREATE (n)-[:VISITED {key: $key, visit: h.visits}]->(h) RETURN h.visits AS visit
"""
LETTERS = string.ascii_letters + string.digits + " äß漢\N{GRINNING FACE}"
LARGEST = 2**63 - 1


@dataclass
class Node:
    """What is known of a node."""

    labels: frozenset[str]
    properties: Properties


@dataclass
class Relationship:
    """What is known of a relationship; its ends by their keys."""

    type: str
    start: str
    end: str
    properties: Properties


@dataclass
class Graph:
    """All nodes and relationships, by key."""

    nodes: dict[str, Node] = field(default_factory=dict)
    relationships: dict[str, Relationship] = field(default_factory=dict)

    def keys(self, label: str) -> list[str]:
        """List the nodes that carry a label."""
        return [key for key, node in self.nodes.items() if label in node.labels]


def read_graph(session: Session) -> Graph:
    """Read everything that a database holds."""
    nodes = session.run("MATCH (n) RETURN labels(n) AS labels, properties(n) AS properties")
    relationships = session.run(
        "MATCH (a)-[r]->(b) RETURN type(r) AS type, a.key AS start, b.key AS end, properties(r) AS properties"
    )
    graph = Graph(
        {row["properties"]["key"]: Node(frozenset(row["labels"]), row["properties"]) for row in nodes},
        {row["properties"]["key"]: Relationship(**row) for row in relationships},
    )
    assert (len(graph.nodes), len(graph.relationships)) == (len(nodes), len(relationships)), "a key is there twice"
    return graph


class Change(Protocol):
    """What one transaction does."""

    def statement(self) -> tuple[str, Properties]:
        """Say it in Cypher."""

    def apply(self, graph: Graph, visit: int) -> None:
        """Do it to the model; `visit` is the number that the hub gave, where it was visited."""


@dataclass(frozen=True)
class Create:
    """New nodes of one colour, in a row of relationships."""

    keys: Sequence[str]
    colour: str
    type: str
    properties: Sequence[Properties]

    def statement(self) -> tuple[str, Properties]:
        nodes = [values | {"key": key} for key, values in zip(self.keys, self.properties, strict=True)]
        return CREATE.format(colour=self.colour, type=self.type), {"nodes": nodes}

    def apply(self, graph: Graph, visit: int) -> None:
        for key, values in zip(self.keys, self.properties, strict=True):
            graph.nodes[key] = Node(frozenset({"Thing", self.colour}), values | {"key": key})
        for start, end in zip(self.keys, self.keys[1:], strict=False):
            key = f"{start}-{end}"
            graph.relationships[key] = Relationship(self.type, start, end, {"key": key})


@dataclass(frozen=True)
class Rewrite:
    """Other properties for a node: all that it had go."""

    key: str
    properties: Properties

    def statement(self) -> tuple[str, Properties]:
        return "MATCH (n:Thing {key: $key}) SET n = $values", {"key": self.key, "values": self._values}

    def apply(self, graph: Graph, visit: int) -> None:
        graph.nodes[self.key].properties = self._values

    @property
    def _values(self) -> Properties:
        return self.properties | {"key": self.key}


@dataclass(frozen=True)
class Paint:
    """A colour more for a node, or one less."""

    key: str
    colour: str
    on: bool

    def statement(self) -> tuple[str, Properties]:
        verb = "SET" if self.on else "REMOVE"
        return f"MATCH (n:Thing {{key: $key}}) {verb} n:{self.colour}", {"key": self.key}

    def apply(self, graph: Graph, visit: int) -> None:
        node = graph.nodes[self.key]
        node.labels = node.labels | {self.colour} if self.on else node.labels - {self.colour}


@dataclass(frozen=True)
class Delete:
    """A node less, with all its relationships."""

    key: str

    def statement(self) -> tuple[str, Properties]:
        return "MATCH (n:Thing {key: $key}) DETACH DELETE n", {"key": self.key}

    def apply(self, graph: Graph, visit: int) -> None:
        del graph.nodes[self.key]
        for key in [key for key, found in graph.relationships.items() if self.key in (found.start, found.end)]:
            del graph.relationships[key]


@dataclass(frozen=True)
class Connect:
    """A relationship between two nodes, which may be the same."""

    key: str
    type: str
    start: str
    end: str
    properties: Properties

    def statement(self) -> tuple[str, Properties]:
        return (
            f"MATCH (a:Thing {{key: $start}}), (b:Thing {{key: $end}}) CREATE (a)-[r:{self.type}]->(b) SET r = $values",
            {"start": self.start, "end": self.end, "values": self.properties | {"key": self.key}},
        )

    def apply(self, graph: Graph, visit: int) -> None:
        values = self.properties | {"key": self.key}
        graph.relationships[self.key] = Relationship(self.type, self.start, self.end, values)


@dataclass(frozen=True)
class Reword:
    """Other properties for a relationship."""

    key: str
    start: str
    properties: Properties

    def statement(self) -> tuple[str, Properties]:
        return (
            "MATCH (:Thing {key: $start})-[r {key: $key}]->() SET r += $values",
            {"start": self.start, "key": self.key, "values": self.properties},
        )

    def apply(self, graph: Graph, visit: int) -> None:
        graph.relationships[self.key].properties |= self.properties


@dataclass(frozen=True)
class Disconnect:
    """A relationship less."""

    key: str
    start: str

    def statement(self) -> tuple[str, Properties]:
        return "MATCH (:Thing {key: $start})-[r {key: $key}]->() DELETE r", {"start": self.start, "key": self.key}

    def apply(self, graph: Graph, visit: int) -> None:
        del graph.relationships[self.key]


@dataclass(frozen=True)
class Visit:
    """A relationship to the hub that all writers share; the hub numbers its visits in the order of their commits."""

    key: str
    start: str

    def statement(self) -> tuple[str, Properties]:
        return VISIT, {"start": self.start, "key": self.key}

    def apply(self, graph: Graph, visit: int) -> None:
        graph.relationships[self.key] = Relationship("VISITED", self.start, HUB, {"key": self.key, "visit": visit})
        hub = graph.nodes[HUB].properties
        if visit > hub["visits"]:
            hub |= {"visits": visit, "last": self.key}


def any_change(name: str, graph: Graph, chance: random.Random) -> Change:
    """Think of a change for a writer; `name` is what new keys begin with, `graph` what the writer has made so far."""
    nodes = graph.keys("Thing")
    if len(nodes) < 4:
        return _create(name, 4, chance)
    key = chance.choice(nodes)
    draw = chance.randrange(30)
    if draw < 5:
        return _create(name, 1 if draw else 12, chance)
    if draw < 12:
        return Rewrite(key, values(chance))
    if draw < 15:
        colour = chance.choice(COLOURS)
        return Paint(key, colour, colour not in graph.nodes[key].labels)
    if draw < 17:
        return Delete(key)
    if draw < 21:
        return Visit(f"{name}v", key)
    return _about_a_relationship(name, graph, key, nodes, draw, chance)


def _about_a_relationship(
    name: str, graph: Graph, key: str, nodes: Sequence[str], draw: int, chance: random.Random
) -> Change:
    own = [key for key, found in graph.relationships.items() if found.end != HUB]
    if draw < 26 or not own:
        return Connect(f"{name}r", chance.choice(TYPES), key, chance.choice(nodes), values(chance))
    known = chance.choice(own)
    start = graph.relationships[known].start
    return Reword(known, start, values(chance)) if draw < 28 else Disconnect(known, start)


def _create(name: str, number: int, chance: random.Random) -> Create:
    keys = [f"{name}n{at}" for at in range(number)]
    return Create(keys, chance.choice(COLOURS), chance.choice(TYPES), [values(chance) for _ in keys])


def values(chance: random.Random) -> Properties:
    """Think of some properties: short and long strings and arrays, numbers, truth values."""
    made: Properties = {
        "small": text(chance, 12),
        "large": text(chance, 3000),
        "numbers": [chance.randrange(-LARGEST, LARGEST) for _ in range(chance.randrange(40))],
        "words": [text(chance, 30) for _ in range(chance.randrange(12))],
        "ratio": chance.uniform(-1e9, 1e9),
        "flag": chance.random() < 0.5,
        "count": chance.choice((0, 1, -1, chance.randrange(1000), LARGEST, -LARGEST - 1)),
    }
    return {name: made[name] for name in chance.sample(sorted(made), chance.randrange(5))}


def text(chance: random.Random, longest: int) -> str:
    """Make up a text."""
    return "".join(chance.choices(LETTERS, k=chance.randrange(longest)))


def first_graph(ledgers: Iterable[str]) -> Graph:
    """Give the graph that writers begin with: the hub, and one ledger each."""
    nodes = {key: Node(frozenset({"Ledger"}), {"key": key, "done": 0}) for key in ledgers}
    nodes[HUB] = Node(frozenset({"Hub"}), {"key": HUB, "visits": 0, "last": ""})
    return Graph(nodes)


def create_graph(session: Session, graph: Graph) -> None:
    """Make schema and tokens, and the graph that writers begin with."""
    for statement in (*SCHEMA, "CALL db.awaitIndexes(300)", TOKENS):
        session.run(statement)
    for node in graph.nodes.values():
        session.run(f"CREATE (n:{':'.join(node.labels)}) SET n = $values", values=node.properties)
