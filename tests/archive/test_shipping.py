"""What is shipped now and what waits: everything once it is due, else only when enough has come together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from helpers.chains import NOW
from neokeep.archive.shipping import Shipment
from neokeep.capture.chain import Stretch
from neokeep.repository.manifest import Span

SIZE = 100


def stretches_of(sizes: list[tuple[int, bool]]) -> list[Stretch]:
    return [
        Stretch(
            pieces=(), data=bytes(size), first=number, last=number, first_commit_time=NOW, last_commit_time=NOW,
            kernel_version=20, follows=0, tail=Span(transaction=number, checksum=0, version=0, start=0, end=1),
            more=False, full=full,
        )
        for number, (size, full) in enumerate(sizes)
    ]  # fmt: skip


SIZES = st.lists(st.tuples(st.integers(1, 90), st.booleans()), max_size=12)


@given(SIZES)
def test_what_is_due_is_shipped_all_of_it_one_by_one(sizes: list[tuple[int, bool]]) -> None:
    stretches, shipment = stretches_of(sizes), Shipment()
    taken = iter(stretches)
    for number, ready in enumerate(shipment.ready(taken, SIZE, due=True)):
        assert ready is stretches[number]
        assert not shipment.held
    assert next(taken, None) is None
    assert not shipment.held


@given(SIZES)
def test_what_is_not_due_waits_until_enough_has_come_together_and_nothing_is_lost_or_passed_by(
    sizes: list[tuple[int, bool]],
) -> None:
    stretches, shipment = stretches_of(sizes), Shipment()
    shipped = list(shipment.ready(stretches, SIZE, due=False))
    assert [*shipped, *shipment.held] == stretches
    assert sum(len(held.data) for held in shipment.held) < SIZE
    assert not any(held.full for held in shipment.held)
    last_full = max((at for at, (_, full) in enumerate(sizes) if full), default=-1)
    if not shipped:
        assert sum(size for size, _ in sizes) < SIZE
    elif len(shipped) > last_full + 1:
        assert sum(size for size, _ in sizes[last_full + 1 : len(shipped)]) >= SIZE


def test_nothing_is_read_ahead_of_what_is_being_stored() -> None:
    taken: list[int] = []

    def reading() -> object:
        for stretch in stretches_of([(60, False)] * 4):
            taken.append(stretch.first)
            yield stretch

    for ready in Shipment().ready(reading(), SIZE, due=True):  # type: ignore[arg-type]
        assert taken[-1] == ready.first
