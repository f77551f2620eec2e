"""What a server may do to its log that ends a chain, and how a follower has to go on after it."""

from __future__ import annotations

import shutil
from itertools import pairwise
from typing import TYPE_CHECKING

from helpers.chains import checkpoint_in_the_last_file, commit_more, span
from helpers.database import make_database, make_logs, neostore_bytes, some_bytes
from helpers.following import Followed
from helpers.txlog import build_log

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic


def some_archived(home: Path) -> Followed:
    """Make a follower that has archived some transactions."""
    found = Followed(make_database(home))
    found.begin()
    commit_more(found.made, 3)
    found.tick()
    return found


def rewrite(made: Synthetic) -> None:
    shutil.rmtree(made.log_directory)
    checkpoint_in_the_last_file(made)


def prune(made: Synthetic) -> None:
    commit_more(made, 2, rotate=True)
    commit_more(made, 2, rotate=True)
    made.logs = made.logs[-1:]
    rewrite(made)


def fork(made: Synthetic) -> None:
    """Other transactions stand under the same ids, at the same places."""
    old = made.logs[-1]
    frame = len(build_log(made.kernel, [b""]).data) - old.header_size
    sizes = [end - begin - frame for begin, end in pairwise(old.boundaries)]
    made.logs[-1] = build_log(
        made.kernel,
        [some_bytes(55 + at, size) for at, size in enumerate(sizes)],
        version=old.version,
        last_before=old.last_before,
        previous_checksum=made.logs[-2].last_checksum,
    )
    rewrite(made)


def lose(made: Synthetic) -> None:
    """What a power loss may do: the last transactions are gone, and their ids are not used again yet."""
    log = made.logs[-1]
    log.last_checksum = span(log, log.last_transaction - 2).checksum
    log.data, log.ends = log.data[: log.ends[-3]], log.ends[:-2]
    rewrite(made)


def replace_store(made: Synthetic) -> None:
    made.store["neostore"] = neostore_bytes(made.kernel, random_id=-78)
    made.logs = make_logs(made.kernel, first=0, last_before=40)
    shutil.rmtree(made.log_directory)
    shutil.rmtree(made.store_directory)
    checkpoint_in_the_last_file(made)


def begins_anew(found: Followed, home: Path) -> None:
    """Prove that a new chain is followed, from a full backup that tells the reason."""
    for _ in range(5):
        found.tick(61)
        found.full_ends()
    assert len(found.told("following")) == 2
    commit_more(found.made, 2)
    found.tick(2)
    assert found.archived >= found.last
    newest = found.told("following")[-1].chain
    assert newest is not None
    assert found.reached(newest) == found.last
    assert found.repository.manifest(newest).reason == found.told("full backup begun")[-1].message
    found.require_restorable(home)
