"""From what was gathered to its report: names in place of numbers, the most frequent first, the rest summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep import reports
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.statistics.degrees import PERCENTILES
from neokeep.statistics.label_sets import LABEL_BITS, NO_LABEL
from neokeep.statistics.relationships import TYPE_BITS
from neokeep.statistics.uses import KEY_BITS
from neokeep.statistics.value_types import BITS, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.graph.opened import OpenedStore
    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Numbers
    from neokeep.statistics.degrees import Distribution
    from neokeep.statistics.fill import Fill
    from neokeep.statistics.gather import Gathered
    from neokeep.statistics.tally import Tally

RULE_KEY = "__org.neo4j.SchemaRule."
"""What keys begin with that Neo4j has made for rules of the schema."""

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Names:
    """The names of labels, types and keys by their ids; what has none is called by its id."""

    labels: Mapping[int, str]
    types: Mapping[int, str]
    keys: Mapping[int, str]

    @classmethod
    def of(cls, reader: GraphReader) -> Names:
        """Read them."""
        return cls(reader.tokens(Store.LABEL), reader.tokens(Store.TYPE), reader.tokens(Store.PROPERTY_KEY))

    def label(self, label: int) -> str | None:
        """Name a label as label_sets.py numbers it; None for no label."""
        return None if label == NO_LABEL else self.labels.get(label - 1, f"label {label - 1}")

    def type(self, kind: int) -> str:
        """Name a relationship type."""
        return self.types.get(kind, f"type {kind}")

    def key(self, key: int) -> str:
        """Name a property key."""
        return self.keys.get(key, f"key {key}")


def report_of(
    gathered: Gathered, reader: GraphReader, store: OpenedStore, *, most: int, seconds: float
) -> reports.StatisticsReport:
    """Make the report; each list in it has `most` entries at most."""
    names = Names.of(reader)
    nodes, relationships = gathered.nodes, gathered.relationships
    stores = tuple(map(_store, gathered.fills))
    used_keys = {key for uses in (nodes.uses, relationships.uses) for key in _keys_of(uses)}
    return reports.StatisticsReport(
        subject=store.subject,
        database=store.database,
        label=store.label,
        last_transaction=store.last_transaction,
        nodes=_nodes(gathered, names, most),
        relationships=_relationships(gathered, names, most),
        unused_property_keys=sum(
            key not in used_keys and not name.startswith(RULE_KEY) for key, name in names.keys.items()
        ),
        degrees=tuple(
            _degrees(direction, distribution, gathered, names)
            for direction, distribution in (
                ("out", gathered.outgoing), ("in", gathered.incoming), ("all", gathered.every)
            )
        ),
        stores=stores,
        store_bytes=sum(one.bytes for one in stores),
        copy_frees=sum(one.copy_frees for one in stores),
        damages=nodes.damages + relationships.damages + len(reader.token_damages),
        seconds=seconds,
    )  # fmt: skip


def _nodes(gathered: Gathered, names: Names, most: int) -> reports.NodeStatistics:
    nodes, sets = gathered.nodes, gathered.classes.sets
    places, combinations = nodes.labels.commonest(most), nodes.combinations.commonest(most)
    labels = tuple(
        reports.LabelStatistics(label=names.label(label) or "", nodes=count, share=_share(count, nodes.count))
        for label, count in _pairs(nodes.labels, places)
    )
    counts = {NO_LABEL: nodes.without_label} | dict(_pairs(nodes.labels, np.arange(len(nodes.labels.keys))))
    shown = [*nodes.labels.keys[places].tolist(), *([NO_LABEL] if nodes.without_label else [])]
    keys, other_keys = _properties(
        nodes.uses, {label: (names.label(label), counts[label]) for label in shown}, names, most
    )
    return reports.NodeStatistics(
        count=nodes.count,
        without_label=nodes.without_label,
        without_property=nodes.without_property,
        properties=nodes.properties,
        labels=labels,
        other_labels=_rest(nodes.labels, places),
        unused_labels=len(names.labels.keys() - {label - 1 for label in nodes.labels.keys.tolist()}),
        combinations=tuple(
            reports.CombinationStatistics(
                labels=_labels(names, sets.of(int(place) + 1)),
                nodes=int(nodes.combinations.counts[place]),
                share=_share(int(nodes.combinations.counts[place]), nodes.count),
            )
            for place in combinations
        ),
        other_combinations=_rest(nodes.combinations, combinations),
        property_keys=keys,
        other_property_keys=other_keys,
    )


def _relationships(gathered: Gathered, names: Names, most: int) -> reports.RelationshipStatistics:
    found = gathered.relationships
    types, patterns = found.types.commonest(most), found.patterns.commonest(most)
    counts = dict(_pairs(found.types, types))
    keys, other_keys = _properties(
        found.uses, {kind: (names.type(kind), count) for kind, count in counts.items()}, names, most
    )
    return reports.RelationshipStatistics(
        count=found.count,
        loops=found.loops,
        without_property=found.without_property,
        properties=found.properties,
        types=tuple(
            reports.TypeStatistics(type=names.type(kind), relationships=count, share=_share(count, found.count))
            for kind, count in counts.items()
        ),
        other_types=_rest(found.types, types),
        unused_types=len(names.types.keys() - set(found.types.keys.tolist())),
        patterns=tuple(
            reports.PatternStatistics(
                start=names.label(key >> TYPE_BITS + LABEL_BITS),
                type=names.type(key >> LABEL_BITS & (1 << TYPE_BITS) - 1),
                end=names.label(key & (1 << LABEL_BITS) - 1),
                relationships=count,
                share=_share(count, found.count),
            )
            for key, count in _pairs(found.patterns, patterns)
        ),
        other_patterns=_rest(found.patterns, patterns),
        property_keys=keys,
        other_property_keys=other_keys,
    )


def _properties(
    uses: Tally, owners: Mapping[int, tuple[str | None, int]], names: Names, most: int
) -> tuple[tuple[reports.PropertyStatistics, ...], reports.OtherEntries]:
    """List the keys of owners (their names, and how many there are), owner by owner, and sum up all others."""
    pairs = (uses.keys >> np.uint64(BITS)).astype(np.int64)
    distinct, begins = np.unique(pairs, return_index=True)
    counts = np.add.reduceat(uses.counts, begins) if len(begins) else np.zeros(0, np.int64)
    ends = np.append(begins[1:], len(pairs))
    found: list[reports.PropertyStatistics] = []
    listed = 0
    for owner, (name, entities) in owners.items():
        low, high = np.searchsorted(distinct, [owner << KEY_BITS, (owner + 1) << KEY_BITS])
        for place in (low + np.argsort(-counts[low:high], kind="stable")[:most]).tolist():
            some = slice(begins[place], ends[place])
            types = _types(uses.keys[some].astype(np.int64), uses.counts[some])
            count = int(counts[place])
            listed += count
            key = names.key(int(distinct[place]) & (1 << KEY_BITS) - 1)
            found.append(
                reports.PropertyStatistics(of=name, key=key, count=count, share=_share(count, entities), types=types)
            )
    rest = max(0, (len(distinct) << uses.halvings) - len(found))
    return tuple(found), reports.OtherEntries(entries=rest, count=uses.total - listed, estimated=uses.halvings > 0)


def _types(uses: Numbers, counts: Numbers) -> tuple[reports.ValueTypeStatistics, ...]:
    types = uses & (1 << BITS) - 1
    order = np.argsort(-counts, kind="stable")
    return tuple(
        reports.ValueTypeStatistics(type=name_of(kind), count=count)
        for kind, count in zip(types[order].tolist(), counts[order].tolist(), strict=True)
    )


def _degrees(direction: str, distribution: Distribution, gathered: Gathered, names: Names) -> reports.DegreeStatistics:
    classes = gathered.classes
    return reports.DegreeStatistics(
        direction=direction,
        mean=round(distribution.total / distribution.nodes, 3) if distribution.nodes else 0.0,
        largest=distribution.maximum,
        percentiles=tuple(
            reports.DegreePercentile(percent=percent, degree=distribution.percentile(percent))
            for percent in PERCENTILES
        ),
        buckets=tuple(
            reports.DegreeBucket(least=least, most=most, nodes=nodes)
            for least, most, nodes in distribution.buckets()
        ),
        nodes=tuple(
            reports.LargeNode(node=node, degree=degree, labels=_labels(names, classes.labels_of(node)))
            for node, degree in distribution.largest
        ),
    )  # fmt: skip


def _store(fill: Fill) -> reports.StoreStatistics:
    return reports.StoreStatistics(
        file=FILES[fill.store],
        bytes=fill.file_bytes,
        record_bytes=fill.record_bytes,
        in_use=fill.in_use,
        free=fill.free,
        unused=fill.behind,
        value_bytes=fill.value_bytes,
        slack_bytes=fill.slack_bytes,
        copy_frees=fill.freed_bytes,
    )


def _labels(names: Names, labels: Numbers) -> tuple[str, ...]:
    return tuple(sorted(names.label(label) or "" for label in labels.tolist()))


def _pairs(tally: Tally, places: Numbers) -> list[tuple[int, int]]:
    return list(zip(tally.keys[places].tolist(), tally.counts[places].tolist(), strict=True))


def _rest(tally: Tally, places: Numbers) -> reports.OtherEntries:
    return reports.OtherEntries(
        entries=max(0, tally.distinct - len(places)),
        count=tally.total - int(tally.counts[places].sum()),
        estimated=tally.halvings > 0,
    )


def _keys_of(uses: Tally) -> list[int]:
    found: list[int] = np.unique(uses.keys >> np.uint64(BITS) & np.uint64((1 << KEY_BITS) - 1)).tolist()
    return found


def _share(count: int, whole: int) -> float:
    return round(count / whole, _DIGITS) if whole else 0.0
