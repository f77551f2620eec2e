"""The small store that checks are tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.small_store import unpack
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryPages]:
    """The small store, which nobody changes."""
    with DirectoryPages(unpack(tmp_path_factory.mktemp("small"))) as found:
        yield found
