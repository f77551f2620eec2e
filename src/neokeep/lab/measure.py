"""Measuring whole processes and printing the figures side by side."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


# A process begins with the peak memory of the one that started it, so a small one starts what is measured.
_LAUNCHER = """
import os, subprocess, sys, time
output, durable = int(sys.argv[1]), sys.argv[2] == "durable"
began = time.monotonic()
process = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
_, status, usage = os.wait4(process.pid, 0)
if durable:
    os.sync()
print(time.monotonic() - began, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process: wall seconds, peak resident bytes."""

    seconds: float
    peak: int


def measured(command: list[str], environment: Mapping[str, str] | None = None, *, durable: bool = False) -> Run:
    """Run a command to its end, or until what it wrote is on the disk; its output is shown only when it fails."""
    # What the one before left to be written would be paid by this one.
    os.sync()
    with tempfile.TemporaryFile() as output:
        told = subprocess.run(
            [sys.executable, "-S", "-c", _LAUNCHER, str(output.fileno()), "durable" if durable else "ended", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=[output.fileno()],
            check=True,
        )
        seconds, peak, status = told.stdout.split()
        if int(status):
            output.seek(0)
            sys.exit(f"{command} failed:\n{output.read().decode(errors='replace')[-3000:]}")
    return Run(float(seconds), int(peak) * 1024)


def neokeep(*arguments: str, environment: Mapping[str, str] | None = None) -> Run:
    """Run a neokeep command."""
    return measured([sys.executable, "-m", "neokeep", *arguments, "--quiet"], environment)


def size_of(directory: Path) -> int:
    """Add up the sizes in bytes of all files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def print_table(title: str, rows: Mapping[str, tuple[list[Run], str]]) -> None:
    """Print for each row the median of its runs, the highest peak, every single value, and its note."""
    print(f"{title:<28} {'seconds':>8} {'peak memory':>12}")
    for name, (runs, note) in rows.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = format_size(max(run.peak for run in runs))
        print(f"  {name:<26} {seconds:8.2f} {peak:>12}   {listed([run.seconds for run in runs])}  {note}")


def print_ratio(name: str, first: list[Run], second: list[Run]) -> None:
    """Print how many times longer the first took, by medians."""
    ratio = statistics.median(run.seconds for run in first) / statistics.median(run.seconds for run in second)
    print(f"  {name:<26} {ratio:7.1f}x\n", flush=True)


def listed(values: list[float]) -> str:
    """Write values in a row."""
    return "[" + " ".join(f"{value:.2f}" if value < 100 else f"{value:.0f}" for value in values) + "]"
