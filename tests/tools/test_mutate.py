"""The script that takes safeguards out finds them where they are, and leaves a module that is right but for one."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parent.parent.parent
SOURCE = """
def store(a, b, c):
    os.fsync(descriptor)
    fsync_directory(a.parent)
    os.link(a, b)
    x = "ü"; return "ß" if blake3(c).digest() != b else crc32c(a) == b
"""


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    return module


def test_every_kind_of_safeguard_is_found(mutate: ModuleType) -> None:
    sites = list(mutate.find_sites("repository/some.py", SOURCE))
    assert sorted(site.kind for site in sites) == sorted(
        [mutate.FSYNC, mutate.FSYNC, mutate.IF_ABSENT, mutate.COMPARISON, mutate.COMPARISON]
    )
    assert {"os.link(a, b)", "fsync_directory(a.parent)", "blake3(c).digest() != b"} <= {site.text for site in sites}


def test_a_comparison_outside_the_modules_that_prove_bytes_is_none(mutate: ModuleType) -> None:
    kinds = {site.kind for site in mutate.find_sites("cli/some.py", SOURCE)}
    assert kinds == {mutate.FSYNC, mutate.IF_ABSENT}


def test_what_is_left_is_the_module_without_one_safeguard(mutate: ModuleType) -> None:
    whole = ast.unparse(ast.parse(SOURCE))
    for site in mutate.find_sites("repository/some.py", SOURCE):
        left = ast.unparse(ast.parse(mutate.mutated(SOURCE, site)))
        assert left != whole
        assert left.count("\n") == whole.count("\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "noticed"),
    [
        ("def test_it() -> None:\n    assert False", "tests/test_files.py::test_it"),
        ("def test_it() -> None:\n    pass", ""),
        ("import nothing_of_this_name", None),
    ],
)
def test_a_test_that_cannot_be_loaded_is_none_that_fails(
    mutate: ModuleType, tmp_path: Path, test: str, noticed: str | None
) -> None:
    site = next(mutate.find_sites("files.py", SOURCE))
    for place in (f"{mutate.PACKAGE}/files.py", *mutate.tests_for(site)):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        if place.endswith(".py"):
            (tmp_path / place).touch()
        else:
            (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = ['real: a server']\n")
    (tmp_path / "tests" / "test_files.py").write_text(test)
    (tmp_path / mutate.PACKAGE / "files.py").write_text(SOURCE)
    if noticed is None:
        with pytest.raises(SystemExit, match="nothing_of_this_name"):
            mutate.killer_of(site, tmp_path)
    else:
        assert mutate.killer_of(site, tmp_path) == noticed
    assert (tmp_path / mutate.PACKAGE / "files.py").read_text() == SOURCE


@pytest.mark.slow
def test_every_safeguard_of_the_project_can_be_taken_out(mutate: ModuleType) -> None:
    sites = mutate.all_sites(ROOT)
    assert {site.kind for site in sites} == {mutate.FSYNC, mutate.COMPARISON, mutate.IF_ABSENT}
    for site in sites:
        ast.parse(mutate.mutated((ROOT / mutate.PACKAGE / site.path).read_text(), site))
        assert all((ROOT / tests).exists() for tests in mutate.tests_for(site))


@pytest.mark.slow
def test_the_list_names_each_with_its_place() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "tools" / "mutate.py", "--list", "storage/local.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "create-if-absent: os.link(scratch, target)" in ran.stdout
