"""A graph that changes at random, with every kind of value, label and relationship that a store can hold.

The same seed makes the same statements. Each step is one transaction: nodes and relationships are made, changed and
removed, dense ones too; labels, tokens, indexes and constraints come and go; now and then a transaction is large.
"""

from __future__ import annotations

import datetime as dt
import string
from random import Random
from typing import TYPE_CHECKING, Any

import pytz
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import DateTime, Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.lab.bolt import Session

ALPHABETS = (
    string.digits + " .-+,'",
    string.digits + " -:/+,",
    string.ascii_uppercase + " _.-:/",
    string.ascii_lowercase + " _.-:/",
    string.ascii_lowercase + ",_.-+@",
    string.ascii_lowercase + string.digits + "_.-:/+,'@|;*?&%#()$<>=",
    string.ascii_letters + string.digits + "_ ",
    string.ascii_letters + "_.-:/;+,'@| ",
    "ÀÉÏØßàéïøÿABCdef0123.-",
    "".join(map(chr, range(0xA0, 0x100))),
    "0123456789abcdef",
    "0123456789ABCDEF",
    "日本語テキスト漢字",
    "😀🐘🚀 mixed текст",
)
"""Short strings of each go into a block of their own encoding; of the last ones they are plain UTF-8."""

LENGTHS = (0, 1, 2, 7, 8, 15, 24, 31, 44, 59, 60, 61, 119, 120, 121, 240, 241, 1000)
_WIDTHS = (0, 1, 6, 7, 8, 15, 16, 31, 32, 34, 35, 36, 62, 63)
_KEYS = 30
_SHORT_KEYS = range(1, 8)
"""Keys whose values are never too long for an index."""
_LABELS = 60
_TYPES = 12
_LARGE = 1500


def random_value(random: Random) -> Any:
    """Give a value that a property can have."""
    scalar = random.choice(_SCALARS)
    if random.random() < 0.6:
        return scalar(random)
    if random.random() < 0.1:
        return random.randbytes(random.choice(LENGTHS))
    return [scalar(random) for _ in range(random.choice((0, 1, 2, 3, 5, 8, 20, 63, 64, 130)))]


def _integer(random: Random) -> int:
    width = random.choice(_WIDTHS)
    return random.choice((1, -1)) * random.choice(((1 << width) - 1, random.getrandbits(width) if width else 0))


def _float(random: Random) -> float:
    # A fraction of one kind: an array of floats must not become one of integers.
    return random.choice((0.0, -0.0, 1.5, -2.25, 1e300, 5e-324, float("inf"), random.gauss(0, 1e9)))


def _boolean(random: Random) -> bool:
    return random.random() < 0.5


def _text(random: Random) -> str:
    alphabet = random.choice(ALPHABETS)
    length = random.choice(LENGTHS)
    return "".join(random.choices(alphabet, k=length))


def _cartesian(random: Random) -> CartesianPoint:
    return CartesianPoint([random.uniform(-1e6, 1e6) for _ in range(2)])


def _geographic(random: Random) -> WGS84Point:
    return WGS84Point((random.uniform(-180, 180), random.uniform(-90, 90), random.uniform(0, 9000)))


def _date(random: Random) -> dt.date:
    return dt.date.fromordinal(random.randrange(1, 3_000_000))


def _moment(random: Random) -> dt.datetime:
    # Years of the past and the future whose zones the driver can write.
    date = dt.date.fromordinal(random.randrange(700_000, 760_000))
    return dt.datetime.combine(date, _local_time(random))


def _local_time(random: Random) -> dt.time:
    return dt.time(random.randrange(24), random.randrange(60), random.randrange(60), random.randrange(1_000_000))


def _offset(random: Random) -> Any:
    return pytz.FixedOffset(15 * random.randrange(-40, 40))


def _time(random: Random) -> dt.time:
    return _local_time(random).replace(tzinfo=_offset(random))


def _moment_with_offset(random: Random) -> Any:
    # The zone is found before the driver's own class comes in, whose arithmetic is slow.
    return DateTime.from_native(_offset(random).localize(_moment(random)))


def _moment_with_zone(random: Random) -> Any:
    zone = pytz.timezone(random.choice(("Europe/Berlin", "America/New_York", "Asia/Tokyo")))
    # Noon exists on every day in every zone.
    return DateTime.from_native(zone.localize(_moment(random).replace(hour=12)))


def _duration(random: Random) -> Duration:
    return Duration(
        months=random.randrange(-50, 50),
        days=random.randrange(-5000, 5000),
        seconds=random.randrange(-(10**9), 10**9),
        nanoseconds=random.randrange(10**9),
    )


_SCALARS: tuple[Callable[[Random], Any], ...] = (
    _integer, _integer, _float, _boolean, _text, _text, _text, _cartesian, _geographic, _date, _moment, _local_time,
    _time, _moment_with_offset, _moment_with_zone, _duration,
)  # fmt: skip


class RandomGraph:
    """Changes the graph of one database, step by step; `prefix` keeps the tokens of two of them apart."""

    def __init__(self, session: Session, seed: int, prefix: str = "") -> None:
        self._session = session
        self._random = Random(seed)  # noqa: S311 -- it has to be repeatable, not secret
        self._prefix = prefix
        self._numbers: list[int] = []
        self._next = 0
        self._step = 0

    def step(self) -> None:
        """Do one thing in one transaction."""
        self._step += 1
        actions, weights = zip(*self._actions, strict=True)
        self._random.choices(actions, weights)[0]()

    @property
    def _actions(self) -> tuple[tuple[Callable[[], None], int], ...]:
        return (
            (self._create, 30),
            (self._connect, 20),
            (self._change, 20),
            (self._remove_properties, 6),
            (self._relabel, 10),
            (self._make_dense, 4),
            (self._thin_out, 5),
            (self._disconnect, 5),
            (self._delete, 12),
            (self._large, 1),
            (self._index, 2),
            (self._constraint, 1),
        )

    def _create(self) -> None:
        rows = [{"number": self._new(), "values": self._values()} for _ in range(self._random.randrange(1, 6))]
        labels = "".join(f":{label}" for label in self._labels(self._random.choice((0, 1, 2, 3, 5, 8, 40))))
        self._run(f"UNWIND $rows AS row CREATE (n{labels}) SET n = row.values, n.number = row.number", rows=rows)

    def _connect(self) -> None:
        first, second = self._one(), self._one()
        if self._random.random() < 0.15:
            second = first
        statement = (
            "MATCH (a {number: $first, owner: $owner}) WITH a MATCH (b {number: $second, owner: $owner}) "
            f"CREATE (a)-[r:{self._type()}]->(b) SET r = $values"
        )
        self._run(statement, first=first, second=second, values=self._values(self._random.choice((0, 1, 4))))

    def _change(self) -> None:
        self._run(
            "MATCH (n {number: $number, owner: $owner}) SET n += $values", number=self._one(), values=self._values()
        )

    def _remove_properties(self) -> None:
        values = dict.fromkeys(self._random.sample(range(_KEYS), 12))
        nothing = {self._key(number): None for number in values}
        self._run("MATCH (n {number: $number, owner: $owner}) SET n += $values", number=self._one(), values=nothing)

    def _relabel(self) -> None:
        added, removed = (self._labels(self._random.choice((1, 3, 9))) for _ in range(2))
        changes = "".join(f" SET n:{label}" for label in added) + "".join(f" REMOVE n:{label}" for label in removed)
        self._run(f"MATCH (n {{number: $number, owner: $owner}}){changes}", number=self._one())

    def _make_dense(self) -> None:
        several = self._random.randrange(20, 90)
        kinds = "".join(
            f" CREATE {pattern.replace('TYPE', self._type())}"
            for pattern in ("(n)-[:TYPE {i: i}]->(m)", "(m)-[:TYPE]->(n)", "(n)-[:TYPE]->(n)")[
                : self._random.randrange(1, 4)
            ]
        )
        statement = (
            "MATCH (n {number: $first, owner: $owner}) WITH n MATCH (m {number: $second, owner: $owner}) "
            f"UNWIND range(1, {several}) AS i{kinds}"
        )
        self._run(statement, first=self._one(), second=self._one())

    def _thin_out(self) -> None:
        limit = self._random.randrange(1, 120)
        statement = f"MATCH (n {{number: $number, owner: $owner}})-[r]-() WITH DISTINCT r LIMIT {limit} DELETE r"
        self._run(statement, number=self._one())

    def _disconnect(self) -> None:
        self._run(f"MATCH ()-[r:{self._type()}]->() WITH r LIMIT {self._random.randrange(1, 30)} DELETE r")

    def _delete(self) -> None:
        gone = [self._one() for _ in range(self._random.choice((1, 2, 2, 9)))]
        self._run("MATCH (n {owner: $owner}) WHERE n.number IN $gone DETACH DELETE n", gone=gone)
        self._numbers = [number for number in self._numbers if number not in gone]

    def _large(self) -> None:
        count, text = self._random.randrange(_LARGE // 3, _LARGE), _text(self._random) * 5
        statement = (
            f"UNWIND range(1, $count) AS i CREATE (n:{self._labels(1)[0]} {{i: i, text: $text + i, owner: $owner}}) "
            f"CREATE (n)-[:{self._type()} {{i: i}}]->(n)"
        )
        self._run(statement, count=count, text=text)

    def _index(self) -> None:
        name, label = f"index_{self._prefix}{self._random.randrange(4)}", self._labels(1)[0]
        if self._random.random() < 0.4:
            self._run(f"DROP INDEX {name} IF EXISTS")
        else:
            key = self._key(self._random.choice(_SHORT_KEYS))
            self._run(f"CREATE INDEX {name} IF NOT EXISTS FOR (n:{label}) ON (n.{key}, n.number)")

    def _constraint(self) -> None:
        name, label = f"unique_{self._prefix}", self._labels(1)[0]
        self._run(f"DROP CONSTRAINT {name} IF EXISTS")
        if self._random.random() < 0.7:
            self._run(f"CREATE CONSTRAINT {name} IF NOT EXISTS FOR (n:{label}) REQUIRE (n.owner, n.number) IS UNIQUE")

    def _run(self, statement: str, **parameters: Any) -> None:
        self._session.run(statement, owner=self._prefix, **parameters)

    def _values(self, most: int = 14) -> dict[str, Any]:
        """Values of some properties; nearly all are replaced when they are set."""
        values = dict(self._pair() for _ in range(self._random.randrange(most + 1)))
        if self._random.random() < 0.05:
            values[self._key(0)] = _text(self._random) * 40
        return {**values, "owner": self._prefix}

    def _pair(self) -> tuple[str, Any]:
        number = self._random.randrange(_KEYS)
        short = number in _SHORT_KEYS
        return self._key(number), self._random.choice(_SCALARS)(self._random) if short else random_value(self._random)

    def _key(self, number: int) -> str:
        # Some keys are new ones, so that tokens are made all the time.
        return f"key_{number}" if number < _KEYS - 1 else f"new_{self._prefix}{self._step // 7}"

    def _labels(self, count: int) -> list[str]:
        labels = [f"L{number}" for number in self._random.sample(range(_LABELS), count)]
        if count and self._random.random() < 0.1:
            labels[0] = f"New{self._prefix}{self._step // 5}_with_a_name_that_takes_more_than_one_record"
        return labels

    def _type(self) -> str:
        return f"T{self._random.randrange(_TYPES)}"

    def _new(self) -> int:
        self._next += 1
        self._numbers.append(self._next)
        return self._next

    def _one(self) -> int:
        return self._random.choice(self._numbers) if self._numbers else 0
