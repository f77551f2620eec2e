"""Where neokeep keeps what it fetched and can fetch again: Neo4j distributions and Java runtimes.

`$NEOKEEP_CACHE`, else `$XDG_CACHE_HOME/neokeep`, else `~/.cache/neokeep`. Entries come into being whole: they are
made in a scratch directory beside their place and renamed, and one lock per entry keeps two makers apart.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def cache_directory() -> Path:
    """Return the directory of the cache; it may not exist yet."""
    own = os.environ.get("NEOKEEP_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared).expanduser() if shared else Path.home() / ".cache").absolute() / "neokeep"


@contextlib.contextmanager
def entry_locked(entry: Path) -> Iterator[None]:
    """Hold the lock of one entry; who waits for it finds the entry made by the other."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(entry.parent / f".{entry.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def entry_made(entry: Path) -> Iterator[Path]:
    """Give a scratch directory that takes the entry's place when the block ends well, and vanishes when it does not.

    Call it with the entry's lock held: an entry that is in the way is half-made and is thrown away.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        if entry.exists():
            shutil.rmtree(entry)
        scratch.rename(entry)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
