"""Try things on a real Neo4j of your own: fetch any version, run it in a directory, load data, run its admin tool.

Such a server has authentication and HTTP off and listens on a free port of 127.0.0.1 only. Loading data needs the
driver: pip install 'neokeep[lab]'.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import IntegrityError, SourceError, UsageError
from neokeep.units import format_duration

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.lab.recovery_report import RecoveryComparison
    from neokeep.neo4j.server import Server

SUMMARY = "Run real Neo4j servers to try things on."


class LabDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """A version of Neo4j that is in the cache."""

    version: str
    lib: str


class LabVersions(msgspec.Struct, frozen=True, kw_only=True):
    """Every version in the cache."""

    cache: str
    versions: tuple[LabDistribution, ...]


class LabServer(msgspec.Struct, frozen=True, kw_only=True):
    """The server of a lab home. `clean_stop` is False after a stop that needed force, None otherwise."""

    home: str
    version: str
    running: bool
    pid: int | None
    bolt_uri: str
    clean_stop: bool | None = None


class LabLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: a sample graph of so many nodes and relationships, or so many transactions."""

    home: str
    nodes: int | None = None
    relationships: int | None = None
    transactions: int | None = None
    seconds: float | None = None


class LabAdmin(msgspec.Struct, frozen=True, kw_only=True):
    """One run of Neo4j's admin tool."""

    home: str
    status: int
    output: str
    seconds: float


def fetch(call: Call) -> Outcome:
    from neokeep.lab.fetch import fetch as fetch_version

    found = fetch_version(call.argument("version"), call.progress.say)
    report = LabDistribution(version=found.version, lib=str(found.lib))
    return Outcome(report, lambda page: page.line(f"Neo4j {report.version} is in {report.lib}"))


def versions(call: Call) -> Outcome:  # noqa: ARG001  every command is called alike
    from neokeep.lab.fetch import is_whole
    from neokeep.neo4j.cache import cache_directory
    from neokeep.neo4j.java import release_of

    cache = cache_directory() / "neo4j"
    entries = [entry for entry in cache.glob("[0-9]*") if is_whole(entry)]
    report = LabVersions(
        cache=str(cache),
        versions=tuple(
            LabDistribution(version=entry.name, lib=str(entry / "lib"))
            for entry in sorted(entries, key=lambda entry: release_of(entry.name))
        ),
    )
    return Outcome(report, partial(_show_versions, report), answer=True)


def create(call: Call) -> Outcome:
    from neokeep.lab.home import create_home

    settings: dict[str, str] = {}
    for setting in call.list_of("settings"):
        name, equals, value = setting.partition("=")
        if not (name and equals):
            raise UsageError(
                f"{setting!r} is no setting", remedy="Write NAME=VALUE, such as db.checkpoint.interval.time=1s"
            )
        settings[name] = value
    server = create_home(Path(call.argument("home")), call.argument("version"), settings, call.progress.say)
    return _about(server)


def start(call: Call) -> Outcome:
    server = _server(call)
    call.progress.say(f"starting {server}")
    server.start()
    return _about(server)


def stop(call: Call) -> Outcome:
    server = _server(call)
    if not server.is_running:
        return _about(server)
    call.progress.say(f"stopping {server}")
    return _about(server, clean_stop=server.stop())


def status(call: Call) -> Outcome:
    return _about(_server(call), answer=True)


def load(call: Call) -> Outcome:
    server = _server(call)
    if not server.is_running:
        raise SourceError(f"{server} is not running", remedy=f"Start it: neokeep lab start {server.home}")
    duration = call.settings.number("during")
    report = _sample(call, server) if duration is None else _workload(call, server, duration)
    return Outcome(report, partial(_show_load, report))


def admin(call: Call) -> Outcome:
    from neokeep.neo4j.admin import Admin

    server = _server(call)
    # Many write "--" before the words of another program out of habit; Neo4j's tool does not know it.
    words = call.list_of("words")
    words = words[1:] if words[:1] == ("--",) else words
    ran = Admin(server.distribution, server.home).run(*words)
    report = LabAdmin(home=str(server.home), status=ran.status, output=ran.output, seconds=round(ran.seconds, 3))
    failure = SourceError(
        f"neo4j-admin {' '.join(words)} ended with status {ran.status}", remedy="Read what it printed."
    )
    return Outcome(report, lambda page: page.line(ran.output.rstrip()), failure if ran.status else None, answer=True)


def compare_recovery(call: Call) -> Outcome:
    from neokeep.lab.compare_recovery import compare_recovery as compare

    report = compare(
        call.argument("version"),
        call.settings.number("workloads") or 1,
        call.progress.say,
        seed=call.settings.number("seed"),
    )
    failure = IntegrityError(
        f"native recovery differs from that of Neo4j {report.version}",
        remedy=f"Look at what is in {report.directory}, and report it.",
    )
    return Outcome(report, partial(_show_comparison, report), None if report.same else failure, answer=True)


def _server(call: Call) -> Server:
    from neokeep.lab.home import open_home

    return open_home(Path(call.argument("home")), call.progress.say)


def _about(server: Server, *, clean_stop: bool | None = None, answer: bool = False) -> Outcome:
    report = LabServer(
        home=str(server.home),
        version=server.distribution.version,
        running=server.is_running,
        pid=server.pid,
        bolt_uri=server.bolt_uri,
        clean_stop=clean_stop,
    )
    return Outcome(report, partial(_show_server, report), answer=answer)


def _sample(call: Call, server: Server) -> LabLoad:
    from neokeep.lab.sample import load_sample

    people = call.settings.number("people") or 1
    call.progress.say(f"loading {people} people and all that belongs to them")
    sample = load_sample(server.bolt_uri, people)
    return LabLoad(home=str(server.home), nodes=sample.nodes, relationships=sample.relationships)


def _workload(call: Call, server: Server, duration: int) -> LabLoad:
    import time

    from neokeep.lab.bolt import connected
    from neokeep.lab.workload import Workload

    workload = Workload(server.bolt_uri, writers=call.settings.number("writers") or 1)
    with connected(server.bolt_uri) as session:
        if not session.run("CALL db.labels() YIELD label WHERE label = 'Account' RETURN label"):
            workload.setup()
    call.progress.say(f"{workload.writers} writers at work for {format_duration(duration)}")
    workload.start()
    try:
        deadline = time.monotonic() + duration
        while workload.is_running and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        workload.stop()
    done = workload.throughput
    return LabLoad(home=str(server.home), transactions=done.transactions, seconds=round(done.seconds, 3))


def _show_versions(report: LabVersions, page: Page) -> None:
    if not report.versions:
        page.line("No version of Neo4j is in the cache. Fetch one with: neokeep lab fetch 5.26.30")
    for entry in report.versions:
        page.line(f"{entry.version}  {entry.lib}")


def _show_server(report: LabServer, page: Page) -> None:
    state = f"running (process {report.pid}), {report.bolt_uri}" if report.running else "stopped"
    page.line(f"Neo4j {report.version} at {report.home}: {state}")
    if report.clean_stop is False:
        page.line("It did not stop in time and was killed.")


def _show_load(report: LabLoad, page: Page) -> None:
    if report.transactions is None:
        page.line(f"The graph holds {report.nodes} nodes and {report.relationships} relationships.")
    else:
        page.line(f"{report.transactions} transactions in {format_duration(report.seconds or 0)}")


def _show_comparison(report: RecoveryComparison, page: Page) -> None:
    for workload in report.workloads:
        page.line(
            f"workload {workload.seed}: {workload.records_in_use} records in use, "
            f"{workload.transactions_undone} transactions undone, "
            f"{workload.checkpoints_inside} checkpoints inside the copy, {len(workload.findings) or 'no'} findings"
        )
        for finding in workload.findings:
            page.line(f"  {finding}")


_HOME = Argument("home", "HOME", "The directory of the lab server.")
_VERSION = Argument("version", "VERSION", "A released version of Neo4j Community, such as 5.26.30 or 2026.08.1.")
_SETTINGS = Argument(
    "settings", "NAME=VALUE", "Settings for neo4j.conf, by their names of Neo4j 5.", required=False, many=True
)
_WORDS = Argument("words", "WORDS", "What neo4j-admin is to do.", many=True)

COMMANDS = (
    Command(
        "lab fetch",
        "Fetch a version of Neo4j Community into the cache.",
        "Fetch a version of Neo4j Community, and a Java that fits when there is none, into the cache. Needs Maven.",
        ("neokeep lab fetch 5.26.30",),
        fetch,
        (_VERSION,),
    ),
    Command(
        "lab versions",
        "List the versions in the cache.",
        "List the versions of Neo4j that are in the cache.",
        ("neokeep lab versions",),
        versions,
    ),
    Command(
        "lab create",
        "Make a home for a server.",
        "Make a home for a server of a version, which is fetched when need be. The server is not started.",
        ("neokeep lab create /tmp/lab 5.26.30", "neokeep lab create /tmp/lab 5.26.30 db.checkpoint.interval.time=1s"),
        create,
        (_HOME, _VERSION, _SETTINGS),
    ),
    Command(
        "lab start",
        "Start the server and wait until it serves.",
        "Start the server of a home and wait until it accepts connections. It goes on running when neokeep ends.",
        ("neokeep lab start /tmp/lab",),
        start,
        (_HOME,),
    ),
    Command(
        "lab stop",
        "Stop the server.",
        "Stop the server of a home in order; one that does not stop is killed.",
        ("neokeep lab stop /tmp/lab",),
        stop,
        (_HOME,),
    ),
    Command(
        "lab status",
        "Show whether the server runs, and its address.",
        "Show the version of a lab server, whether it runs, and the address for a driver.",
        ("neokeep lab status /tmp/lab",),
        status,
        (_HOME,),
    ),
    Command(
        "lab load",
        "Write a sample graph, or write without a pause.",
        "Write a sample graph that has one of everything: every property type, every kind of index, dense nodes. With "
        "--during, let writers transfer money between accounts for so long instead, to back up a server at work.",
        ("neokeep lab load /tmp/lab --people 20000", "neokeep lab load /tmp/lab --during 1m --writers 4"),
        load,
        (_HOME,),
    ),
    Command(
        "lab admin",
        "Run Neo4j's own admin tool on a home.",
        "Run neo4j-admin of the server's version on its home, with any words that it takes. The options of neokeep "
        "itself come before the home.",
        ("neokeep lab admin /tmp/lab database check neo4j",),
        admin,
        (_HOME, _WORDS),
        passes_flags_on=True,
    ),
    Command(
        "lab compare-recovery",
        "Compare native recovery with Neo4j's own.",
        "Run random workloads on a server of a version, back each up while it writes, restore it twice, recovered by "
        "Neo4j and natively, and compare the two stores record by record. Neo4j has to take the native one as clean.",
        ("neokeep lab compare-recovery 5.26.30 --workloads 20",),
        compare_recovery,
        (_VERSION,),
    ),
)
