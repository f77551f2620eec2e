"""Whole captures of made-up databases: what was there comes back, and what changed is left out, healed or refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, expected, new_repository, put_back, take
from helpers.database import PAGE, Synthetic, Watcher, captured_logs, make_database, read_tree, tree_bytes, write_tree
from helpers.txlog import checkpoint_file, checkpoint_record, flipped
from neokeep.capture import copying, full, logs, opening
from neokeep.capture.attempt import Image, capture_once
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.courtesy import Courtesy
from neokeep.capture.options import CaptureOptions
from neokeep.capture.reading import GentleReader, RateLimit
from neokeep.capture.void import CaptureVoid
from neokeep.errors import AccessError, IntegrityError, SourceError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.progress import Progress

LUCENE = Path(__file__).parent.parent / "neo4j" / "store" / "data" / "lucene" / "5.26.30"
TEXT_INDEX = "schema/index/fulltext-1.0/9"
COUNTS = "neostore.counts.db"
NODES = "neostore.nodestore.db"
RELATIONSHIPS = "neostore.relationshipstore.db"
"""The largest file: the first to be read."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(copying, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(opening, "_PAUSE_SECONDS", 0.001)


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


def with_text_index(made: Synthetic) -> Synthetic:
    for path in (LUCENE / "fulltext").iterdir():
        made.store[f"{TEXT_INDEX}/fulltext-9/1/{path.name}"] = path.read_bytes()
    return made.write()


def capture(made: Synthetic, progress: Progress = SILENT, indexes: str = "copy") -> Image:
    repository, _ = new_repository()
    writer = BlockWriter(repository)
    try:
        options = CaptureOptions(jobs=1, gentle=False, indexes=indexes)
        return capture_once(made.opened, writer, GentleReader(RateLimit(None)), options, progress)
    finally:
        writer.close()


def once(action: Callable[[], object]) -> Watcher:
    """Progress that acts when the first file was read."""
    left = [action]

    def advance(_done: int) -> None:
        if left:
            left.pop()()

    return Watcher(advance)


def whenever(action: Callable[[], object]) -> Watcher:
    def advance(_done: int) -> None:
        action()

    return Watcher(advance)


def restored(made: Synthetic, tmp_path: Path, progress: Progress = SILENT) -> dict[str, bytes]:
    """Back up and restore; the store that came back."""
    repository, _ = new_repository()
    take(made, repository, jobs=1, progress=progress)
    put_back(repository, tmp_path / "restored")
    assert check(repository).ok
    assert content(tmp_path / "restored")[1] == captured_logs(made)
    return content(tmp_path / "restored")[0]


@pytest.mark.parametrize("kernel", [4, 20, 32])
@pytest.mark.parametrize("jobs", [1, 3])
def test_what_was_captured_comes_back_bit_for_bit(tmp_path: Path, kernel: int, jobs: int) -> None:
    made = make_database(tmp_path / "home", kernel)
    repository, _ = new_repository()
    info = take(made, repository, jobs=jobs)
    put_back(repository, tmp_path / "restored", jobs=jobs)
    assert content(tmp_path / "restored") == expected(made)
    assert (info.attempts, info.left_out, info.events, info.running) == (1, (), (), False)
    assert info.last_tx == made.logs[-1].last_transaction
    assert info.checkpoint_tx == made.logs[0].last_before + 1
    assert info.size_bytes == sum(map(len, made.store.values())) + sum(map(len, captured_logs(made).values()))


def test_a_capture_changes_nothing_in_the_database(made: Synthetic) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in made.home.rglob("*")}
    capture(made)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in made.home.rglob("*")} == before


def test_a_second_backup_of_the_same_database_stores_next_to_nothing(made: Synthetic) -> None:
    repository, _ = new_repository()
    first, second = take(made, repository), take(made, repository)
    assert second.stored_bytes < first.stored_bytes / 20


def test_locks_and_temporary_files_stay_behind(made: Synthetic, tmp_path: Path) -> None:
    write_tree(made.store_directory, {"database_lock": b"", "id-buffer.tmp.1": b"x", "quarantine_marker": b"x"})
    assert restored(made, tmp_path) == made.store


def test_a_lucene_index_is_captured_as_a_whole(made: Synthetic, tmp_path: Path) -> None:
    with_text_index(made)
    lock = f"{TEXT_INDEX}/fulltext-9/1/write.lock"
    assert restored(made, tmp_path) == {path: data for path, data in made.store.items() if path != lock}


def test_a_lucene_index_that_is_never_whole_is_left_out_as_a_whole(made: Synthetic) -> None:
    with_text_index(made)
    part = next(path for path in made.store if path.startswith(TEXT_INDEX) and path.endswith(".cfs"))
    (made.store_directory / part).unlink()
    image = capture(made)
    assert not [file.path for file in image.files if file.path.startswith(TEXT_INDEX)]
    (left,) = image.left_out
    assert (left.path, left.rebuilt) == (TEXT_INDEX, True)
    assert "Lucene" in left.reason


def test_indexes_that_are_to_be_rebuilt_are_left_out_and_named(made: Synthetic) -> None:
    image = capture(with_text_index(made), indexes="rebuild")
    stores = {
        path for path in made.store if path in ("neostore", "tools/metrics") or path.endswith((".db", ".strings"))
    } - {COUNTS}
    assert {file.path for file in image.files if file.area == "store"} == stores
    assert {item.path for item in image.left_out} == {COUNTS, f"{NODES}.id", TEXT_INDEX, "schema/index/range-1.0/7"}


def test_a_tree_that_a_checkpoint_moved_is_copied_again_with_its_new_size(made: Synthetic, tmp_path: Path) -> None:
    moved = made.store_directory / COUNTS
    larger = tree_bytes(77, pages=30, fill=9)
    reads: list[int] = []

    def advance(_done: int) -> None:
        # The counts are smaller than the stores, so they come later: change them when they are being read.
        held = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.lexists(f"/proc/self/fd/{fd}")
        ]
        if not reads and str(moved) in held:
            reads.append(1)
            moved.write_bytes(larger)

    repository, _ = new_repository()
    info = take(made, repository, jobs=1, progress=Watcher(advance))
    assert reads
    assert info.file_retries == 1
    put_back(repository, tmp_path / "restored")
    made.store[COUNTS] = larger
    assert content(tmp_path / "restored") == expected(made)


def test_a_tree_that_moves_all_the_time_is_left_out_in_the_end(made: Synthetic) -> None:
    generation = [100]

    def move() -> None:
        generation[0] += 1
        (made.store_directory / COUNTS).write_bytes(tree_bytes(generation[0], pages=9))

    image = capture(made, whenever(move))
    assert COUNTS not in {file.path for file in image.files}
    (left,) = image.left_out
    assert (left.path, left.rebuilt) == (COUNTS, True)
    assert image.file_retries == copying.TREE_TRIES - 1


def test_a_tree_that_checkpoints_overtake_is_read_without_pauses_in_the_end(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = [0]
    generation = [100]

    class Counting(Courtesy):
        def pause(self, stopping: threading.Event) -> None:
            pauses[-1] += 1

    def move() -> None:
        generation[0] += 1
        (made.store_directory / COUNTS).write_bytes(tree_bytes(generation[0], pages=9))

    monkeypatch.setattr(copying, "Courtesy", Counting)
    capture(made, whenever(move))
    pauses.append(0)
    monkeypatch.setattr(copying, "PATIENT_TRIES", copying.TREE_TRIES)
    capture(made, whenever(move))
    hurried, patient = pauses
    assert hurried < patient


def test_a_tree_index_that_moves_all_the_time_is_left_out_as_a_whole(made: Synthetic) -> None:
    index = made.store_directory / "schema/index/range-1.0/7/index-7"
    generation = [100]

    def move() -> None:
        generation[0] += 1
        index.write_bytes(tree_bytes(generation[0], pages=2))

    assert [item.path for item in capture(made, whenever(move)).left_out] == ["schema/index/range-1.0/7"]


def test_a_tree_whose_state_cannot_be_read_is_left_out(made: Synthetic) -> None:
    (made.store_directory / COUNTS).write_bytes(bytes(5 * PAGE))
    assert [(item.path, item.rebuilt) for item in capture(made).left_out] == [(COUNTS, True)]


def test_record_stores_may_change_and_grow_during_the_copy(made: Synthetic) -> None:
    path = made.store_directory / NODES
    image = capture(made, once(lambda: path.write_bytes(os.urandom(path.stat().st_size + 5 * PAGE))))
    assert NODES in {file.path for file in image.files}
    assert image.left_out == ()


def shrink(made: Synthetic, name: str) -> None:
    with (made.store_directory / name).open("r+b") as file:
        file.truncate(PAGE)


def replace(made: Synthetic, name: str) -> None:
    path = made.store_directory / name
    other = path.with_name("other.tmp")
    other.write_bytes(path.read_bytes())
    other.rename(path)


def remove(made: Synthetic, name: str) -> None:
    (made.store_directory / name).unlink()


@pytest.mark.parametrize(
    ("harm", "name"),
    [(harm, name) for harm in (shrink, remove) for name in (NODES, RELATIONSHIPS)] + [(replace, RELATIONSHIPS)],
)
def test_a_record_store_that_shrinks_vanishes_or_is_replaced_voids_the_capture(
    made: Synthetic, name: str, harm: Callable[[Synthetic, str], object]
) -> None:
    with pytest.raises(CaptureVoid, match=name):
        capture(made, once(lambda: harm(made, name)))


def test_another_store_in_its_place_voids_the_capture(made: Synthetic) -> None:
    def swap_store() -> None:
        path = made.store_directory / "neostore"
        data = bytearray(path.read_bytes())
        data[7 * 9] ^= 1
        path.write_bytes(data)

    with pytest.raises((CaptureVoid, SourceError)):
        capture(made, once(swap_store))


def test_an_ordinary_file_that_vanishes_is_left_out_and_named(made: Synthetic) -> None:
    image = capture(made, once((made.store_directory / "tools/metrics").unlink))
    assert "tools/metrics" not in {file.path for file in image.files}
    assert [(item.path, item.rebuilt) for item in image.left_out] == [("tools/metrics", False)]


def test_a_void_capture_starts_over_and_says_so(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    info = take(made, repository, jobs=1, progress=once(lambda: replace(made, RELATIONSHIPS)))
    assert info.attempts == 2
    assert info.events[0].startswith("attempt 1 was void: neostore.relationshipstore.db was replaced")
    put_back(repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)


def test_a_capture_that_is_void_again_and_again_gives_up_and_leaves_no_backup(made: Synthetic) -> None:
    repository, storage = new_repository()
    with pytest.raises(SourceError, match="could not be captured in 6 attempts"):
        take(made, repository, jobs=1, progress=whenever(lambda: replace(made, RELATIONSHIPS)))
    assert storage.names("backups/") == []


def test_log_files_that_come_and_go_during_the_copy_are_kept(made: Synthetic, tmp_path: Path) -> None:
    more = made.logs[-1].next([b"later" * 9, b"last" * 9])

    def rotate() -> None:
        write_tree(made.log_directory, {f"neostore.transaction.db.{more.version}": more.data + bytes(1000)})

    repository, _ = new_repository()
    info = take(made, repository, progress=once(rotate))
    assert info.last_tx == more.last_transaction
    put_back(repository, tmp_path / "restored")
    made.logs.append(more)
    assert content(tmp_path / "restored") == expected(made)


def test_a_later_checkpoint_is_not_in_the_backup(made: Synthetic, tmp_path: Path) -> None:
    path = made.log_directory / "checkpoint.0"
    first = path.read_bytes()[: 128 + 232]
    later = first + checkpoint_record(20, 1, made.logs[1].ends[-1], 9)
    assert len(restored(made, tmp_path, once(lambda: path.write_bytes(later)))) > 0
    assert (tmp_path / "restored/data/transactions/neo4j/checkpoint.0").read_bytes() == first


def test_a_damaged_log_gives_no_backup(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    made.log["neostore.transaction.db.1"] = flipped(made.log["neostore.transaction.db.1"], made.logs[1].ends[0] + 50)
    made.write()
    monkeypatch.setattr(logs, "_LIVE_PAUSE_SECONDS", 0)
    repository, storage = new_repository()
    with pytest.raises(IntegrityError, match=r"neostore.transaction.db.1 of the source is damaged"):
        take(made, repository)
    assert storage.names("backups/") == []


def test_the_newest_complete_checkpoint_is_chosen(made: Synthetic) -> None:
    whole = [checkpoint_record(20, 0, made.logs[0].boundaries[number], 1 + number) for number in range(3)]
    torn = [*whole[:2], whole[2][:-1] + b"!"]
    files = {
        "checkpoint.3": checkpoint_file(20, torn, version=3, zeros=99),
        "checkpoint.4": checkpoint_file(20, [], version=4, zeros=99),
    }
    write_tree(made.log_directory, files)
    chosen = choose_checkpoint(made.log_directory)
    assert (chosen.name, chosen.position) == ("checkpoint.3", LogPosition(0, made.logs[0].boundaries[1]))
    assert chosen.content == files["checkpoint.3"][: 128 + 2 * 232]


def test_without_any_checkpoint_only_a_new_database_of_4_can_be_captured(tmp_path: Path) -> None:
    for kernel, accepted in ((4, True), (20, False)):
        made = make_database(tmp_path / str(kernel), kernel)
        write_tree(made.log_directory, {"checkpoint.0": checkpoint_file(kernel, [], zeros=50)})
        if accepted:
            assert choose_checkpoint(made.log_directory).position == LogPosition(0, 0)
            assert capture(made).log.checkpoint_transaction == 1
        else:
            with pytest.raises(SourceError, match="holds a complete record"):
                choose_checkpoint(made.log_directory)


def test_without_logs_there_is_no_backup(made: Synthetic) -> None:
    for path in made.log_directory.iterdir():
        path.unlink()
    with pytest.raises(SourceError, match="holds no transaction logs"):
        capture(made)


def test_a_store_that_may_not_be_read_is_told(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def forbidden(path: str, *rest: int) -> int:
        if os.fspath(path).endswith(NODES):
            raise PermissionError(13, "no")
        return real(path, *rest)

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(AccessError, match=NODES):
        capture(made)


def test_a_store_in_the_middle_of_a_migration_is_refused(made: Synthetic) -> None:
    write_tree(made.store_directory, {"migrate/neostore": b"x"})
    with pytest.raises(SourceError, match="store migration"):
        capture(made)


def test_every_descriptor_is_closed_and_no_thread_is_left_after_a_void_capture(made: Synthetic) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(CaptureVoid):
        capture(made, once(lambda: shrink(made, NODES)))
    assert len(os.listdir("/proc/self/fd")) == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("neokeep")]
    assert read_tree(made.store_directory)[NODES] == made.store[NODES][:PAGE]
