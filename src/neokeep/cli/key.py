"""Manage the keys of an encrypted repository."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import UsageError
from neokeep.units import format_time

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import KeyInfo, KeyListReport, KeyPairReport, KeyReport

SUMMARY = "Manage the keys of an encrypted repository."


def run_generate(call: Call) -> Outcome:
    from neokeep import api

    report = api.key_generate(call.argument("file"))
    return Outcome(report, partial(show_pair, report))


def run_list(call: Call) -> Outcome:
    from neokeep import api

    report = api.key_list(call.settings.place())
    return Outcome(report, partial(show_list, report), answer=True)


def run_add(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    recipients = settings.files("recipient")
    if len(recipients) > 1:
        raise UsageError("more than one recipient was given", remedy="Add one key after the other.")
    report = api.key_add(
        settings.place(),
        role="writer" if settings.choice("role") == "writer" else "reader",
        name=settings.text("key_name") or "",
        recipient=recipients[0] if recipients else None,
        new=settings.new_passphrase(),
    )
    return Outcome(report, partial(show_change, report))


def run_remove(call: Call) -> Outcome:
    from neokeep import api

    report = api.key_remove(call.settings.place(), call.argument("id"))
    return Outcome(report, partial(show_change, report))


def run_change(call: Call) -> Outcome:
    from neokeep import api

    report = api.key_change_passphrase(call.settings.place(), call.settings.new_passphrase())
    return Outcome(report, partial(show_change, report))


def show_pair(report: KeyPairReport, page: Page) -> None:
    page.line(f"The private key is in {report.private_file}: keep it secret, and a copy of it in a second safe place.")
    page.line(f"The public key is in {report.public_file}: give it to whoever makes or changes the repository.")


def show_list(report: KeyListReport, page: Page) -> None:
    page.line(f"Repository {report.repository} (id {report.repository_id})")
    page.table(("id", "role", "kind", "made", "name"), [_row(key) for key in report.keys])
    for damaged in report.damaged:
        page.line(f"DAMAGED: the key {damaged.subject} cannot be used: {damaged.message}")
        page.line(f"What to do: {damaged.remedy}")


def show_change(report: KeyReport, page: Page) -> None:
    if report.key is not None:
        name = f" ({report.key.name})" if report.key.name else ""
        page.line(f"{report.repository} has a new {report.key.role} key {report.key.id}{name}")
    if report.removed is not None:
        page.line(f"The key {report.removed} is removed. Whoever had used it may know what it opened: that stays so.")


def _row(key: KeyInfo) -> tuple[str, ...]:
    return (key.id, key.role, key.kind, format_time(key.created_at), key.name)


COMMANDS = (
    Command(
        "key generate",
        "Make a pair of keys.",
        "Make an X25519 key pair in PEM, as openssl does: the private key in FILE, the public key in FILE.pub. Neither "
        "file may exist.",
        ("neokeep key generate /etc/neokeep/identity.pem",),
        run_generate,
        (Argument("file", "FILE", "The file for the private key."),),
    ),
    Command(
        "key list",
        "List the keys of a repository.",
        "List the keys of an encrypted repository: a reader can do all, a writer can make backups but not restore "
        "them. No key is needed for it.",
        ("neokeep key list --repo /backup/neo4j",),
        run_list,
    ),
    Command(
        "key add",
        "Add a key to a repository.",
        "Add a key to an encrypted repository, for a public key or for a new passphrase, and prove that it is stored. "
        "A key of the repository is needed; only a reader can add a reader.",
        (
            "neokeep key add --repo /backup/neo4j --identity-file admin.pem --recipient host.pem.pub --role writer",
            "neokeep key add --repo /backup/neo4j --passphrase-file old --new-passphrase-file second",
        ),
        run_add,
    ),
    Command(
        "key remove",
        "Remove a key of a repository.",
        "Remove a key by its id or the begin of it. It opens nothing any more that it did not open before, but whoever "
        "used it may have kept what it opened: backups that were made, and those to come, stay readable to him if he "
        "can read the storage. The last reader key is never removed.",
        ("neokeep key remove 4f1c --repo /backup/neo4j --identity-file admin.pem",),
        run_remove,
        (Argument("id", "ID", "The key, by the id that `neokeep key list` shows, or the begin of it."),),
    ),
    Command(
        "key change-passphrase",
        "Change the passphrase of a repository.",
        "Add a key with the new passphrase, prove that it opens the repository, then remove the one that was used. "
        "Killed at any moment, at least one of the two works.",
        ("neokeep key change-passphrase --repo /backup/neo4j --passphrase-file old --new-passphrase-file new",),
        run_change,
    ),
)
