"""Names of log and checkpoint files, and which of them a log directory holds."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from neokeep.files import explain

if TYPE_CHECKING:
    from pathlib import Path

_LOG = re.compile(r"neostore\.transaction\.db\.(\d+)")
_CHECKPOINT = re.compile(r"checkpoint\.(\d+)")


def log_name(version: int) -> str:
    """Name the transaction log file of a version."""
    return f"neostore.transaction.db.{version}"


def checkpoint_name(version: int) -> str:
    """Name the checkpoint file of a version."""
    return f"checkpoint.{version}"


def is_log_name(name: str) -> bool:
    """Tell whether a file of this name belongs into a log directory."""
    return (_LOG.fullmatch(name) or _CHECKPOINT.fullmatch(name)) is not None


def log_versions(directory: Path) -> list[int]:
    """List the versions of the transaction log files in a directory, ascending; empty when there is none."""
    return _versions(directory, _LOG)


def checkpoint_versions(directory: Path) -> list[int]:
    """List the versions of the checkpoint files in a directory, ascending; empty when there is none."""
    return _versions(directory, _CHECKPOINT)


def _versions(directory: Path, pattern: re.Pattern[str]) -> list[int]:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise explain(problem, "list", directory) from problem
    return sorted(int(match[1]) for match in map(pattern.fullmatch, names) if match)
