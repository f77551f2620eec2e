"""A graph of many kinds as a report, with names that users may give and pages must not take for anything else."""

from __future__ import annotations

from typing import Any

import msgspec

from neokeep import reports

EVIL = "<script>alert('label')</script>"
LONG = "AnExceedinglyLongLabelThatSomeGeneratorMadeOfAPathInADocumentWithoutAnyPlaceToBreakTheLine"
LABELS = (("Person", 2_814_552), ("Company", 402_117), (EVIL, 93_001), ("شركة", 12_044), (LONG, 310), ("a\nb", 2))
TYPES = (("KNOWS", 9_120_554), ("WORKS_AT", 2_401_771), ("\x1b[31mRED", 41_905), ("REPORTS_TO & <b>", 12))
NODES, RELATIONSHIPS = 3_100_000, 11_564_242
NOTHING_ELSE = reports.OtherEntries(entries=0, count=0, estimated=False)
BUCKETS = (
    359_576,
    646_933,
    1_085_883,
    644_301,
    181_625,
    54_509,
    17_929,
    6_017,
    2_090,
    744,
    252,
    91,
    32,
    12,
    4,
    1,
    0,
    1,
)


def _keys(owners: tuple[tuple[str, int], ...]) -> tuple[reports.PropertyStatistics, ...]:
    found = []
    for place, (owner, count) in enumerate(owners):
        for key, share, types in (
            ("name", 1.0, ("STRING",)),
            ("born", 0.734, ("INTEGER", "STRING")),
            ("seen", 0.0004, ("ZONED DATETIME",)),
            ("tags<i>", 0.21, ("LIST<STRING>", "LIST<NOTHING>", "STRING")),
        )[: 4 - place % 3]:
            values = max(1, round(count * share))
            kinds = [max(1, values - sum(range(1, len(types)))), *range(1, len(types))]
            found.append(
                reports.PropertyStatistics(
                    of=owner, key=key, count=sum(kinds), share=share,
                    types=tuple(
                        reports.ValueTypeStatistics(type=name, count=own)
                        for name, own in zip(types, kinds, strict=True)
                    ),
                )
            )  # fmt: skip
    return tuple(found)


def _degrees(direction: str, buckets: tuple[int, ...], largest: int) -> reports.DegreeStatistics:
    edges = [(0, 0), *((1 << power, (2 << power) - 1) for power in range(len(buckets) - 1))]
    return reports.DegreeStatistics(
        direction=direction,
        mean=3.73,
        largest=largest,
        percentiles=tuple(
            reports.DegreePercentile(percent=percent, degree=degree)
            for percent, degree in ((50.0, 2), (75.0, 4), (90.0, 7), (95.0, 11), (99.0, 30), (99.9, 134))
        ),
        buckets=tuple(
            reports.DegreeBucket(least=least, most=most, nodes=nodes)
            for (least, most), nodes in zip(edges, buckets, strict=True)
        ),
        nodes=tuple(
            reports.LargeNode(node=17 * place, degree=largest // (place + 1), labels=labels)
            for place, labels in enumerate((("Person",), ("Company", EVIL), (), (LONG, "Person")))
        ),
    )


def _store(file: str, record: int, in_use: int, free: int, values: int | None, room: int) -> reports.StoreStatistics:
    size = (in_use + free + 100_000) * record
    return reports.StoreStatistics(
        file=file, bytes=size, record_bytes=record, in_use=in_use, free=free, unused=100_000, value_bytes=values,
        slack_bytes=None if values is None else in_use * room - values, copy_frees=(free + 100_000) * record,
    )  # fmt: skip


STORES = (
    _store("neostore.nodestore.db", 15, NODES, 812_004, None, 0),
    _store("neostore.relationshipstore.db", 34, RELATIONSHIPS, 4_000_000, None, 0),
    _store("neostore.propertystore.db", 41, 24_000_010, 196, 552_000_000, 32),
    _store("neostore.propertystore.db.strings", 128, 3_000_000, 900_042, 151_106_445, 120),
    reports.StoreStatistics(
        file="neostore.schemastore.db", bytes=8192, record_bytes=8, in_use=2, free=1, unused=1021, value_bytes=None,
        slack_bytes=None, copy_frees=0,
    ),
)  # fmt: skip

RICH = reports.StatisticsReport(
    subject="neo4j-20260801-120000F in s3://bucket/neo4j",
    database="neo4j",
    label="neo4j-20260801-120000F",
    last_transaction=4711,
    nodes=reports.NodeStatistics(
        count=NODES,
        without_label=1_204,
        without_property=88,
        properties=12_000_482,
        labels=tuple(
            reports.LabelStatistics(label=label, nodes=nodes, share=nodes / NODES) for label, nodes in LABELS
        ),
        other_labels=reports.OtherEntries(entries=131, count=4_021, estimated=False),
        unused_labels=3,
        combinations=tuple(
            reports.CombinationStatistics(labels=labels, nodes=nodes, share=nodes / NODES)
            for labels, nodes in (
                (("Person",), 2_700_113), (("Company", "Person", EVIL), 93_001), ((), 1_204),
                (tuple(f"Many{number}" for number in range(20)), 17),
            )
        ),
        other_combinations=reports.OtherEntries(entries=2_097_152, count=305_665, estimated=True),
        property_keys=_keys(LABELS[:4]),
        other_property_keys=reports.OtherEntries(entries=1, count=1, estimated=False),
    ),
    relationships=reports.RelationshipStatistics(
        count=RELATIONSHIPS,
        loops=6,
        without_property=2_000,
        properties=23_128_000,
        types=tuple(
            reports.TypeStatistics(type=kind, relationships=count, share=count / RELATIONSHIPS)
            for kind, count in TYPES
        ),
        other_types=NOTHING_ELSE,
        unused_types=0,
        patterns=tuple(
            reports.PatternStatistics(start=start, type=kind, end=end, relationships=count, share=count / RELATIONSHIPS)
            for start, kind, end, count in (
                ("Person", "KNOWS", "Person", 9_001_112), ("Person", "WORKS_AT", "Company", 2_401_771),
                (EVIL, "REPORTS_TO & <b>", None, 12), (None, "KNOWS", LONG, 1),
            )
        ),
        other_patterns=reports.OtherEntries(entries=12, count=161_346, estimated=False),
        property_keys=_keys(TYPES[:2]),
        other_property_keys=NOTHING_ELSE,
    ),
    unused_property_keys=1,
    degrees=(
        _degrees("out", BUCKETS, 82_895),
        _degrees("in", BUCKETS[:6], 17),
        _degrees("all", BUCKETS, 82_899),
    ),
    stores=STORES,
    store_bytes=sum(one.bytes for one in STORES),
    copy_frees=sum(one.copy_frees for one in STORES),
    damages=2,
    seconds=14.2,
)  # fmt: skip


def shortened(value: Any) -> Any:
    """Cut each list in a report after its first entry."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(
            value, **{name: shortened(getattr(value, name)) for name in value.__struct_fields__}
        )
    if isinstance(value, tuple):
        return tuple(shortened(one) for one in value[:1])
    return value


SHORT: reports.StatisticsReport = shortened(RICH)
