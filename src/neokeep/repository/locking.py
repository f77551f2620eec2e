"""Keeping what kept backups need locked, in a storage that locks objects until a date.

A date is that of one object, and a backup shares blocks with older ones, which were locked when they were stored. So
whoever removes what is not needed moves the dates of what is needed on, of all of it, at each run.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.errors import NeokeepError
from neokeep.repository.removing import MOST_REFUSALS
from neokeep.storage.base import ExtendsLocks, ObjectMissing
from neokeep.storage.layer import innermost
from neokeep.storage.retention import AT_ONCE
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from neokeep.storage.base import Storage


@dataclass(slots=True)
class Extended:
    """How many locks were extended, and the objects of which this failed, with the reason."""

    count: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def extend_locks(storage: Storage, names: Iterable[str], renew: Callable[[], object]) -> Extended:
    """Lock objects for as long as those that are stored now, where the storage was asked to lock at all.

    `renew` is called between them, since many take long. An object that is gone meanwhile is nobody's concern here.

    Raises:
        LeaseLost: by `renew`.
    """
    done = Extended()
    backend = innermost(storage)
    if not isinstance(backend, ExtendsLocks) or not backend.locks:
        return done
    pending = iter(names)
    lock = threading.Lock()

    def work(stopping: threading.Event) -> None:
        while not stopping.is_set():
            with lock:
                name = next(pending, None)
                if name is None or len(done.failed) >= MOST_REFUSALS:
                    return
                renew()
            try:
                extended, reason = backend.extend_lock(name), ""
            except ObjectMissing:
                continue
            except NeokeepError as problem:
                extended, reason = False, problem.message
            with lock:
                done.count += extended
                if reason:
                    done.failed[name] = reason

    run_workers(work, AT_ONCE)
    return done
