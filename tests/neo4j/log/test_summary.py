"""Summaries count what a user did: nodes, relationships, properties, tokens and schema rules, not records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import txcommands, txlog
from helpers.txcommands import (
    IN_USE,
    INTERNAL,
    NODE,
    PROPERTY,
    RELATIONSHIP,
    STRING,
    block,
    created,
    deleted,
    new_token,
    node,
    pair,
    properties,
    relationship,
    rule,
    samples,
    schema,
    transaction,
)
from helpers.txlog import BuiltLog, build_log, reader
from neokeep.errors import IntegrityError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import UnknownCommand
from neokeep.neo4j.log.scan import PIECE, scan_log
from neokeep.neo4j.log.summary import Changes, TransactionSummary, summaries, summarize

HERE = LogPosition(0, 128)
NONE = Changes()


@pytest.fixture(params=[4, 9, 10, 20, 32])
def kernel(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def summary(kernel: int, *several: bytes) -> TransactionSummary:
    return summarize(transaction(kernel, several), HERE)


def counts(kernel: int, *several: bytes) -> tuple[Changes, Changes, Changes]:
    """Nodes, relationships, properties; nothing else changed."""
    found = summary(kernel, *several)
    assert (found.tokens, found.schema) == (NONE, NONE)
    return found.nodes, found.relationships, found.properties


def test_when_where_and_how_large(kernel: int) -> None:
    data = transaction(kernel, [samples(kernel)[0].data], number=9, extra=b"head")
    found = summarize(data, LogPosition(4, 5_000))
    assert (found.id, found.size, found.position) == (9, len(data), LogPosition(4, 5_000))
    assert found.additional_header == b"head"
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert found.started - epoch == timedelta(milliseconds=txlog.FIRST_TIME + 9)
    assert found.committed - epoch == timedelta(milliseconds=txlog.commit_time(9))
    assert found.committed.tzinfo is UTC


def test_a_node_made_with_three_properties_in_one_record(kernel: int) -> None:
    three = properties(kernel, [block(kernel, key, 1) for key in range(3)])
    assert counts(kernel, created(kernel, PROPERTY, 0, three), created(kernel, NODE, 0, node(kernel, first=0))) == (
        Changes(created=1),
        NONE,
        Changes(created=3),
    )


def test_a_node_removed_with_its_properties(kernel: int) -> None:
    two = properties(kernel, [block(kernel, key, 1) for key in range(2)])
    assert counts(kernel, deleted(kernel, PROPERTY, 0, two), deleted(kernel, NODE, 0, node(kernel, first=0))) == (
        Changes(deleted=1),
        NONE,
        Changes(deleted=2),
    )


def test_records_rewritten_for_chains_are_no_change(kernel: int) -> None:
    assert counts(
        kernel,
        pair(kernel, NODE, 0, node(kernel, labels=5), node(kernel, labels=5, relationship=3, first=8, dense=1)),
        pair(kernel, RELATIONSHIP, 0, relationship(kernel), relationship(kernel, chains=(4, 5, 6, 7), first=9)),
        pair(kernel, 9, 0, txcommands.group(kernel), txcommands.group(kernel, first=3)),
    ) == (NONE, NONE, NONE)


def test_a_changed_label_is_a_changed_node(kernel: int) -> None:
    assert counts(kernel, pair(kernel, NODE, 0, node(kernel), node(kernel, labels=5)))[0] == Changes(changed=1)


def test_labels_in_dynamic_records_change_in_place(kernel: int) -> None:
    before, same, other = (
        node(kernel, labels=1 << 39, relationship=next_, records=[(1, IN_USE, data)])
        for next_, data in ((-1, b"abc"), (7, b"abc"), (-1, b"abd"))
    )
    assert counts(kernel, pair(kernel, NODE, 0, before, same))[0] == NONE
    assert counts(kernel, pair(kernel, NODE, 0, before, other))[0] == Changes(changed=1)


def test_a_relationship_with_other_ends_or_type_is_changed(kernel: int) -> None:
    plain = relationship(kernel)
    for other in (relationship(kernel, ends=(1, 3)), relationship(kernel, kind=4)):
        assert counts(kernel, pair(kernel, RELATIONSHIP, 0, plain, other))[1] == Changes(changed=1)


def test_relationships_come_and_go(kernel: int) -> None:
    assert counts(
        kernel,
        created(kernel, RELATIONSHIP, 0, relationship(kernel)),
        created(kernel, RELATIONSHIP, 1, relationship(kernel)),
        deleted(kernel, RELATIONSHIP, 2, relationship(kernel)),
    )[1] == Changes(created=2, deleted=1)


def test_properties_set_added_and_removed_in_one_record(kernel: int) -> None:
    before = properties(kernel, [block(kernel, 1, 10), block(kernel, 2, 20), block(kernel, 3, 30)])
    after = properties(kernel, [block(kernel, 2, 21), block(kernel, 3, 30), block(kernel, 4, 40)])
    assert counts(kernel, pair(kernel, PROPERTY, 0, before, after))[2] == Changes(created=1, changed=1, deleted=1)


def test_a_value_that_grows_into_another_record_is_one_change(kernel: int) -> None:
    small, left = block(kernel, 1, 10), block(kernel, 2, 20)
    large = block(kernel, 1, 10, 11, 12, 13)
    moved = counts(
        kernel,
        created(kernel, PROPERTY, 5, properties(kernel, [large], following=0)),
        pair(kernel, PROPERTY, 0, properties(kernel, [small, left]), properties(kernel, [left])),
    )
    assert moved == (NONE, NONE, Changes(changed=1))


def test_a_property_that_only_moves_is_no_change(kernel: int) -> None:
    one, left = block(kernel, 1, 10), block(kernel, 2, 20)
    assert counts(
        kernel,
        created(kernel, PROPERTY, 5, properties(kernel, [one])),
        pair(kernel, PROPERTY, 0, properties(kernel, [one, left]), properties(kernel, [left])),
    ) == (NONE, NONE, NONE)


@pytest.mark.parametrize(("owner", "of_node"), [(1, True), (0, False)])
def test_the_same_key_of_another_owner_is_another_property(kernel: int, owner: int, of_node: bool) -> None:
    one = [block(kernel, 1, 10)]
    assert counts(
        kernel,
        created(kernel, PROPERTY, 5, properties(kernel, one, owner=owner, of_node=of_node)),
        deleted(kernel, PROPERTY, 0, properties(kernel, one, owner=0)),
    )[2] == Changes(created=1, deleted=1)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (b"same text", b"same text", 0),
        (b"one text", b"other text", 1),
        (b"", b"", 1),
        (b"", b"loaded only after", 1),
    ],
)
def test_values_in_dynamic_records_are_compared_by_what_they_hold(
    kernel: int, before: bytes, after: bytes, changed: int
) -> None:
    """Where the log does not hold both values, other records mean another value."""
    images = [
        properties(kernel, [block(kernel, 1, record, kind=STRING, records=[(record, IN_USE, data)] if data else [])])
        for record, data in ((40, before), (50, after))
    ]
    assert counts(kernel, pair(kernel, PROPERTY, 0, *images))[2] == Changes(changed=changed)
    assert counts(kernel, pair(kernel, PROPERTY, 0, images[0], images[0]))[2] == NONE


def test_the_same_bytes_of_another_type_are_another_value(kernel: int) -> None:
    images = [
        properties(kernel, [block(kernel, 1, 40, kind=kind, records=[(40, IN_USE, b"bytes")])]) for kind in (9, 10)
    ]
    assert counts(kernel, pair(kernel, PROPERTY, 0, *images))[2] == Changes(changed=1)


def test_what_a_transaction_makes_and_removes_again_counts_nowhere(kernel: int) -> None:
    assert counts(
        kernel,
        pair(kernel, NODE, 0, node(kernel, 0), node(kernel, 0)),
        pair(kernel, RELATIONSHIP, 0, relationship(kernel, 0), relationship(kernel, 0)),
        pair(kernel, PROPERTY, 0, properties(kernel, flags=0), properties(kernel, flags=0)),
        created(kernel, PROPERTY, 1, properties(kernel, [block(kernel, 1, 1)])),
        deleted(kernel, PROPERTY, 2, properties(kernel, [block(kernel, 2, 1)])),
    ) == (NONE, NONE, Changes(created=1, deleted=1))


def test_tokens_of_each_kind_count_unless_they_are_internal(kernel: int) -> None:
    found = summary(kernel, *(new_token(kernel, number) for number in (4, 5, 8)))
    assert found.tokens == Changes(created=3)
    assert found.tokens.total == 3
    assert summary(kernel, new_token(kernel, 5, IN_USE | INTERNAL)).tokens == NONE


def test_properties_of_schema_rules_are_no_properties(kernel: int) -> None:
    kept = properties(kernel, [block(kernel, 1, 1)], owner=-1)
    gone, made = rule(kernel, 0), rule(kernel)
    found = summary(
        kernel,
        created(kernel, PROPERTY, 0, kept),
        schema(kernel, 1, gone, made, with_map=True),
        schema(kernel, 2, made, rule(kernel, first=99)),
        schema(kernel, 3, made, gone),
    )
    assert found.schema == Changes(1, 1, 1)
    assert found.properties == NONE


def test_counts_degrees_and_metadata_are_bookkeeping(kernel: int) -> None:
    bookkeeping = [
        sample.data
        for sample in samples(kernel)
        if sample.kind.endswith("COUNTS") or sample.kind in {"DEGREES", "METADATA"}
    ]
    assert len(bookkeeping) == 4
    assert counts(kernel, *bookkeeping) == (NONE, NONE, NONE)


@pytest.mark.parametrize("where", ["started", "committed"])
def test_a_time_beyond_the_calendar_is_refused(where: str) -> None:
    data = bytearray(transaction(20, [samples(20)[0].data]))
    at = 2 if where == "started" else len(data) - 12
    data[at : at + 8] = b"\xff" * 7 + b"\x7f"
    with pytest.raises(UnknownCommand, match="ms since 1970"):
        summarize(bytes(data), HERE)


@given(st.data(), st.sampled_from(range(2, 33)))
def test_damage_gives_a_summary_or_a_refusal(data: st.DataObject, kernel: int) -> None:
    several = data.draw(st.lists(st.sampled_from(samples(kernel)), min_size=1, max_size=5))
    damaged = bytearray(transaction(kernel, [sample.data for sample in several]))
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = summarize(bytes(damaged), HERE)
    except UnknownCommand:
        return
    assert min(found.properties.created, found.properties.deleted, found.properties.changed) >= 0


# --- the transactions of a file -------------------------------------------------------------------------------------


def log_of(kernel: int, transactions: int, *, last_before: int = 40) -> BuiltLog:
    one = created(kernel, NODE, 0, node(kernel))
    payloads = [(bytes([kernel, 3])).join([one] * (number + 1)) for number in range(transactions)]
    return build_log(kernel, payloads, version=6, last_before=last_before)


@pytest.mark.parametrize(
    ("first", "last", "ids"),
    [
        (None, None, range(41, 51)),
        (45, None, range(45, 51)),
        (None, 43, range(41, 44)),
        (44, 44, range(44, 45)),
        (1, 99, range(41, 51)),
        (51, None, ()),
        (None, 40, ()),
        (46, 45, ()),
    ],
)
def test_a_range_of_a_file(kernel: int, first: int | None, last: int | None, ids: range) -> None:
    built = log_of(kernel, 10)
    scan = scan_log(reader(built.data + bytes(100)), built.header)
    found = list(summaries(reader(built.data), built.header, scan, first, last))
    assert [one.id for one in found] == list(ids)
    for one in found:
        index = one.id - 41
        assert one.position == LogPosition(6, built.boundaries[index])
        assert one.position.offset + one.size == built.boundaries[index + 1]
        assert one.nodes == Changes(created=index + 1)


def test_an_empty_file_has_no_transactions() -> None:
    built = log_of(20, 0)
    assert list(summaries(reader(built.data), built.header, scan_log(reader(built.data), built.header))) == []


def test_memory_holds_a_piece_or_one_larger_transaction() -> None:
    text = [(1, IN_USE, bytes(PIECE // 3))]
    big = created(20, PROPERTY, 0, properties(20, [block(20, 1, 1, kind=STRING, records=text)]))
    huge = bytes([20, 3]).join([big] * 4)
    built = build_log(20, [big, big, huge, big, big, big, big])
    asked: list[int] = []

    def read_at(offset: int, length: int) -> bytes:
        asked.append(length)
        return built.data[offset : offset + length]

    scan = scan_log(reader(built.data), built.header)
    found = list(summaries(read_at, built.header, scan))
    assert [one.properties.created for one in found] == [1, 1, 4, 1, 1, 1, 1]
    largest = max(one.size for one in found)
    assert largest > PIECE
    assert all(length <= PIECE or length == largest for length in asked)
    assert len(asked) == 4


def test_a_file_that_is_shorter_than_when_it_was_scanned_is_noticed() -> None:
    built = log_of(20, 3)
    scan = scan_log(reader(built.data), built.header)
    with pytest.raises(IntegrityError, match="scanned"):
        list(summaries(reader(built.data[:-1]), built.header, scan))


def test_a_file_that_holds_other_transactions_than_were_scanned_is_noticed() -> None:
    built, other = log_of(20, 3), log_of(20, 3, last_before=90)
    scan = scan_log(reader(built.data), built.header)
    with pytest.raises(IntegrityError, match="scanned"):
        list(summaries(reader(other.data), built.header, scan))
