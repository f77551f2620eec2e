"""neokeep and Neo4j's own check name the same records of broken stores, or the page on consistency says who is right.

A store that a server of each version left is broken in many ways at once, and one at a time where a way does not go
with others. Neo4j's check runs in one Java process for each version, over a store in which nothing else changes.
"""

from __future__ import annotations

import filecmp
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from helpers.agreement import Outcome, broken_by, named_by_neo4j, named_by_neokeep, outcome, together
from helpers.agreement_table import LAST, MIXTURES, OF_TYPES, differences
from helpers.breaking import write_flips
from helpers.breakings import WAYS
from helpers.flipped import FlippedPages
from helpers.indexed_store import unpack
from helpers.neo4j_report import told_by
from neokeep.consistency.run import check_store
from neokeep.lab.embedded import EmbeddedNeo4j
from neokeep.lab.home import create_home
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from helpers.breakings import Breaking, TreeBreaking
    from neokeep.consistency.findings import Finding

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Patient:
    """A home with a store to be broken, the store as it was, and the Neo4j that checks it."""

    version: str
    home: Path
    kept: Path
    pages: DirectoryPages
    neo4j: EmbeddedNeo4j

    @property
    def store(self) -> Path:
        return self.home / "data" / "databases" / "neo4j"

    @property
    def ways(self) -> list[Breaking | TreeBreaking]:
        """Those that this version can be broken in, last the ones that Neo4j's check does not forget."""
        known = (way for way in WAYS if not (way.name == OF_TYPES and self.version.startswith("4.")))
        return sorted(known, key=lambda way: LAST.index(way.name) if way.name in LAST else -1)

    def reported(self, flips: Mapping[tuple[str, int], int]) -> str | None:
        """Give what Neo4j's check reports of the store with other bytes; then the store is as it was."""
        write_flips(self.store, flips)
        try:
            return self.neo4j.check(self.home, "neo4j")
        finally:
            for file in (path for path in self.kept.rglob("*") if path.is_file()):
                checked = self.store / file.relative_to(self.kept)
                if not filecmp.cmp(file, checked, shallow=False):
                    shutil.copyfile(file, checked)

    def found(self, flips: Mapping[tuple[str, int], int]) -> list[Finding]:
        """Give what neokeep finds in the store with other bytes."""
        checked = check_store(FlippedPages(self.pages, flips), aligned=True, derived=True, progress=Silent())
        return checked.findings.kept


@pytest.fixture(scope="module", params=VERSIONS)
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    version = str(request.param)
    directory = tmp_path_factory.mktemp("agreement")
    server = create_home(directory / "home", version)
    store, kept = unpack(version, server.home / "data" / "databases" / "neo4j"), directory / "kept"
    with EmbeddedNeo4j(server.distribution) as neo4j:
        # The store comes without its log: Neo4j begins a new one.
        neo4j.run(server.home, "neo4j", settings={"db.recovery.fail_on_missing_files": "false"})
        shutil.copytree(store, kept)
        with DirectoryPages(kept) as pages:
            yield Patient(version, server.home, kept, pages, neo4j)


def test_a_healthy_store_is_whole_to_both(patient: Patient) -> None:
    assert patient.reported({}) is None
    assert patient.found({}) == []


@pytest.mark.parametrize("mixture", MIXTURES)
def test_of_many_breaks_at_once_each_is_named_by_both(patient: Patient, mixture: str) -> None:
    chosen = MIXTURES[mixture]
    broken = together([way for way in patient.ways if way.name in chosen], patient.pages)
    assert {one.name for one in broken} == chosen
    flips = {place: byte for one in broken for place, byte in one.flips.items()}
    found = patient.found(flips)
    theirs = named_by_neo4j(told_by(patient.reported(flips) or ""), broken[0].counts)
    not_by_neokeep = [one.name for one in broken if not named_by_neokeep(found, one)]
    not_by_neo4j = [one.name for one in broken if not theirs & (one.records | named_by_neokeep(found, one))]
    assert (not_by_neokeep, not_by_neo4j) == ([], [])


def test_each_other_break_is_named_by_both_or_the_difference_is_told(patient: Patient) -> None:
    together_with_others = set[str]().union(*MIXTURES.values())
    seen: dict[str, Outcome] = {}
    for way in patient.ways:
        if way.name in together_with_others:
            continue
        if way.name == LAST[0]:
            assert patient.reported({}) is None
        broken = broken_by(way, patient.pages)
        ours = named_by_neokeep(patient.found(broken.flips), broken)
        assert ours, f"neokeep does not name {broken.record} after {way.name}"
        seen[way.name] = outcome(patient.reported(broken.flips), broken, ours)
    told = {name: one for name, one in seen.items() if one is not Outcome.SAME}
    assert told == differences(patient.version)
