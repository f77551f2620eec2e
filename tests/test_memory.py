"""Memory that was freed is used again, without asking the kernel for it each time."""

from __future__ import annotations

import subprocess
import sys

WORK = """
import resource
from neokeep.memory import settle_memory
{settle}
for turn in range(12):
    held = [bytes(3 << 20) for _ in range(8)]
    del held
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(settle: str) -> int:
    told = subprocess.run(
        [sys.executable, "-c", WORK.format(settle=settle)], check=True, capture_output=True, text=True
    )
    return int(told.stdout)


def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    assert faults("settle_memory()") < faults("pass") / 10
