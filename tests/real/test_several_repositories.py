"""A real server at work is backed up to two repositories at once, and comes back though each has lost something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from neokeep import api
from neokeep.repository.open import init_repository
from real.rig import DATABASES, SLOW, Taken, require_right

if TYPE_CHECKING:
    from pathlib import Path

    from real.conftest import Worlds

pytestmark = pytest.mark.real

VERSION = "5.26.30"


def test_a_server_under_load_is_backed_up_to_two_and_restored_from_what_is_left_of_both(
    worlds: Worlds, tmp_path: Path
) -> None:
    world = worlds.of(VERSION)
    places = [tmp_path / "a", tmp_path / "b"]
    for place in places:
        init_repository(str(place))
    with world.under_load():
        acknowledged = world.load.acknowledged
        report = api.backup(world.source, places, type="full", rate_limit=SLOW, jobs=2)
        attempted = world.load.attempted
    assert not any(one.failures for one in (report, *report.others))
    assert [info.label for info in report.backups] == [info.label for info in report.others[0].backups]
    packs = sorted((places[0] / "packs").rglob("*/*"), key=lambda path: path.stat().st_size)
    packs[-1].unlink()
    assert not api.verify(places[0]).ok
    target = world.target("fallen-over")
    for info in report.backups:
        restored = api.restore(places, target.home, info.database, label=info.label)
        assert restored.repository == str(places[0])
    taken = Taken({info.database: info for info in report.backups}, acknowledged, attempted, ())
    require_right(target, taken, *DATABASES)
    assert api.heal(places[0], places[1]).ok
    assert api.verify(places[0]).ok
