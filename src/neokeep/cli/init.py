"""`neokeep init`: make a repository."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import InitReport


def run(call: Call) -> Outcome:
    from neokeep import api
    from neokeep.reports import InitReport

    repository = api.init(call.settings.place())
    report = InitReport(
        repository=repository.storage.url,
        repository_id=repository.config.repository_id,
        format=repository.config.format,
        encrypted="encryption" in repository.config.features,
    )
    return Outcome(report, partial(show, report))


def show(report: InitReport, page: Page) -> None:
    page.line(f"There is a new repository in {report.repository} (id {report.repository_id}).")
    page.line(f"Next: neokeep backup --home NEO4J_HOME --repo {report.repository}")


COMMANDS = (
    Command(
        "init",
        "Make a new repository.",
        "Make a new repository in a directory that is empty or does not exist yet. Choose a disk that is not the "
        "database's own, and on which nothing else changes the files.",
        ("neokeep init --repo /backup/neo4j",),
        run,
    ),
)
