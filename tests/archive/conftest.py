"""What tests of continuous archiving share: a made-up database and its follower, and looks at a log without pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.database import make_database
from helpers.following import Followed
from neokeep.capture import chain as chains
from neokeep.capture import full

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic


@pytest.fixture(autouse=True)
def _soon_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "_LIVE_TRIES", 2)
    monkeypatch.setattr(chains, "_LIVE_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(full, "_PAUSE_SECONDS", 0.001)


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


@pytest.fixture
def followed(made: Synthetic) -> Followed:
    found = Followed(made)
    found.begin()
    return found
