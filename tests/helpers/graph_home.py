"""A home whose database has the small store, stopped in order, and breaking that in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS
from helpers.database import Synthetic, log_files, make_logs, neostore_bytes, read_tree
from helpers.small_store import unpack
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.breaking import Expected

KERNEL = 20
ENDS = 4


def home_of(directory: Path, *, checkpoint_at: int = ENDS) -> Synthetic:
    """Make a home whose database has the small store, and a log that is in it up to a transaction."""
    store = read_tree(unpack(directory / "unpacked")) | {"neostore": neostore_bytes(KERNEL)}
    logs = make_logs(KERNEL, files=1, each=ENDS)
    log = log_files(logs, checkpoint_at=checkpoint_at)
    return Synthetic(directory / "home", KERNEL, "neo4j", store, logs, log).write()


def break_it(made: Synthetic, name: str) -> Expected:
    """Break the store in the way that is called so."""
    (broken,) = (one for one in BREAKINGS if one.name == name)
    with DirectoryPages(made.store_directory) as pages:
        breaker = Breaker(pages)
        expected = broken.apply(breaker)
    breaker.write(made.store_directory)
    return expected
