"""Run Neo4j's own admin tool for a home: dump, load, check, import.

The verbs and options differ between 4.x and 5 and later; callers need not know. The database must be stopped, as
Neo4j asks. A run that fails raises with the tool's own words, but a check that finds something is a result.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import SourceError
from neokeep.neo4j.configuration import configuration_directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.neo4j.distribution import Distribution

DEFAULT_HEAP = "1g"


@dataclass(frozen=True, slots=True)
class AdminResult:
    """One run of the admin tool."""

    status: int
    output: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What Neo4j's consistency check found; `inconsistencies` is its own count, 0 when it could not run."""

    status: int
    output: str
    seconds: float
    inconsistencies: int
    report: str

    @property
    def clean(self) -> bool:
        """Whether the check ran and found nothing."""
        return self.status == 0 and self.inconsistencies == 0 and not self.report


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin tool of a distribution, for one home."""

    distribution: Distribution
    home: Path
    heap: str = DEFAULT_HEAP

    def dump(self, database: str, to: Path) -> Path:
        """Write `<database>.dump` into a directory; the file's path."""
        to.mkdir(parents=True, exist_ok=True)
        if self._is_old:
            self._must("dump", f"--database={database}", f"--to={to / database}.dump")
        else:
            self._must("database", "dump", database, f"--to-path={to}")
        return to / f"{database}.dump"

    def load(self, database: str, from_: Path, *, overwrite: bool = False) -> None:
        """Load a database from its archive: a file, or the directory that holds `<database>.dump`."""
        archive = from_ / f"{database}.dump" if from_.is_dir() else from_
        if self._is_old:
            self._must("load", f"--database={database}", f"--from={archive}", *(["--force"] if overwrite else []))
            return
        with tempfile.TemporaryDirectory(prefix="neokeep-") as folder:
            # The tool takes a directory and finds the archive by the database's name, or by its header.
            (Path(folder) / f"{database}{archive.suffix}").symlink_to(archive.absolute())
            flag = f"--overwrite-destination={str(overwrite).lower()}"
            self._must("database", "load", database, f"--from-path={folder}", flag)

    def check(self, database: str) -> CheckResult:
        """Run the consistency check over a database."""
        with tempfile.TemporaryDirectory(prefix="neokeep-") as folder:
            if self._is_old:
                ran = self.run("check-consistency", f"--database={database}", f"--report-dir={folder}")
            else:
                ran = self.run("database", "check", database, f"--report-path={folder}")
            report = "".join(
                path.read_text(encoding="utf-8", errors="replace") for path in sorted(Path(folder).glob("*.report"))
            )
        counted = re.findall(
            r"^\s*Number of errors: (\d+)|total of (\d+) inconsistenc", ran.output + report, re.MULTILINE
        )
        inconsistencies = max((int(number) for pair in counted for number in pair if number), default=0)
        return CheckResult(ran.status, ran.output, ran.seconds, inconsistencies, report)

    def import_full(
        self, database: str, nodes: Iterable[str], relationships: Iterable[str] = (), *options: str
    ) -> AdminResult:
        """Import CSV files into a database that does not exist yet; each group is `[Labels=]header.csv,data.csv`."""
        groups = [*(f"--nodes={group}" for group in nodes), *(f"--relationships={group}" for group in relationships)]
        # Without a place of its own the report lands in the current directory. It stands behind the groups, which
        # would else take the name of the database for one more file.
        report = f"--report-file={self.home / 'logs' / 'import.report'}"
        if self._is_old:
            return self._must("import", f"--database={database}", *groups, *options, report)
        return self._must("database", "import", "full", *groups, *options, report, database)

    def run(self, *arguments: str) -> AdminResult:
        """Run the tool with these arguments; what it prints, both streams together."""
        started = time.monotonic()
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = done.stdout.decode(errors="replace")
        return AdminResult(done.returncode, output, time.monotonic() - started)

    def command(self, *arguments: str) -> list[str]:
        """Compose the command line that runs the tool."""
        options = (f"-Xmx{self.heap}", "-Dfile.encoding=UTF-8")
        return self.distribution.command(self.distribution.admin_class, *arguments, options=options)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the tool finds this home."""
        return {**os.environ, "NEO4J_HOME": str(self.home), "NEO4J_CONF": str(configuration_directory(self.home))}

    @property
    def _is_old(self) -> bool:
        return self.distribution.release < (5,)

    def _must(self, *arguments: str) -> AdminResult:
        result = self.run(*arguments)
        if result.status:
            verb = " ".join(argument for argument in arguments[:3] if not argument.startswith("-"))
            last = "\n".join(result.output.strip().splitlines()[-15:])
            raise SourceError(
                f"neo4j-admin {verb} failed with status {result.status}:\n{last}",
                remedy="See that the database is stopped and that its files can be read.",
            )
        return result
