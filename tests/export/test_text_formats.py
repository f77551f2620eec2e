"""Values as text: CSV that a reader of CSV reads back, JSON lines, and times as ISO 8601 has them."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.small_store import MANY_LABELS, PARAMETERS, PEOPLE
from neokeep import api
from neokeep.cli.main import main
from neokeep.errors import UsageError
from neokeep.export.batches import Part
from neokeep.export.csv import SEPARATOR, CsvTables
from neokeep.export.entities import Side
from neokeep.export.jsonl import lines
from neokeep.export.kinds import EMPTY_LIST, LIST, Type, arrow_type
from neokeep.export.plan import Layout, plan_side
from neokeep.export.survey import Surveyed
from neokeep.export.words import clock_text, date_text, duration_text, moment_text, offset_text, words_of

if TYPE_CHECKING:
    from helpers.database import Synthetic

texts = st.text(st.characters(codec="utf-8", exclude_characters=SEPARATOR), max_size=12)
VALUES: dict[int, Any] = {
    Type.STRING: texts,
    Type.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Type.FLOAT: st.floats(allow_nan=False),
    Type.BOOLEAN: st.booleans(),
    LIST + Type.STRING: st.lists(texts, min_size=2, max_size=4),
    LIST + Type.INTEGER: st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
}


def layout_of(values: dict[tuple[int, int], int], keys: dict[int, str], rows: int) -> Layout:
    return plan_side(Side.NODES, {(0,): Surveyed(rows, values)}, {0: "Label"}, keys)


def read_csv(text: str) -> list[list[str]]:
    """Read CSV as its standard has it (RFC 4180)."""
    return list(csv.reader(text.splitlines(keepends=True), strict=True))


def read(text: str, kind: str) -> Any:
    if kind.endswith("[]"):
        return [read(one, kind[:-2]) for one in text.split(SEPARATOR)]
    if kind == "boolean":
        return text == "true"
    return int(text) if kind == "long" else float(text) if kind == "double" else text


@st.composite
def columns(draw: st.DrawFn) -> tuple[dict[str, int], list[dict[str, Any]]]:
    kinds = draw(
        st.dictionaries(st.sampled_from(["a", 'b "quoted"', "c,d", "e f"]), st.sampled_from([*VALUES]), min_size=1)
    )
    row = st.fixed_dictionaries({}, optional={name: VALUES[kind] for name, kind in kinds.items()})
    return kinds, draw(st.lists(row, min_size=1, max_size=6))


@given(columns())
def test_fields_of_csv_are_read_back_by_a_reader_of_csv(drawn: tuple[dict[str, int], list[dict[str, Any]]]) -> None:
    kinds, rows = drawn
    keys = dict(enumerate(kinds))
    layout = layout_of({(key, kinds[name]): 1 for key, name in keys.items()}, keys, len(rows))
    (table,) = layout.tables
    arrays = {
        "id": pa.array(range(len(rows))),
        "labels": pa.array([["Label"]] * len(rows)),
        **{column.name: pa.array([row.get(column.key_name) for row in rows], column.type) for column in table.columns},
    }
    with TemporaryDirectory() as folder:
        writer = CsvTables(layout, Path(folder))
        writer.write(Part(0, pa.RecordBatch.from_arrays(list(arrays.values()), schema=table.schema)))
        (file,) = writer.files(table)
        path = Path(folder) / file
        # Line ends inside of fields must stay what they are.
        content = path.read_bytes().decode()
        header = path.with_name(path.name.replace(".csv", ".header.csv")).read_text()
    (heads,) = read_csv(header)
    assert heads[:2] == [":ID", ":LABEL"]
    found = []
    for fields, missing in zip(read_csv(content), missing_fields(content), strict=True):
        own = {}
        for head, text, none in zip(heads[2:], fields[2:], missing[2:], strict=True):
            name, _, kind = head.rpartition(":")
            if not none:
                own[name] = read(text, kind)
        found.append(own)
    assert found == rows


def missing_fields(content: str) -> list[list[bool]]:
    """Tell which fields have nothing at all, not even quotes: those are the missing ones."""
    rows, row, field, quoted = [], [], "", False
    for character in content:
        if character == '"':
            quoted = not quoted
        if not quoted and character in ",\n":
            row.append(not field)
            field = ""
            if character == "\n":
                rows.append(row)
                row = []
        else:
            field += character
    return rows


def test_a_key_of_several_types_has_a_file_for_each_mixture(tmp_path: Path) -> None:
    layout = layout_of({(0, Type.INTEGER): 2, (0, Type.STRING): 1, (1, Type.BOOLEAN): 1}, {0: "age", 1: "yes"}, 4)
    (table,) = layout.tables
    columns = {
        "id": [0, 1, 2, 3], "labels": [["Label"]] * 4, "age__integer": [1, None, 3, None],
        "age__string": [None, "two", None, None], "yes": [None, None, None, True],
    }  # fmt: skip
    writer = CsvTables(layout, tmp_path)
    writer.write(Part(0, pa.RecordBatch.from_pydict(columns, schema=table.schema)))
    first, second = writer.files(table)
    assert (tmp_path / first).read_text() == '0,"Label",1,\n2,"Label",3,\n3,"Label",,true\n'
    assert (tmp_path / second).read_text() == '1,"Label","two",\n'
    heads = [(tmp_path / name.replace(".csv", ".header.csv")).read_text() for name in (first, second)]
    assert heads == [":ID,:LABEL,age:long,yes:boolean\n", ":ID,:LABEL,age:string,yes:boolean\n"]


def test_empty_lists_are_counted_since_the_importer_takes_them_for_none(tmp_path: Path) -> None:
    layout = layout_of({(0, LIST + Type.STRING): 2, (0, EMPTY_LIST): 1}, {0: "tags"}, 3)
    columns = {"id": [0, 1, 2], "labels": [["Label"]] * 3, "tags": [["a"], [], [""]]}
    writer = CsvTables(layout, tmp_path)
    writer.write(Part(0, pa.RecordBatch.from_pydict(columns, schema=layout.tables[0].schema)))
    assert writer.not_kept == 2


@pytest.mark.parametrize("key", ["a:b", "{a", "a}"])
def test_a_key_that_headers_cannot_have_is_refused_before_anything_is_written(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match="headers of CSV"):
        CsvTables(layout_of({(0, Type.INTEGER): 1}, {0: key}, 1), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_text_with_the_separator_of_lists_is_refused(tmp_path: Path) -> None:
    layout = layout_of({(0, LIST + Type.STRING): 1}, {0: "tags"}, 1)
    columns = {"id": [0], "labels": [["Label"]], "tags": [[f"a{SEPARATOR}b"]]}
    with pytest.raises(UsageError, match=r"U\+001F"):
        CsvTables(layout, tmp_path).write(Part(0, pa.RecordBatch.from_pydict(columns, schema=layout.tables[0].schema)))


def test_the_small_store_as_csv_has_arguments_for_the_importer(made: Synthetic, tmp_path: Path) -> None:
    report = api.export(api.subject("neo4j", home=made.home), tmp_path / "out", format="csv")
    arguments = (tmp_path / "out" / "import.args").read_text().splitlines()
    assert arguments[-3:] == ["--id-type=INTEGER", "--array-delimiter=U+001F", "--multiline-fields=true"]
    for argument in arguments[:-3]:
        for file in argument.partition("=")[2].split(","):
            assert (tmp_path / "out" / file).is_file()
    people = read_csv((tmp_path / "out" / "nodes" / "Person.csv").read_text())
    assert [row[2:] for row in people] == [
        [f"{PARAMETERS['long']}{number}", f"person {number}", str(number)] for number in range(1, PEOPLE + 1)
    ]
    assert report.not_kept == 1


def test_the_small_store_as_json_has_an_object_for_each_node_and_relationship(made: Synthetic, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["export", "neo4j", "--home", str(made.home), "--to-path", str(out), "--format", "jsonl"]) == 0
    nodes = [json.loads(line) for line in (out / "nodes.jsonl").read_text().splitlines()]
    every = next(node for node in nodes if node["labels"] == ["Every"])
    assert (every["type"], every["id"]) == ("node", "0")
    assert every["properties"]["zone"] == "2020-02-29T12:00:01+01:00[Europe/Berlin]"
    assert every["properties"]["duration"] == "P14M3DT14405.6S"
    assert every["properties"]["globe"] == {"crs": "wgs-84", "x": 2.0, "y": 1.0}
    assert every["properties"]["none"] == []
    assert sorted(MANY_LABELS) in [node["labels"] for node in nodes]
    ties = [json.loads(line) for line in (out / "relationships.jsonl").read_text().splitlines()]
    ids = {node["id"] for node in nodes}
    assert all(tie["start"]["id"] in ids and tie["end"]["id"] in ids for tie in ties)
    assert {tie["label"] for tie in ties} == {"A", "B", "C", "D", "KNOWS", "LIKES"}


def test_numbers_that_json_has_not_are_words() -> None:
    layout = layout_of({(0, LIST + Type.FLOAT): 1}, {0: "f"}, 1)
    columns = {"id": [0], "labels": [["Label"]], "f": [[math.inf, -math.inf, math.nan, 1.5]]}
    (line,) = lines(layout.tables[0], pa.RecordBatch.from_pydict(columns, schema=layout.tables[0].schema))
    assert line["properties"] == {"f": ["Infinity", "-Infinity", "NaN", 1.5]}


@given(st.dates())
def test_dates_are_those_of_the_calendar(date: dt.date) -> None:
    assert date_text(date.toordinal() - dt.date(1970, 1, 1).toordinal()) == date.isoformat()


@given(st.integers(-365_000_000_000, 365_000_000_000))
def test_dates_of_any_year_follow_on_each_other(days: int) -> None:
    # 400 years have 146,097 days: the same day of the calendar, 400 years on.
    first, later = date_text(days), date_text(days + 146_097)
    assert first[-6:] == later[-6:]
    assert int(later[:-6]) == int(first[:-6]) + 400


@given(st.datetimes())
def test_moments_are_those_of_the_calendar(moment: dt.datetime) -> None:
    whole = (moment - dt.datetime.fromisoformat("1970-01-01")) // dt.timedelta(microseconds=1)
    seconds, rest = divmod(whole, 10**6)
    assert dt.datetime.fromisoformat(moment_text(seconds, rest * 1000)) == moment


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (clock_text(43_201_500_000_000), "12:00:01.5"),
        (offset_text(-5400), "-01:30"),
        (offset_text(3723), "+01:02:03"),
        (offset_text(0), "Z"),
        (duration_text(0, 0, -6, 700_000_000), "P0M0DT-5.3S"),
        (duration_text(-3, 4, 5, 0), "P-3M4DT5S"),
        (date_text(365_241_780_107), "+999999999-01-01"),
        (date_text(-719_529), "-0001-12-31"),
    ],
)
def test_times_are_written_as_cypher_reads_them(found: str, expected: str) -> None:
    assert found == expected


def test_what_is_missing_in_a_list_of_anything_stays_missing() -> None:
    for kind in Type:
        assert words_of(kind, pa.nulls(2, arrow_type(kind))) == [None, None]
        if kind is not Type.BYTES:
            assert words_of(LIST + kind, pa.nulls(2, arrow_type(LIST + kind))) == [None, None]
    assert words_of(Type.BYTES, pa.array([np.array([-1, 5], np.int8).tobytes()])) == [[-1, 5]]
