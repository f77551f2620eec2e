"""What Neo4j's check reports is read as far as it is understood, and the page on consistency tells the differences."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.agreement_table import DIFFERENCES, LAST, MIXTURES, differences, table
from helpers.breakings import BREAKINGS, TREE_BREAKINGS, WAYS
from helpers.indexed_store import VERSIONS, unpack
from helpers.neo4j_report import told_by
from helpers.properties import examples
from neokeep.neo4j.store.pages import DirectoryPages

NODES, TIES = "neostore.nodestore.db", "neostore.relationshipstore.db"
COUNTS, INDEX = "neostore.counts.db", "schema/index/range-1.0/5/index-5"
TIME = "2026-11-23 15:33:56.890+0000"
NODE = "Node[7,used=true,created=false,rel=-1,prop=33,labels=Inline(0x1000000000:[0]),light,fixedRefs=false]"
ENTRY = "IndexEntry[nodeId=9, index=Index( id=5, name='n', type='RANGE', schema=(:Person[0] {name[15]}) )]"
RANGE = "NodeLabelRange[idRange=0-64; {Entity[0]: Tokens[1], Entity[1]: Tokens[0, 1]}]"
TEXT = "PropertyBlock[blocks=1,STRING,key=22,firstDynamic=1] DynamicRecord[1,used=false,(0),type=-1]"
LEFT_OUT = f"Index will be excluded. Index file: /home/data/databases/neo4j/{INDEX}."


def report(*lines: str) -> str:
    summary = f"{TIME} WARN  Inconsistencies found: ConsistencySummaryStatistics {{\n\tNumber of errors: 1\n}}"
    return "\n".join([f"{TIME} ERROR {lines[0]}", *(f"\t{line}" for line in lines[1:]), summary])


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (("The target node is not in use.", "Relationship[2,used=true]", f"Inconsistent with: {NODE}"),
         {(TIES, 2), (NODES, 7)}),
        (("This index entry refers to a node record that is not in use.", ENTRY), {(NODES, 9)}),
        (("This label scan document refers to a node", RANGE, f"Inconsistent with: {NODE} 0"), {(NODES, 7)}),
        (("The string block is not in use.", "Property[3,used=true]", f"Inconsistent with: {TEXT}"),
         {("neostore.propertystore.db", 3), ("neostore.propertystore.db.strings", 1)}),
        (("The name block is not in use.", "Label[4,in use]", "Inconsistent with: DynamicRecord[6,used=false]"),
         {("neostore.labeltokenstore.db", 4), ("neostore.labeltokenstore.db.names", 6)}),
        (("The record is not full, but references a next block.", "DynamicRecord[1,used=true]"), set()),
        (("Index inconsistency: Keys in tree node 5 are out of order.", LEFT_OUT), {(INDEX, 5)}),
        ((f"Index inconsistency: Page: 6 is not a tree node page. {LEFT_OUT}",), {(INDEX, 6)}),
        (("Index inconsistency: Sibling pointers misaligned.", "Left siblings view:  {5(4)}-(1)->{0},",
          "Right siblings view: {5}<-(4)-{6(4)}.", LEFT_OUT), {(INDEX, 5), (INDEX, 6)}),
        (("Index inconsistency: Caught exception during consistency check: offset=65535",), set()),
    ],
)  # fmt: skip
def test_records_and_pages_are_read(lines: tuple[str, ...], named: set[tuple[str, int]]) -> None:
    (told,) = told_by(report(*lines))
    assert told.words == lines[0]
    assert told.named == named


def test_counts_are_read_by_their_keys() -> None:
    (told,) = told_by(
        report("The node count does not correspond.", "CountsEntry[CountsKey[type:2, first:-4, second:0]: 76]")
    )
    assert told.counts == {(2, -4, 0)}


@examples(200)
@given(
    st.lists(st.sampled_from([TIME, " ERROR ", "\n", "\t", NODE, ENTRY, RANGE, TEXT, LEFT_OUT, "[", "view: {", "9"]))
)
def test_reading_takes_whatever_a_report_says(parts: list[str]) -> None:
    assert isinstance(told_by("".join(parts)), list)


def test_all_in_the_tables_are_ways_to_break_a_store() -> None:
    known = {way.name for way in WAYS}
    assert {
        *LAST,
        *(one.name for one in DIFFERENCES),
        *(name for names in MIXTURES.values() for name in names),
    } <= known
    different = {name for version in VERSIONS for name in differences(version)}
    assert different == {one.name for one in DIFFERENCES}
    assert not different & {name for names in MIXTURES.values() for name in names}


def test_the_page_on_consistency_tells_the_differences(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "consistency.md").read_text(encoding="utf-8")
    with DirectoryPages(unpack("5.26.30", tmp_path)) as pages:
        assert table(pages) in page
    assert f"in {len(BREAKINGS)} ways" in page
    assert f"in {len(TREE_BREAKINGS)} ways" in page
