"""SQL over a stopped database: what the views hold, what of them is read, and what SQL cannot reach."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS
from helpers.database import Synthetic, read_tree
from helpers.small_store import MANY_LABELS, PEOPLE, SPOKES
from neokeep import api
from neokeep.cli.main import main
from neokeep.errors import ConfigurationError, IntegrityError, LockedError, UsageError
from neokeep.export import batches, dataset
from neokeep.export.sql import cells
from neokeep.neo4j import locks
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.export.reports import SqlReport


def ask(made: Synthetic, query: str, **options: Any) -> SqlReport:
    return api.sql(api.subject("neo4j", home=made.home), query, **options)


def test_there_is_a_view_of_everything_of_each_label_and_of_each_type(made: Synthetic) -> None:
    expected = {
        "nodes",
        "relationships",
        "Every",
        "Person",
        "Hub",
        "X",
        *MANY_LABELS,
        "A",
        "B",
        "C",
        "D",
        "KNOWS",
        "LIKES",
    }
    assert {row[0] for row in ask(made, "SHOW TABLES").rows} == expected


def test_labels_and_types_count_what_has_them(made: Synthetic) -> None:
    query = 'SELECT (SELECT count(*) FROM "Person"), (SELECT count(*) FROM "A"), (SELECT count(*) FROM "Many3")'
    assert ask(made, query).rows == ((PEOPLE, SPOKES, 1),)
    by_type = ask(made, "SELECT type, count(*) FROM relationships GROUP BY ALL ORDER BY 1").rows
    assert dict(by_type) == {"A": SPOKES, "B": SPOKES, "C": SPOKES, "D": 3, "KNOWS": 2 * PEOPLE - 4, "LIKES": 1}


def test_relationships_join_nodes_also_to_themselves(made: Synthetic) -> None:
    query = """
      SELECT a.number, b.number FROM "KNOWS" k JOIN "Person" a ON a.id = k.start JOIN "Person" b ON b.id = k."end"
      WHERE a.number = 7 ORDER BY ALL"""
    assert ask(made, query).rows == ((7, 8), (7, 10))


def test_values_of_all_types_are_shown_with_all_their_digits(made: Synthetic) -> None:
    report = ask(made, 'SELECT * FROM "Every"')
    row = dict(zip(report.columns, report.rows[0], strict=True))
    assert (row["date"], row["clock"], row["local"]) == ("2020-02-29", "12:00:01.5", "2020-02-29T12:00:01")
    assert row["zone"] == {"utc": "2020-02-29T11:00:01", "offset": None, "zone": "Europe/Berlin"}
    assert row["texts"][0] == "a"
    assert row["bytes"] == bytes(range(200)).hex()
    assert row["duration"] == {"months": 14, "days": 3, "seconds": 14405, "nanoseconds": 600_000_000}
    assert row["points"] == [{"srid": 7203, "x": 1.0, "y": 2.0, "z": None}]


def test_only_the_columns_that_a_query_asks_for_are_decoded(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = batches.read_parts

    def watched(*arguments: Any, columns: Any, **options: Any) -> Any:
        asked.append(columns)
        return real(*arguments, columns=columns, **options)

    monkeypatch.setattr(dataset, "read_parts", watched)
    rows = ask(made, 'SELECT name FROM "Person" WHERE number = 7').rows
    assert rows == (("person 7",),)
    assert asked == [frozenset({"id", "name", "number"})]


def test_a_filter_on_text_numbers_and_what_is_missing_is_right(made: Synthetic) -> None:
    assert ask(made, "SELECT count(*) FROM nodes WHERE number IS NULL").rows == ((166 - PEOPLE,),)
    assert ask(made, "SELECT number FROM nodes WHERE name = 'person 9'").rows == ((9,),)
    assert ask(made, "SELECT count(*) FROM nodes WHERE number BETWEEN 5 AND 9 OR name = 'person 1'").rows == ((6,),)
    assert ask(made, "SELECT number FROM nodes WHERE list_contains(labels, 'Hub')").rows == ((None,),)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("zone.utc > TIMESTAMP '2020-01-01'", 1),
        ("zone.zone = 'Europe/Berlin' AND local < TIMESTAMP_NS '2021-01-01'", 1),
        ("date = DATE '2020-02-29' AND clock::TIME < TIME '13:00'", 1),
        ("high.z = 3.0 AND float >= 1.5 AND yes", 1),
        ("duration.months <> 14", 0),
        ("bytes IS NOT NULL AND ints[2] = 2 AND texts[1] IN ('a', 'b')", 1),
    ],
)
def test_a_filter_on_any_type_is_right(made: Synthetic, condition: str, count: int) -> None:
    assert ask(made, f"SELECT count(*) FROM nodes WHERE {condition}").rows == ((count,),)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nope FROM nodes", "nope"),
        ("SELECT 1 FROM nowhere", "nowhere"),
        ("COPY (SELECT 1) TO '{0}/out.csv'", "disabled by configuration"),
        ("SELECT * FROM read_text('{0}/secret')", "disabled by configuration"),
        ("SELECT * FROM '{0}/secret.csv'", "disabled by configuration"),
        ("ATTACH '{0}/x.db'", "disabled by configuration"),
        ("INSTALL httpfs", "disabled by configuration"),
        ("SET enable_external_access = true", "locked"),
        ("SET temp_directory = '{0}'", "locked"),
    ],
)
def test_bad_sql_and_sql_that_reaches_out_is_refused_in_the_words_of_duckdb(
    made: Synthetic, tmp_path: Path, query: str, word: str
) -> None:
    (tmp_path / "outside").mkdir()
    for name in ("secret", "secret.csv"):
        (tmp_path / "outside" / name).write_text("secret")
    before = read_tree(tmp_path)
    with pytest.raises(UsageError, match=word):
        ask(made, query.format(tmp_path / "outside"))
    assert read_tree(tmp_path) == before


def test_variables_of_this_program_are_no_tables(made: Synthetic) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        ask(made, "SELECT * FROM reader")


def test_more_rows_than_the_limit_are_told(made: Synthetic) -> None:
    report = ask(made, "SELECT id FROM nodes ORDER BY id", limit=5)
    assert (len(report.rows), report.truncated) == (5, True)
    assert ask(made, "SELECT 1 WHERE false", limit=5).truncated is False


def test_statements_that_answer_nothing_have_no_rows(made: Synthetic) -> None:
    assert ask(made, "CREATE TEMP TABLE p AS SELECT * FROM nodes; SELECT count(*) FROM p").rows == ((166,),)
    assert ask(made, "CREATE TABLE t (i int)").rows in ((), ((0,),))


def test_a_query_from_standard_input_is_printed_as_a_table(
    made: Synthetic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('SELECT number, name FROM "Person" WHERE number < 3 ORDER BY 1'))
    assert main(["sql", "--home", str(made.home), "--quiet"]) == 0
    assert capsys.readouterr().out == "NUMBER  NAME\n     1  person 1\n     2  person 2\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(" "))
    assert main(["sql", "--home", str(made.home)]) == 2


def test_json_has_what_was_asked_for(made: Synthetic, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["sql", "neo4j", "--home", str(made.home), "--output", "json", "--query"]
    assert main([*line, "SELECT max(number) AS most FROM nodes"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["columns"], document["rows"], document["database"]) == (["most"], [[PEOPLE]], "neo4j")
    assert main([*line, "SELEC"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "usage"


def test_damage_on_the_way_is_told(made: Synthetic, capsys: pytest.CaptureFixture[str]) -> None:
    (broken,) = (one for one in BREAKINGS if one.name == "a value is of a type that is none")
    with DirectoryPages(made.store_directory) as pages:
        breaker = Breaker(pages)
        broken.apply(breaker)
    breaker.write(made.store_directory)
    assert main(["sql", "--home", str(made.home), "--query", "SELECT * FROM nodes"]) == 24
    assert "is not whole" in capsys.readouterr().err


def test_what_ends_a_scan_is_told_as_it_is(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise IntegrityError("the disk went away")

    monkeypatch.setattr(batches, "read_entities", gone)
    with pytest.raises(IntegrityError, match="the disk went away"):
        ask(made, "SELECT * FROM nodes")


def test_an_open_database_is_refused(made: Synthetic) -> None:
    with locks.hold(made.opened.lock_path), pytest.raises(LockedError):
        ask(made, "SELECT 1")


def test_without_duckdb_it_is_said_what_to_install(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neokeep.api.graphs.find_spec", lambda name: None if name == "duckdb" else name)
    with pytest.raises(ConfigurationError, match="duckdb") as raised:
        ask(made, "SELECT 1")
    assert "neokeep[sql]" in raised.value.remedy


def test_cells_have_all_digits_and_what_json_has_not_as_text() -> None:
    assert cells(pa.array([1_500_000_001], pa.timestamp("ns"))) == ["1970-01-01T00:00:01.500000001"]
    assert cells(pa.array([1], pa.timestamp("us", "UTC"))) == ["1970-01-01T00:00:00.000001Z"]
    assert cells(pa.array([1.5, float("nan"), None])) == [1.5, "NaN", None]
    assert cells(pa.array([[b"a"], None, []], pa.list_(pa.binary()))) == [["61"], None, []]
    assert cells(pa.array([{"a": 1}, None])) == [{"a": 1}, None]
