"""Records of verifications: joined in any order they tell the same, and only their own bytes are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from helpers.txlog import flipped
from neokeep.repository.coverage import Stretch, combined
from neokeep.repository.verified import ProvenBackup, Record, Run, decode_record, encode_record, merged

if TYPE_CHECKING:
    import random

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
TIMES = st.integers(0, 9).map(lambda hours: NOON + timedelta(hours=hours))
MAYBE = st.none() | TIMES
PROVEN = st.builds(
    ProvenBackup, label=st.sampled_from("abc"), judged=TIMES, whole=st.booleans(), structure=MAYBE, content=MAYBE
)
RUNS = st.builds(
    Run,
    begun=TIMES,
    depth=st.sampled_from(["structure", "content"]),
    part=st.none() | st.just("1/3"),
    backup=st.none() | st.just("a"),
    ok=st.booleans(),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    stretches = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9), TIMES), max_size=4))
    return Record(
        coverage=combined(Stretch(first=at, last=at + more, proven=time) for at, more, time in stretches),
        unproven=draw(st.dictionaries(st.sampled_from(["packs/aa/1", "packs/bb/2"]), TIMES)),
        backups=tuple({one.label: one for one in draw(st.lists(PROVEN, max_size=3))}.values()),
        runs=tuple(draw(st.lists(RUNS, max_size=3))),
        going_on=draw(MAYBE),
    )


@given(st.lists(records(), max_size=4), st.randoms(use_true_random=False))
def test_records_joined_in_any_order_tell_the_same(some: list[Record], chance: random.Random) -> None:
    joined = merged(some)
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert merged(shuffled) == joined
    assert merged([*some, joined]) == joined
    for record in some:
        for one in record.backups:
            known = joined.of_backup(one.label)
            assert known is not None
            assert known.judged >= one.judged
            assert one.content is None or (known.content is not None and known.content >= one.content)
    ended = [run.begun for record in some for run in record.runs if run.of_everything]
    assert joined.going_on is None or all(joined.going_on > begun for begun in ended)


@given(records())
def test_a_record_comes_back_as_it_was_and_no_other_bytes_do(record: Record) -> None:
    data = encode_record(record)
    name = f"verified/{blake3(data).hexdigest()}"
    assert decode_record(name, data) == record
    assert decode_record(name, data[:-1]) is None
    assert decode_record(name, flipped(data, len(data) // 2)) is None
