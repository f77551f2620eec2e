"""What is gathered of a graph is what a slow count in plain Python says, however the work is split."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.flipped import FlippedPages
from helpers.graph_columns import TYPES, Entity, written
from helpers.properties import examples
from helpers.small_store import unpack
from neokeep.errors import IntegrityError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.progress import Silent
from neokeep.statistics.degrees import Distribution
from neokeep.statistics.gather import Gathered, Passes, gather
from neokeep.statistics.label_sets import LABEL_BITS
from neokeep.statistics.relationships import TYPE_BITS
from neokeep.statistics.tally import Tally
from neokeep.statistics.uses import KEY_BITS
from neokeep.statistics.value_types import BITS, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

NODES, RELATIONSHIPS = 40, 60
PROPERTIES = st.dictionaries(st.integers(0, 5) | st.just((1 << 24) - 1), st.sampled_from(TYPES), max_size=5)
LABELS = st.sets(st.integers(0, 4), max_size=3) | st.sets(st.integers(0, 2000), max_size=12)
Graph = tuple[dict[int, Entity], dict[int, Entity]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryPages]:
    with DirectoryPages(unpack(tmp_path_factory.mktemp("small"))) as pages:
        yield pages


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    ids = draw(st.lists(st.integers(0, NODES - 1), min_size=1, max_size=15, unique=True))
    nodes = {number: Entity(draw(PROPERTIES), labels=tuple(draw(LABELS))) for number in ids}
    ends = st.tuples(st.sampled_from(ids), st.sampled_from(ids))
    relationships = {
        number: Entity(draw(PROPERTIES), ends=draw(ends), type=draw(st.integers(0, 3) | st.just(65535)))
        for number in draw(st.lists(st.integers(0, RELATIONSHIPS - 1), max_size=25, unique=True))
    }
    return nodes, relationships


def model(nodes: dict[int, Entity], relationships: dict[int, Entity]) -> dict[str, Any]:
    """Count what a graph holds, one thing at a time."""
    found: dict[str, Any] = defaultdict(Counter)
    found |= {"nodes": len(nodes), "relationships": len(relationships)}
    for node in nodes.values():
        found["combinations"][tuple(sorted(label + 1 for label in node.labels))] += 1
        found["labels"].update(label + 1 for label in node.labels)
        for label in [label + 1 for label in node.labels] or [0]:
            found["node uses"].update((label, *use) for use in node.properties.items())
    out, incoming, every = (dict.fromkeys(nodes, 0) for _ in range(3))
    for one in relationships.values():
        start, end = one.ends
        found["types"][one.type] += 1
        found["relationship uses"].update((one.type, *use) for use in one.properties.items())
        found["patterns"].update(
            (first, one.type, second)
            for first in [label + 1 for label in nodes[start].labels] or [0]
            for second in [label + 1 for label in nodes[end].labels] or [0]
        )
        out[start] += 1
        incoming[end] += 1
        every[start] += 1
        every[end] += start != end
    found |= {
        "out": out,
        "in": incoming,
        "all": every,
        "loops": sum(one.ends[0] == one.ends[1] for one in relationships.values()),
    }
    return dict(found)


def unpacked(tally: Tally, *bits: int) -> Counter[tuple[int, ...]]:
    """Take the keys of a tally apart in numbers of so many bits, the lowest last, with what is left before them."""
    found = Counter[tuple[int, ...]]()
    for key, count in zip(tally.keys.tolist(), tally.counts.tolist(), strict=True):
        parts = []
        for width in reversed(bits):
            parts.append(key & (1 << width) - 1)
            key >>= width  # noqa: PLW2901
        found[(key, *reversed(parts))] = count
    return found


def uses_of(tally: Tally) -> Counter[tuple[int, int, str]]:
    return Counter(
        {
            (owner, key, name_of(value_type)): count
            for (owner, key, value_type), count in unpacked(tally, KEY_BITS, BITS).items()
        }
    )


def combinations_of(gathered: Gathered) -> Counter[tuple[int, ...]]:
    sets, tally = gathered.classes.sets, gathered.nodes.combinations
    assert sets.keys[1:].tolist() == tally.keys.tolist()
    return Counter({tuple(sets.of(place + 1).tolist()): count for place, count in enumerate(tally.counts.tolist())})


def as_the_model_has_it(gathered: Gathered) -> dict[str, Any]:
    nodes, relationships = gathered.nodes, gathered.relationships
    return {
        "nodes": nodes.count,
        "relationships": relationships.count,
        "loops": relationships.loops,
        "combinations": combinations_of(gathered),
        "labels": Counter({label: count for (label,), count in unpacked(nodes.labels).items()}),
        "node uses": uses_of(nodes.uses),
        "types": Counter({kind: count for (kind,), count in unpacked(relationships.types).items()}),
        "relationship uses": uses_of(relationships.uses),
        "patterns": unpacked(relationships.patterns, TYPE_BITS, LABEL_BITS),
    }


def plain(gathered: Gathered) -> list[Any]:
    """Give all that was gathered as plain values, to be compared."""
    parts: list[Any] = []
    for part in (gathered.nodes, gathered.relationships, gathered.outgoing, gathered.incoming, gathered.every):
        for name in part.__slots__:
            value = getattr(part, name)
            if isinstance(value, Tally):
                value = [value.keys.tolist(), value.counts.tolist(), value.first.tolist(), value.total, value.halvings]
            parts.append(value.tolist() if isinstance(value, np.ndarray) else value)
    return [*parts, gathered.fills]


@examples(100)
@given(graphs(), st.randoms(use_true_random=False))
def test_what_is_gathered_is_what_a_slow_count_says(graph: Graph, random: Random) -> None:
    nodes, relationships = graph
    gathered = gather(written(nodes, relationships, random), Passes(1, Silent()))
    expected = model(nodes, relationships)
    degrees = {name: expected.pop(name) for name in ("out", "in", "all")}
    found = as_the_model_has_it(gathered)
    assert found == {**{name: Counter() for name in found}, **expected}
    assert gathered.nodes.damages == gathered.relationships.damages == 0
    assert gathered.nodes.without_label == sum(not node.labels for node in nodes.values())
    assert gathered.nodes.without_property == sum(not node.properties for node in nodes.values())
    assert gathered.nodes.properties == sum(len(node.properties) for node in nodes.values())
    for name, distribution in (("out", gathered.outgoing), ("in", gathered.incoming), ("all", gathered.every)):
        of_nodes = degrees[name]
        assert distribution.largest == tuple(sorted(of_nodes.items(), key=lambda pair: (-pair[1], pair[0]))[:10])
        assert {degree: count for degree, count in enumerate(distribution.few.tolist()) if count} == Counter(
            of_nodes.values()
        )


@examples(30)
@given(
    graphs(), st.randoms(use_true_random=False), st.integers(1, 3), st.integers(1, NODES), st.integers(1, NODES),
    st.integers(1, 20),
)  # fmt: skip
def test_any_split_gives_the_same(
    graph: Graph, random: Random, jobs: int, range_records: int, batch_records: int, most: int
) -> None:
    reader = written(*graph, random)
    whole = gather(reader, Passes(1, Silent(), most_keys=most))
    split = gather(reader, Passes(jobs, Silent(), range_records, batch_records, most))
    assert plain(split) == plain(whole)


@examples(60)
@given(graphs(), st.randoms(use_true_random=False))
def test_labels_that_were_not_kept_are_looked_up(graph: Graph, random: Random) -> None:
    # One combination is kept at most, so the labels of nearly all nodes have to be; counts of what is kept are exact.
    reader = written(*graph, random)
    everything = gather(reader, Passes(1, Silent()))
    bounded = gather(reader, Passes(1, Silent(), most_keys=1))
    assert bounded.relationships.patterns.total == everything.relationships.patterns.total
    exact = unpacked(everything.relationships.patterns, TYPE_BITS, LABEL_BITS)
    for pattern, count in unpacked(bounded.relationships.patterns, TYPE_BITS, LABEL_BITS).items():
        assert exact[pattern] == count


def test_the_first_node_of_a_combination_is_the_one_with_the_smallest_id() -> None:
    # Combinations in dynamic records are in different fields.
    many = tuple(range(10))
    for seed in range(10):
        reader = written({number: Entity({}, labels=many) for number in (30, 7, 12)}, {}, Random(seed))
        assert gather(reader, Passes(1, Silent())).nodes.combinations.first.tolist() == [7]


def test_threads_give_the_same_as_one_of_a_store_of_a_server(small: DirectoryPages) -> None:
    reader = GraphReader(small, aligned=True)
    assert plain(gather(reader, Passes(3, Silent(), 50, 7))) == plain(gather(reader, Passes(1, Silent())))


@given(st.lists(st.integers(0, 100) | st.integers(65_530, 200_000), min_size=1), st.integers(1, 999))
def test_percentiles_and_buckets_are_those_of_the_sorted_degrees(degrees: list[int], tenths: int) -> None:
    found = Distribution.of(np.arange(len(degrees)), np.array(degrees))
    ordered = sorted(degrees)
    # The smallest that at least so many of the nodes do not exceed, in whole numbers.
    assert found.percentile(tenths / 10) == next(
        degree for rank, degree in enumerate(ordered, 1) if rank * 1000 >= tenths * len(ordered)
    )
    assert (found.nodes, found.total, found.maximum) == (len(degrees), sum(degrees), max(degrees))
    buckets = list(found.buckets())
    assert sum(count for _, _, count in buckets) == len(degrees)
    for low, high, count in buckets:
        assert count == sum(low <= degree <= high for degree in degrees)
    assert buckets[-1][0] <= max(degrees) <= buckets[-1][1]


@examples(40)
@given(
    flips=st.dictionaries(
        st.tuples(st.sampled_from(sorted(FILES.values())), st.integers(0, 4 * 8192)),
        st.integers(0, 255),
        min_size=1,
        max_size=40,
    )
)
def test_no_damage_makes_gathering_crash_or_endless(small: DirectoryPages, flips: dict[tuple[str, int], int]) -> None:
    try:
        gathered = gather(GraphReader(FlippedPages(small, flips), aligned=True), Passes(1, Silent()))
    except IntegrityError:
        return
    assert gathered.nodes.labels.total >= 0
    assert {fill.store for fill in gathered.fills} == set(Store)


def test_a_failure_in_one_thread_ends_all_and_is_told(small: DirectoryPages) -> None:
    class Failing(Silent):
        def advance(self, done_bytes: int) -> None:
            raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        gather(GraphReader(small, aligned=True), Passes(3, Failing(), 50, 7))
