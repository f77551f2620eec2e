"""Machine code is kept under a digest of all its sources, and made anew where it cannot be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import neokeep
from neokeep.neo4j.recovery import compiled
from neokeep.neo4j.recovery.compiled import SOURCES, compiled_part

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(neokeep.__file__).parent


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Have the place of machine code looked for again, in the test and after it."""
    compiled._place.cache_clear()
    yield
    compiled._place.cache_clear()


def test_every_module_with_compiled_code_is_in_the_digest() -> None:
    using = {path for path in PACKAGE.rglob("*.py") if "\n@compiled" in path.read_text(encoding="utf-8")}
    named = {PACKAGE.joinpath(*name.split(".")).with_suffix(".py") for name in SOURCES}
    assert using <= named
    assert all(path.is_file() for path in named)


def test_a_function_of_another_module_is_refused() -> None:
    def stray(_: int) -> int:
        return 1

    with pytest.raises(AssertionError, match="has to be in SOURCES"):
        compiled_part(stray)


@pytest.mark.usefixtures("forgotten")
def test_other_sources_have_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOKEEP_CACHE", str(tmp_path))
    first = compiled._place()
    assert first is not None
    assert first.parent == tmp_path / "compiled"
    monkeypatch.setattr(compiled, "SOURCES", SOURCES[1:])
    compiled._place.cache_clear()
    assert compiled._place() != first


@pytest.mark.usefixtures("forgotten")
def test_where_nothing_can_be_kept_it_goes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NEOKEEP_CACHE", str(tmp_path / "file"))
    assert compiled._place() is None
    with compiled._kept() as keeping:
        assert keeping is False


@pytest.mark.slow
def test_a_place_that_is_no_directory_does_not_stop_the_code_from_working(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    program = (
        "import numpy as np; from neokeep.neo4j.recovery.pages import scatter\n"
        "out = np.zeros(4, np.uint8)\n"
        "scatter(np.arange(4, dtype=np.uint8), np.array([1]), out, np.array([2]), 2)\n"
        "print(out.tolist())\n"
    )
    environment = {**os.environ, "NEOKEEP_CACHE": str(tmp_path / "file")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 0, 1, 2]\n"
