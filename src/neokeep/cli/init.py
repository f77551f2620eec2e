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

    settings = call.settings
    repository = api.init(
        settings.place(),
        recipients=settings.files("recipient"),
        writer_recipients=settings.files("writer_recipient"),
    )
    report = InitReport(
        repository=repository.storage.url,
        repository_id=repository.config.repository_id,
        format=repository.config.format,
        encrypted=repository.encrypted,
    )
    return Outcome(report, partial(show, report))


def show(report: InitReport, page: Page) -> None:
    page.line(f"There is a new repository in {report.repository} (id {report.repository_id}).")
    if report.encrypted:
        page.line("It is encrypted. If all of its keys are lost, so is every backup: keep one in a second safe place.")
    else:
        page.line("It is not encrypted: whoever can read that place can read the backups.")
    page.line(f"Next: neokeep backup --home NEO4J_HOME --repo {report.repository}")


COMMANDS = (
    Command(
        "init",
        "Make a new repository.",
        "Make a new repository in a directory that is empty or does not exist yet. Choose a disk that is not the "
        "database's own, and on which nothing else changes the files. With a passphrase, an identity or recipients it "
        "is encrypted; that cannot be changed later.",
        (
            "neokeep init --repo /backup/neo4j",
            "neokeep init --repo /backup/neo4j --passphrase-file /etc/neokeep/passphrase",
            "neokeep init --repo /backup/neo4j --recipient admin.pem.pub --writer-recipient host.pem.pub",
        ),
        run,
    ),
)
