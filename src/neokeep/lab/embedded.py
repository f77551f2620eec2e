"""Neo4j inside a Java process that stays: databases open, answer, are checked and close in tenths of a second.

A server takes seconds to start; proving recovery takes hundreds of starts. The Java process is a child of one version
that takes an order a line, as JSON, and answers with a line each; what Neo4j prints goes to its standard error.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neokeep.errors import SourceError
from neokeep.lab.home import setting_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from neokeep.neo4j.distribution import Distribution

_HEAP = "768m"
_LONGEST_SECONDS = 600
_POPULATING = (
    "SHOW INDEXES YIELD state, populationPercent "
    "WHERE state = 'POPULATING' AND populationPercent < 100 RETURN count(*) AS number"
)


class EmbeddedNeo4j:
    """One version of Neo4j in a process of its own, for one home at a time."""

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- it is closed with the process
        command = [sys.executable, "-m", "neokeep.lab.embedded", str(distribution.lib), str(distribution.java)]
        self._process = subprocess.Popen(
            [*command, *distribution.java_options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_LONGEST_SECONDS)
        finally:
            self._process.kill()
            # Waits for it and closes the pipes.
            with self._process:
                self._errors.close()

    def run(
        self, home: Path, database: str, statements: Sequence[str] = (), settings: Mapping[str, str] | None = None
    ) -> list[list[dict[str, Any]]]:
        """Open the databases of a home, recovering them, run statements in one of them, and close all in order.

        Where there are statements, all indexes are made first. The rows of each statement are returned: numbers as they
        are, all else as text. Settings are given by their names of Neo4j 5 and later.

        Raises:
            SourceError: the database did not open, or a statement failed.
        """
        wanted = {"server.memory.pagecache.size": "32m", **(settings or {})}
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.writelines(
                f"{setting_name(name, self._distribution.release)}={value}\n" for name, value in wanted.items()
            )
            file.flush()
            order = {"do": "run", "home": str(home), "database": database, "statements": statements}
            rows: list[list[dict[str, Any]]] = self._ask({**order, "settings": file.name})["rows"]
        return rows

    def check(self, home: Path, database: str) -> str | None:
        """Run Neo4j's check over a closed database: None when it is clean, else what it reports."""
        with tempfile.TemporaryDirectory(prefix="neokeep-") as folder:
            old = ["check-consistency", f"--database={database}", f"--report-dir={folder}"]
            new = ["database", "check", database, f"--report-path={folder}"]
            arguments = old if self._distribution.release < (5,) else new
            status = self._ask({"do": "admin", "home": str(home), "arguments": arguments})["status"]
            reports = [path.read_text(encoding="utf-8", errors="replace") for path in Path(folder).glob("*.report")]
        told = "\n".join(reports).strip()
        return told or f"its status is {status}" if status or told else None

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("the process was started with both pipes")
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SourceError(
                f"Neo4j {self._distribution.version}: {answer['error']}", remedy="See the logs folder of its home."
            )
        return answer

    def _ended(self) -> SourceError:
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-15:]
        return SourceError("the Java process ended:\n" + "\n".join(last), remedy="Install neokeep[lab].")


def _serve(lib: Path, java: Path, options: Sequence[str]) -> None:
    import jpype

    machine = next(java.resolve().parent.parent.rglob("libjvm.so"))
    jars = [str(path) for path in sorted(lib.glob("*.jar"))]
    jpype.startJVM(str(machine), *options, f"-Xmx{_HEAP}", "-XX:+UseSerialGC", classpath=jars)
    # What Neo4j prints must not come among the answers.
    system = jpype.JClass("java.lang.System")
    system.setOut(system.err)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = _run(order) if order["do"] == "run" else _admin(order)
        except jpype.JException as problem:
            answer = {"error": str(problem.stacktrace())[:4000]}
        print(json.dumps(answer), flush=True)


def _run(order: dict[str, Any]) -> dict[str, Any]:
    import jpype

    builder = jpype.JClass("org.neo4j.dbms.api.DatabaseManagementServiceBuilder")(_path(order["home"]))
    service = builder.loadPropertiesFromFile(_path(order["settings"])).build()
    try:
        database = service.database(order["database"])
        if not database.isAvailable(60_000):
            return {"error": f"database {order['database']} did not open"}
        # Not db.awaitIndexes: it gives up where one index cannot be made, and waits for ever for that of a constraint
        # which a crash left half made.
        while order["statements"] and _rows(database, _POPULATING)[0]["number"]:
            time.sleep(0.02)
        return {"rows": [_rows(database, statement) for statement in order["statements"]]}
    finally:
        service.shutdown()


def _rows(database: Any, statement: str) -> list[dict[str, Any]]:
    transaction = database.beginTx()
    try:
        found: list[dict[str, Any]] = []
        result = transaction.execute(statement)
        while result.hasNext():
            row = result.next()
            found.append({str(name): _plain(row.get(name)) for name in row.keySet()})
        transaction.commit()
        return found
    finally:
        transaction.close()


def _plain(value: Any) -> Any:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None if value is None else str(value)


def _admin(order: dict[str, Any]) -> dict[str, Any]:
    import jpype

    home = Path(order["home"])
    output = jpype.JClass("java.lang.System").err
    files = jpype.JClass("org.neo4j.io.fs.DefaultFileSystemAbstraction")()
    context = jpype.JClass("org.neo4j.cli.ExecutionContext")(_path(home), _path(home / "conf"), output, output, files)
    return {"status": int(jpype.JClass("org.neo4j.cli.AdminTool").execute(context, order["arguments"]))}


def _path(path: str | Path) -> Any:
    import jpype

    return jpype.JClass("java.nio.file.Path").of(str(path))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
