"""Reports on what is in a graph."""

from __future__ import annotations

import msgspec


class OtherEntries(msgspec.Struct, frozen=True, kw_only=True):
    """What a list leaves out: so many entries, which count so many things together.

    Where `estimated` there were more different entries than are kept. `entries` is an estimate then, and the list was
    made of a random sample of them; the counts in it, and `count`, are exact.
    """

    entries: int
    count: int
    estimated: bool


class LabelStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes with a label, and their share of all nodes."""

    label: str
    nodes: int
    share: float


class CombinationStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes that have just these labels, and their share of all nodes."""

    labels: tuple[str, ...]
    nodes: int
    share: float


class TypeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The relationships of a type, and their share of all relationships."""

    type: str
    relationships: int
    share: float


class PatternStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The relationships of a type from nodes with a label to nodes with a label, and their share of all relationships.

    A label is null for nodes that have none. A relationship between nodes with several labels counts for each pair.
    """

    start: str | None
    type: str
    end: str | None
    relationships: int
    share: float


class ValueTypeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How many values of a property are of a type, which is called as Cypher's valueType() does, without NOT NULL."""

    type: str
    count: int


class PropertyStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A property key of the nodes with a label (null: of those without one), or of the relationships of a type.

    `share` is that of these nodes or relationships which have it.
    """

    of: str | None
    key: str
    count: int
    share: float
    types: tuple[ValueTypeStatistics, ...]


class NodeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes: the lists have the most frequent first. `unused_labels` is the number of labels that no node has."""

    count: int
    without_label: int
    without_property: int
    properties: int
    labels: tuple[LabelStatistics, ...]
    other_labels: OtherEntries
    unused_labels: int
    combinations: tuple[CombinationStatistics, ...]
    other_combinations: OtherEntries
    property_keys: tuple[PropertyStatistics, ...]
    other_property_keys: OtherEntries


class RelationshipStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The relationships: the lists have the most frequent first. `loops` begin and end at the same node."""

    count: int
    loops: int
    without_property: int
    properties: int
    types: tuple[TypeStatistics, ...]
    other_types: OtherEntries
    unused_types: int
    patterns: tuple[PatternStatistics, ...]
    other_patterns: OtherEntries
    property_keys: tuple[PropertyStatistics, ...]
    other_property_keys: OtherEntries


class DegreePercentile(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest degree that so many percent of the nodes do not exceed."""

    percent: float
    degree: int


class DegreeBucket(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes with a degree from `least` to `most`, both included."""

    least: int
    most: int
    nodes: int


class LargeNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node with many relationships, by its id."""

    node: int
    degree: int
    labels: tuple[str, ...]


class DegreeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How many relationships nodes have in a direction: `out`, `in` or `all`, where a loop counts once.

    Buckets are 0, 1, 2 to 3, 4 to 7 and so on up to the largest degree; up to ten nodes have the largest degrees.
    """

    direction: str
    mean: float
    largest: int
    percentiles: tuple[DegreePercentile, ...]
    buckets: tuple[DegreeBucket, ...]
    nodes: tuple[LargeNode, ...]


class StoreStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A record store: its file, the bytes of a record, and the records in use.

    `free` are places between records in use, `unused` those behind the last one. `value_bytes` is what values take in
    records in use, `slack_bytes` what they leave there; null where a record has no room for values. `copy_frees` is how
    much smaller the file would be with the same records and no gaps.
    """

    file: str
    bytes: int
    record_bytes: int
    in_use: int
    free: int
    unused: int
    value_bytes: int | None
    slack_bytes: int | None
    copy_frees: int


class StatisticsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `stats`. `label` is that of the backup; `last_transaction` the last one of the log that was applied.

    `damages` is how often something could not be read; what is there is not counted then. `unused_property_keys` is the
    number of keys that nothing has.
    """

    subject: str
    database: str
    label: str | None
    last_transaction: int | None
    nodes: NodeStatistics
    relationships: RelationshipStatistics
    unused_property_keys: int
    degrees: tuple[DegreeStatistics, ...]
    stores: tuple[StoreStatistics, ...]
    store_bytes: int
    copy_frees: int
    damages: int
    seconds: float
