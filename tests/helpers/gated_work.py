"""The work of a check's part that waits for a file, so that a test can end processes while parts are being done.

And work that ends the process that does it.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from neokeep.consistency.proof import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.consistency.proof.part import Part
    from neokeep.consistency.proof.plan import Work
    from neokeep.consistency.state import Known

GATE, BEGUN = "gate", "begun"
real_work = spread.work_on


def gated_work(store: spread.Shared, known: Known, task: Sequence[Work]) -> list[Part | None]:
    """Say that work has begun, wait until the gate is open, and do the work."""
    (store.directory / BEGUN).touch()
    while not (store.directory / GATE).exists():
        time.sleep(0.01)
    return real_work(store, known, task)


def deadly_work(store: spread.Shared, known: Known, task: Sequence[Work]) -> list[Part | None]:
    """End the worker."""
    os.kill(os.getpid(), signal.SIGKILL)
    return real_work(store, known, task)
