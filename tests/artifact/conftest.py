"""What tests of Neo4j's archives share."""

from __future__ import annotations

import pytest

from helpers.database import Synthetic, make_database


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    """The database that is in the archives."""
    return make_database(tmp_path_factory.mktemp("made") / "home")
