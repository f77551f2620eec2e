"""A stopped database with the small store, and its graph as the reader of single values has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.database import Synthetic, log_files, make_logs, neostore_bytes, read_tree
from helpers.small_store import unpack

if TYPE_CHECKING:
    from pathlib import Path

KERNEL, ENDS = 20, 4


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    store = read_tree(unpack(tmp_path / "unpacked")) | {"neostore": neostore_bytes(KERNEL)}
    logs = make_logs(KERNEL, files=1, each=ENDS)
    return Synthetic(tmp_path / "home", KERNEL, "neo4j", store, logs, log_files(logs, checkpoint_at=ENDS)).write()
