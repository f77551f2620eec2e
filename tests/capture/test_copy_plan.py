"""What to copy, and what a change of the file list means."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from neokeep.capture.plan import explain_changes, is_dropped, plan_copy
from neokeep.neo4j.store.layout import FileKind, ListedFile, Listing, classify, index_directory, rebuildable

RANGE, OTHER_RANGE = "schema/index/range-1.0/7", "schema/index/range-1.0/8"
TEXT = "schema/index/fulltext-1.0/9"
LUCENE_FOLDER = f"{TEXT}/fulltext-9/1"
NODES = "neostore.nodestore.db"
SIZES = {
    "neostore": 8192,
    NODES: 100_000,
    "neostore.relationshipstore.db": 50_000,
    f"{NODES}.id": 32_768,
    "neostore.counts.db": 40_000,
    "tools/metrics": 10,
    f"{RANGE}/index-7": 65_536,
    f"{OTHER_RANGE}/index-8": 8192,
    f"{LUCENE_FOLDER}/segments_3": 200,
    f"{LUCENE_FOLDER}/_0.cfs": 900,
    f"{LUCENE_FOLDER}/write.lock": 0,
    f"{TEXT}/failure-message": 5,
    "database_lock": 0,
    "id-buffer.tmp.3": 77,
}


def listing(sizes: dict[str, int]) -> Listing:
    folders = {
        path.rsplit("/", 1)[0] for path in sizes if path.rsplit("/", 1)[-1].startswith(("segments_", "write.lock"))
    }
    files = [
        ListedFile(path, size, classify(path, in_lucene=path.rpartition("/")[0] in folders))
        for path, size in sorted(sizes.items())
    ]
    return Listing(tuple(files), tuple(sorted(folders)), (), migrating=False)


BEFORE = listing(SIZES)
SOME = st.dictionaries(st.sampled_from(sorted(SIZES)), st.integers(0, 200_000))


def changed(add: dict[str, int] | None = None, remove: tuple[str, ...] = ()) -> Listing:
    """The listing later: without what is at or below `remove`, and with `add`."""
    left = {path: size for path, size in SIZES.items() if not any(f"{path}/".startswith(f"{at}/") for at in remove)}
    return listing(left | (add or {}))


def test_everything_but_locks_and_temporary_files_is_copied() -> None:
    plan = plan_copy(BEFORE, "copy")
    copied = {file.path for file in plan.files}
    assert copied == {path for path in SIZES if not path.startswith(("database_lock", "id-buffer", LUCENE_FOLDER))}
    assert plan.lucene == (LUCENE_FOLDER,)
    assert plan.left_out == ()
    assert plan.size == sum(size for path, size in SIZES.items() if not path.startswith(("database_lock", "id-buffer")))


def test_rebuilding_indexes_leaves_out_what_neo4j_can_make_and_says_so() -> None:
    plan = plan_copy(BEFORE, "rebuild")
    assert {file.path for file in plan.files} == {"neostore", NODES, "neostore.relationshipstore.db", "tools/metrics"}
    assert plan.lucene == ()
    assert {item.path for item in plan.left_out} == {RANGE, OTHER_RANGE, TEXT, f"{NODES}.id", "neostore.counts.db"}
    assert all(item.rebuilt and item.reason == "--indexes=rebuild" for item in plan.left_out)
    assert plan.size == 158_202


@settings(deadline=None)
@given(SOME, st.sampled_from(["copy", "rebuild"]))
def test_every_file_is_copied_or_left_out_with_a_reason_or_never_of_use(sizes: dict[str, int], indexes: str) -> None:
    listed = listing(sizes)
    plan = plan_copy(listed, indexes)
    copied = {file.path for file in plan.files}
    out = {item.path for item in plan.left_out}
    for file in listed.files:
        in_lucene = file.kind is FileKind.LUCENE and file.path.rpartition("/")[0] in plan.lucene
        dropped = file.path in out or index_directory(file.path) in out
        fates = [file.path in copied, in_lucene, dropped]
        assert fates.count(True) == 1 if file.kind is not FileKind.NEVER else file.path not in copied
    assert indexes == "rebuild" or not out
    assert all(
        file.kind not in (FileKind.RECORD_STORE, FileKind.NEOSTORE) or file.path in copied for file in listed.files
    )


@settings(deadline=None)
@given(SOME)
def test_what_did_not_change_needs_no_explanation(sizes: dict[str, int]) -> None:
    changes = explain_changes(listing(sizes), listing(sizes))
    assert (changes.void, changes.drop, changes.left_out, changes.events) == (None, {}, (), ())


@settings(deadline=None)
@given(SOME, SOME)
def test_every_change_voids_the_capture_or_is_explained(before: dict[str, int], later: dict[str, int]) -> None:
    old, new = listing(before), listing(later)
    changes = explain_changes(old, new)
    stores = {file.path: file.size for file in old.files if file.kind in (FileKind.RECORD_STORE, FileKind.NEOSTORE)}
    stores_later = {
        file.path: file.size for file in new.files if file.kind in (FileKind.RECORD_STORE, FileKind.NEOSTORE)
    }
    must_void = stores.keys() != stores_later.keys() or any(stores_later[path] < stores[path] for path in stores)
    assert (changes.void is not None) == must_void
    if changes.void:
        return
    assert not any(is_dropped(path, changes.drop) for path in stores)
    told = {item.path for item in changes.left_out}
    for path in {file.path for file in old.files if file.kind not in (FileKind.NEVER, FileKind.LUCENE)} - later.keys():
        assert is_dropped(path, changes.drop)
    for file in new.files:
        if file.kind in (FileKind.NEVER, FileKind.LUCENE) or file.path in before:
            continue
        index = index_directory(file.path)
        assert file.path in told or index in told or index in changes.drop or (index and file.kind is FileKind.OTHER)
    assert len(changes.events) == len(changes.drop) + len(changes.left_out)


def test_an_index_that_was_dropped_is_left_out_as_a_whole() -> None:
    for index in (RANGE, TEXT):
        changes = explain_changes(BEFORE, changed(remove=(index,)))
        assert changes.drop == {index: "the index was dropped during the capture"}
        assert changes.void is None
        assert all(is_dropped(path, changes.drop) == path.startswith(index) for path in SIZES)


def test_an_index_that_was_made_is_named_and_left_out() -> None:
    changes = explain_changes(BEFORE, changed({"schema/index/range-1.0/12/index-12": 8192}))
    (made,) = changes.left_out
    assert (made.path, made.reason, made.rebuilt) == (
        "schema/index/range-1.0/12", "the index was made during the capture", True,
    )  # fmt: skip
    assert changes.drop == {}


def test_an_index_that_was_made_anew_is_left_out() -> None:
    changes = explain_changes(BEFORE, changed({f"{RANGE}/index-77": 8192}, remove=(f"{RANGE}/index-7",)))
    assert set(changes.drop) == {RANGE}


def test_merges_of_lucene_segments_are_ordinary() -> None:
    later = changed(
        {f"{LUCENE_FOLDER}/segments_4": 210, f"{LUCENE_FOLDER}/_1.cfs": 990},
        remove=(f"{LUCENE_FOLDER}/segments_3", f"{LUCENE_FOLDER}/_0.cfs"),
    )
    changes = explain_changes(BEFORE, later)
    assert (changes.void, changes.drop, changes.left_out) == (None, {}, ())


def test_a_record_store_that_appears_vanishes_or_shrinks_voids_the_capture() -> None:
    gone = explain_changes(BEFORE, changed(remove=("neostore.relationshipstore.db",))).void
    assert gone == "neostore.relationshipstore.db vanished"
    new = explain_changes(BEFORE, changed({"neostore.schemastore.db": 8})).void
    assert new == "neostore.schemastore.db appeared"
    shrunk = explain_changes(BEFORE, changed({NODES: 99_999})).void
    assert shrunk == f"{NODES} shrank from 100000 to 99999 bytes"
    assert explain_changes(BEFORE, changed({NODES: 100_001})).void is None


def test_a_tree_or_another_file_that_vanished_is_left_out() -> None:
    for path in ("neostore.counts.db", "tools/metrics"):
        changes = explain_changes(BEFORE, changed(remove=(path,)))
        assert changes.drop == {path: "the file vanished during the capture"}
    appeared = explain_changes(BEFORE, changed({"tools/new": 1})).left_out
    assert [(item.path, item.rebuilt) for item in appeared] == [("tools/new", False)]


def test_locks_and_temporary_files_may_come_and_go() -> None:
    changes = explain_changes(BEFORE, changed({"id-buffer.tmp.9": 1}, remove=("id-buffer.tmp.3", "database_lock")))
    assert (changes.void, changes.events) == (None, ())


def test_growing_files_need_no_explanation() -> None:
    assert explain_changes(BEFORE, listing({path: size + 1 for path, size in SIZES.items()})).events == ()


@settings(deadline=None)
@given(SOME)
def test_what_is_left_out_can_be_made_again_or_is_said_not_to_be(sizes: dict[str, int]) -> None:
    for item in plan_copy(listing(sizes), "rebuild").left_out:
        assert rebuildable(item.path) or item.path.startswith("schema/index/")
