"""What every Storage promises. Derive a test class and say how to make one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from neokeep.repository.probe import probe
from neokeep.storage.base import LONGEST_NAME, ObjectExists, ObjectMissing, Storage
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LARGE = 5 * 1024 * 1024 + 4097
BAD_NAMES = (
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".hidden", "a/.b", "a b", "a\n", "a\0", "ä",
    "a\\b", "x" * (LONGEST_NAME + 1),
)  # fmt: skip


class StorageConformance:
    """Tests that hold for every kind of storage."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        raise NotImplementedError

    @pytest.mark.parametrize("size", [0, 1, 4095, 4096, 1024 * 1024, LARGE])
    def test_what_was_created_is_read(self, storage: Storage, size: int) -> None:
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        storage.create("packs/ab/name", memoryview(data))
        assert storage.read("packs/ab/name") == data
        assert storage.stat("packs/ab/name").size == size

    def test_any_buffer_can_be_stored(self, storage: Storage) -> None:
        storage.create("bytearray", bytearray(b"one"))
        storage.create("slice", memoryview(b"xtwox")[1:4])
        assert (storage.read("bytearray"), storage.read("slice")) == (b"one", b"two")

    def test_an_object_is_never_replaced(self, storage: Storage) -> None:
        storage.create("a/b", b"first")
        with pytest.raises(ObjectExists):
            storage.create("a/b", b"second")
        assert storage.read("a/b") == b"first"

    @pytest.mark.parametrize(("offset", "length"), [(0, None), (3, None), (0, 4), (3, 4), (8, 10), (10, 1), (99, 5)])
    def test_a_range_is_shorter_only_at_the_end(self, storage: Storage, offset: int, length: int | None) -> None:
        storage.create("range", b"0123456789")
        expected = b"0123456789"[offset:] if length is None else b"0123456789"[offset : offset + length]
        assert storage.read("range", offset, length) == expected
        assert storage.read("range", offset, 0) == b""

    def test_what_is_not_there_is_missing(self, storage: Storage) -> None:
        uses: list[Callable[[str], object]] = [storage.read, storage.stat, lambda name: storage.read(name, 5, 5)]
        for use in uses:
            with pytest.raises(ObjectMissing):
                use("packs/none")

    def test_listing_a_level_gives_all_below_it_and_nothing_else(self, storage: Storage) -> None:
        names = {"packs/a/1", "packs/a/2", "packs/b/3", "packs/4"}
        for name in names | {"packs2/5", "index/6", "other"}:
            storage.create(name, name.encode())
        listed = list(storage.list("packs"))
        assert {item.name for item in listed} == names
        assert all(item.size == len(item.name) for item in listed)
        assert [item.name for item in storage.list("packs/a")] in (
            ["packs/a/1", "packs/a/2"],
            ["packs/a/2", "packs/a/1"],
        )
        assert list(storage.list("nothing")) == []

    def test_times_are_in_utc_and_of_now(self, storage: Storage) -> None:
        storage.create("now", b"")
        created = storage.stat("now").created
        assert created.tzinfo is not None
        assert abs(datetime.now(UTC) - created) < timedelta(minutes=5)

    def test_a_deleted_object_is_gone_and_can_be_deleted_again(self, storage: Storage) -> None:
        storage.create("a/b", b"x")
        for _ in range(2):
            storage.delete("a/b")
        with pytest.raises(ObjectMissing):
            storage.stat("a/b")
        storage.create("a/b", b"y")
        assert storage.read("a/b") == b"y"

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_bad_names_are_refused(self, storage: Storage, name: str) -> None:
        for use in (storage.read, storage.stat, storage.delete, lambda name: storage.create(name, b"")):
            with pytest.raises(ValueError, match="not an object name"):
                use(name)

    def test_the_longest_name_is_accepted(self, storage: Storage) -> None:
        name = "/".join(["x" * 127] * 4)
        storage.create(name, b"x")
        assert storage.read(name) == b"x"

    @pytest.mark.parametrize("size", [1, 3 * 1024 * 1024])
    def test_of_many_that_create_one_name_exactly_one_wins(self, storage: Storage, size: int) -> None:
        contents = [bytes([number]) * size for number in range(8)]
        numbers, outcomes, lock = iter(range(8)), list[str](), threading.Lock()
        together = threading.Barrier(8)

        def race(_stopping: threading.Event) -> None:
            with lock:
                number = next(numbers)
            together.wait()
            try:
                storage.create("race/me", contents[number])
                outcome = str(number)
            except ObjectExists:
                outcome = "lost"
            with lock:
                outcomes.append(outcome)

        run_workers(race, 8)
        winners = [outcome for outcome in outcomes if outcome != "lost"]
        assert len(winners) == 1
        assert storage.read("race/me") == contents[int(winners[0])]

    def test_readers_never_see_part_of_an_object(self, storage: Storage) -> None:
        data = bytes(LARGE)
        seen: set[int] = set()
        ready = threading.Barrier(2)
        roles = iter(["write", "read"])

        def both(_stopping: threading.Event) -> None:
            role = next(roles)
            ready.wait()
            if role == "write":
                storage.create("level/whole", data)
                return
            while len(data) not in seen and not _stopping.is_set():
                seen.update(item.size for item in storage.list("level"))
                try:
                    seen.add(len(storage.read("level/whole")))
                except ObjectMissing:
                    _stopping.wait(0.001)

        run_workers(both, 2)
        assert seen == {len(data)}

    def test_the_probe_accepts_it_and_leaves_nothing(self, storage: Storage) -> None:
        probed = probe(storage)
        assert abs(probed.skew) < 300
        assert probed.can_delete
        assert list(storage.list("probe")) == []

    def test_free_space_is_a_number_or_not_said(self, storage: Storage) -> None:
        free = storage.free_bytes()
        assert free is None or free > 0
