#!/usr/bin/env python3
"""Take out one safeguard of neokeep after the other and show that a test notices each: `make mutate`.

A safeguard is an fsync, a comparison of a hash, checksum or chain, or what makes a name be taken only if it is free.
Each is found in the syntax tree, taken out in a copy of the project, and the tests that stand nearest run on that copy
until one fails. The copy is a scratch directory; the checkout stays as it is. Ends with 1 when a mutant survived.

    mutate.py [--list] [--jobs N] [WORDS ...]      WORDS: only sites whose place or text holds one of them
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/neokeep"

FSYNC, COMPARISON, IF_ABSENT = "fsync", "comparison", "create-if-absent"
PROVING = re.compile(
    r"blake3\(|crc32c?\(|checksum|\bhash\b|\bidentity\b(?!\.)|\bdigest\b|index_name\(|unlinked\(|block_id\(|sealed\(\)"
)
"""What one side of a comparison mentions when the comparison proves bytes or a chain."""

CALLS = (
    (FSYNC, re.compile(r"(?:await )?(?:[\w.]+\.)?_?(?:fsync\w*|sync)\(.*\)", re.DOTALL), "pass"),
    (IF_ABSENT, re.compile(r"os\.link\(([^,]*), ([^,]*)\)"), r"(\2.unlink(missing_ok=True), os.link(\1, \2))"),
    (IF_ABSENT, re.compile(r"rename_new\((.*), (.*)\)"), r"os.rename(\1, \2)"),
    (IF_ABSENT, re.compile(r"sftp\.(?:link|rename)\((.*), (.*)\)"), r"sftp.posix_rename(\1, \2)"),
    (IF_ABSENT, re.compile(r"(obstore\.put\(.*)mode='create'(.*)\)"), r"\1mode='overwrite'\2)"),
)
"""Calls that are safeguards: of which kind, how they are written, and what takes their place."""

AREAS = (
    "repository",
    "encryption",
    "copies",
    "restore",
    "storage",
    "image",
    "neo4j/log",
    "neo4j/recovery",
    "neo4j/store",
    "capture",
)
NO_SAFEGUARD = (
    "capture/copying.py", "encryption/keyring.py", "repository/fetch.py", "repository/lease.py",
)  # fmt: skip
"""Here comparisons of identities find things; nothing is proven by them."""

# The nearest tests of a module first; a mutant that they let live meets the others.
NEAREST = {
    "storage/local.py": ("tests/storage/test_local_storage.py", "tests/storage", "tests/faults"),
    "storage/sftp.py": ("tests/storage/test_sftp.py", "tests/storage"),
    "storage": ("tests/storage",),
    "repository": ("tests/repository", "tests/faults", "tests/capture", "tests/restore"),
    "restore": ("tests/restore", "tests/faults"),
    "encryption": ("tests/encryption",),
    "copies": ("tests/copies", "tests/restore", "tests/faults"),
    "export": ("tests/export/test_target.py", "tests/export"),
    "image": ("tests/image", "tests/restore"),
    "artifact": ("tests/artifact", "tests/faults"),
    "server_files": ("tests/server_files", "tests/faults"),
    "neo4j": ("tests/neo4j", "tests/capture", "tests/restore"),
    "capture": ("tests/capture", "tests/faults"),
    "files.py": ("tests/test_files.py", "tests/storage/test_local_storage.py", "tests/restore", "tests/faults"),
}

FAILED, NOTHING_TO_RUN = 1, 5
"""What pytest ends with. Anything else but 0 is no verdict: a test that cannot be loaded notices nothing."""

POWER_LOSS = {
    "storage": "tests/faults/test_power_loss_of_repositories.py",
    "restore": "tests/faults/test_power_loss_of_restores.py",
    "artifact": "tests/faults/test_power_loss_of_restores.py",
    "files.py": "tests/faults/test_power_loss_of_restores.py",
}


@dataclass(frozen=True, slots=True)
class Site:
    """One safeguard: which file, which stretch of it (byte offsets), its text, and what takes its place."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    text: str
    replacement: str

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.path}:{self.line} {self.kind}: {' '.join(self.text.split())[:90]}"


def find_sites(path: str, source: str) -> Iterator[Site]:
    """Find the safeguards of a module; `path` is relative to the package."""
    data = source.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    compares = path.startswith(AREAS) and path not in NO_SAFEGUARD
    for node in ast.walk(ast.parse(source)):
        found = _safeguard(node, compares=compares)
        if found is None or not isinstance(node, (ast.expr, ast.stmt)):
            continue
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        kind, replacement = found
        yield Site(path, node.lineno, kind, start, end, data[start:end].decode(), replacement)


def _safeguard(node: ast.AST, *, compares: bool) -> tuple[str, str] | None:
    """Say of which kind a safeguard is and what it is without it; None for anything else."""
    if not isinstance(node, (ast.expr, ast.stmt)):
        return None
    text = ast.unparse(node)
    for kind, pattern, without in CALLS:
        if isinstance(node, ast.Expr if kind == FSYNC else ast.Call) and (call := pattern.fullmatch(text)):
            return kind, call.expand(without)
    if compares and isinstance(node, ast.Compare) and len(node.ops) == 1 and PROVING.search(text):
        if isinstance(node.ops[0], ast.NotEq):
            return COMPARISON, "False"
        if isinstance(node.ops[0], ast.Eq):
            return COMPARISON, "True"
    return None


def mutated(source: str, site: Site) -> str:
    """Return a module without one safeguard."""
    data = source.encode()
    return (data[: site.start] + site.replacement.encode() + data[site.end :]).decode()


def all_sites(root: Path) -> list[Site]:
    """Find the safeguards of the whole project."""
    package = root / PACKAGE
    paths = [path for path in sorted(package.rglob("*.py")) if not path.is_relative_to(package / "lab")]
    return [site for path in paths for site in find_sites(str(path.relative_to(package)), path.read_text())]


def tests_for(site: Site) -> tuple[str, ...]:
    """Name the tests that stand nearest to a safeguard."""
    nearest = next((tests for place, tests in NEAREST.items() if site.path.startswith(place)), ("tests",))
    power = tuple(test for place, test in POWER_LOSS.items() if site.path.startswith(place) and site.kind == FSYNC)
    own = sorted(str(test.relative_to(ROOT)) for test in ROOT.glob(f"tests/**/test_{Path(site.path).stem}*.py"))
    return (*own, nearest[0], *power, *nearest[1:])


def killer_of(site: Site, copy: Path) -> str:
    """Run the tests on a copy without the safeguard; the first test that fails, or nothing."""
    module = copy / PACKAGE / site.path
    whole = module.read_text()
    module.write_text(mutated(whole, site))
    try:
        for tests in tests_for(site):
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "--no-header",
                "-m",
                "not real",
                "-p",
                "no:cacheprovider",
            ]
            environment = os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
            ran = subprocess.run(
                [*command, tests], cwd=copy, env=environment, capture_output=True, text=True, check=False
            )
            if ran.returncode == FAILED:
                failed = re.search(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)
                return failed[1] if failed else "a test"
            if ran.returncode not in (0, NOTHING_TO_RUN):
                sys.exit(f"{tests} cannot be run, so it proves nothing:\n{ran.stdout}{ran.stderr}")
    finally:
        module.write_text(whole)
    return ""


def main() -> int:
    """Take out each safeguard that was asked for; say which are noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--list", action="store_true", help="name the safeguards and run nothing")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    sites = [site for site in all_sites(ROOT) if not options.words or any(word in site.title for word in options.words)]
    if options.list:
        print("\n".join(site.title for site in sites))
        return 0
    with tempfile.TemporaryDirectory(prefix="neokeep-mutate-") as scratch:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            copy = Path(scratch) / str(number)
            for name in ("src", "tests", "tools", "docs", "pyproject.toml"):
                source = ROOT / name
                (shutil.copytree if source.is_dir() else _copy_file)(source, copy / name)
            copies.put(copy)

        def attempt(site: Site) -> str:
            copy, began = copies.get(), time.monotonic()
            try:
                killer = killer_of(site, copy)
            finally:
                copies.put(copy)
            print(f"{'noticed ' if killer else 'SURVIVED'}  {site.title}", flush=True)
            print(f"          {killer or 'no test failed'}  ({time.monotonic() - began:.0f} s)", flush=True)
            return killer

        with ThreadPoolExecutor(options.jobs) as pool:
            killers = list(pool.map(attempt, sites))
    survived = [site for site, killer in zip(sites, killers, strict=True) if not killer]
    print(f"\n{len(sites)} safeguards taken out one at a time: {len(sites) - len(survived)} noticed")
    for site in survived:
        print(f"SURVIVED  {site.title}")
    return 1 if survived else 0


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


if __name__ == "__main__":
    sys.exit(main())
