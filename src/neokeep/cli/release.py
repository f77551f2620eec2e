"""`neokeep release`: let a held backup expire again."""

from __future__ import annotations

from functools import partial

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.hold import show
from neokeep.cli.output import Outcome


def run(call: Call) -> Outcome:
    from neokeep import api

    report = api.release(call.settings.place(), call.argument("label"))
    return Outcome(report, partial(show, report))


COMMANDS = (
    Command(
        "release",
        "Let a held backup expire again.",
        "End all holds of a backup. Nothing is removed by it; the next `neokeep expire` decides.",
        ("neokeep release neo4j-20261122-173015F --repo /backup/neo4j",),
        run,
        (Argument("label", "LABEL", "The backup that is held."),),
    ),
)
