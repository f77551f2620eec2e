"""What tests of the repository share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.collection import Found

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def found(tmp_path: Path) -> Found:
    return Found(tmp_path / "home")
