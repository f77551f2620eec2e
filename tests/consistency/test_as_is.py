"""A store as it lies there: what its log would write anew is told apart from what nothing explains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.artifacts import artifact, files_of, write
from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS
from helpers.database import Synthetic, neostore_bytes, read_tree
from helpers.redo_model import Made, payload
from helpers.small_store import unpack
from helpers.txcommands import IN_USE, pack
from helpers.txlog import build_log, checkpoint_file, checkpoint_record
from neokeep import api
from neokeep.cli.main import main
from neokeep.consistency.findings import KEPT, Findings
from neokeep.errors import UsageError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.breaking import Expected

KERNEL = 20
HEALED, STAYS = "the previous relationship is another one", "a node has an unknown label"


def rewritten(breaker: Breaker, record: int) -> Made:
    """The command that writes a relationship as it is before it is broken."""
    held = breaker.relationships
    chains = [int(side[record]) for pair in zip(held.previous, held.next, strict=True) for side in pair]
    ends = (int(held.node[0][record]), int(held.node[1][record]))
    flags = int(breaker.raw[Store.RELATIONSHIP][record, 33])
    image = bytes([IN_USE])
    image += pack(KERNEL, "qqi4qqb", *ends, int(held.type[record]), *chains, int(held.property[record]), flags)
    return Made(bytes([3]) + pack(KERNEL, "q", record) + image + image)


@dataclass
class Crashed:
    """A home whose log has one transaction more than its store, which heals one of the broken records."""

    made: Synthetic
    healed: Expected
    stays: Expected | None


def crashed(directory: Path, *names: str) -> Crashed:
    folder = unpack(directory / "unpacked")
    with DirectoryPages(folder) as pages:
        breaker = Breaker(pages)
        found = [next(one for one in BREAKINGS if one.name == name).apply(breaker) for name in names]
        command = rewritten(breaker, found[0][2])
    breaker.write(folder)
    log = build_log(KERNEL, [payload(KERNEL, [command])])
    record = checkpoint_record(KERNEL, 0, log.boundaries[0], 1)
    logs = {"neostore.transaction.db.0": log.data + bytes(1000), "checkpoint.0": checkpoint_file(KERNEL, [record])}
    store = read_tree(folder) | {"neostore": neostore_bytes(KERNEL)}
    made = Synthetic(directory / "home", KERNEL, "neo4j", store, [log], logs).write()
    return Crashed(made, found[0], found[1] if len(found) > 1 else None)


def keys(report: object, *, explained: bool) -> set[tuple[str, str, int]]:
    return {(one.code, one.store, one.record) for one in report.findings if one.explained == explained}  # type: ignore[attr-defined]


def test_what_the_log_writes_anew_is_explained(tmp_path: Path) -> None:
    home = crashed(tmp_path, HEALED).made.home
    before = read_tree(home)
    report = api.check_consistency(api.subject("neo4j", home=home, as_is=True), report_path=tmp_path / "report")
    assert report.ok
    assert report.not_applied == 1
    assert report.last_transaction is None
    assert report.inconsistencies == report.explained + sum(kind.count - kind.explained for kind in report.kinds)
    assert read_tree(home) == before
    assert api.check_consistency(api.subject("neo4j", home=home)).inconsistencies == 0


def test_what_it_does_not_explain_stays_a_finding(tmp_path: Path) -> None:
    broken = crashed(tmp_path, HEALED, STAYS)
    assert broken.stays
    subject = api.subject("neo4j", home=broken.made.home, as_is=True)
    report = api.check_consistency(subject, report_path=tmp_path / "report")
    assert not report.ok
    code, store, record = broken.healed
    assert (code, FILES[store], record) in keys(report, explained=True)
    code, store, record = broken.stays
    assert (code, FILES[store], record) in keys(report, explained=False)
    text = (tmp_path / "report").read_text()
    assert text.index(f"{code}: 1.") < text.index("once the log is applied") < text.index(f"{broken.healed[0]}: 1.")


def test_a_record_that_is_written_anew_beside_a_damaged_one_is_not_explained(tmp_path: Path) -> None:
    # The finding names the neighbour of the record that is damaged.
    broken = crashed(tmp_path, "a chain is cut")
    report = api.check_consistency(api.subject("neo4j", home=broken.made.home, as_is=True))
    code, store, record = broken.healed
    assert keys(report, explained=False) == {(code, FILES[store], record)}
    assert not report.ok


@pytest.mark.parametrize(("names", "status"), [((HEALED,), 0), ((HEALED, STAYS), 24)])
def test_the_exit_status_is_that_of_what_is_not_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], status: int
) -> None:
    home = str(crashed(tmp_path, *names).made.home)
    assert main(["check-consistency", "neo4j", "--home", home, "--as-is"]) == status
    printed = capsys.readouterr()
    assert "as it is, without 1 transaction of its log" in printed.out
    assert "once the log is applied" in printed.out
    assert ("does not explain" in printed.out) == (status == 0)
    assert main(["check-consistency", "neo4j", "--home", home, "--as-is", "--output", "json"]) == status
    assert json.loads(capsys.readouterr().out)["explained"] > 0


def test_an_archive_is_looked_at_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", files_of(crashed(tmp_path, HEALED).made)))
    report = api.check_consistency(api.subject(archive=path, as_is=True))
    assert (report.ok, report.not_applied) == (True, 1)
    assert report.explained
    assert not api.check_consistency(api.subject(archive=path)).findings


def test_a_clean_database_has_nothing_to_explain(tmp_path: Path) -> None:
    broken = crashed(tmp_path, HEALED)
    log = broken.made.logs[0]
    record = checkpoint_record(KERNEL, 0, log.ends[0], 2)
    (broken.made.log_directory / "checkpoint.0").write_bytes(checkpoint_file(KERNEL, [record]))
    report = api.check_consistency(api.subject("neo4j", home=broken.made.home, as_is=True))
    assert (report.ok, report.not_applied, report.explained) == (False, 0, 0)


def test_a_backup_is_nothing_without_its_log(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing without its log"):
        api.subject("neo4j", repository=tmp_path, as_is=True)


def test_as_many_findings_are_kept_beside_those_that_are_explained() -> None:
    found = Findings(explains=lambda _, records: records % 2 == 0)
    found.add_each("node-label", Store.NODE, np.arange(2 * KEPT + 6), "it has {0}", np.arange(2 * KEPT + 6))
    found.add("node-label", Store.NODE, 8, "it has {more}")
    found.add("node-label", Store.NODE, 9, "it has {more}")
    assert (found.counts["node-label"], found.explained["node-label"]) == (2 * KEPT + 8, KEPT + 4)
    assert sum(one.explained for one in found.kept) == KEPT
    assert len(found.kept) == 2 * KEPT


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40))
def test_every_finding_is_counted_on_one_side(findings: list[tuple[int, bool]]) -> None:
    explained = {record for record, flag in findings if flag}
    found = Findings(explains=lambda _, records: np.isin(records, list(explained)))
    for record, _ in findings:
        found.add("node-label", Store.NODE, record, "it is {so}")
    assert found.counts["node-label"] == len(findings) == len(found.kept)
    assert found.explained["node-label"] == sum(record in explained for record, _ in findings)
    assert all(one.explained == (one.record in explained) for one in found.kept)
