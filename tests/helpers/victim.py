"""A process that backs up, restores or cleans up and is killed in the middle; run as a script by `Victim`.

It imports everything once and forks for each order, so that a walk through all the steps of a command stays quick. An
order is a line of JSON; the answer is a line: `killed`, or `done` with the number of calls that changed files.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent


class Victim:
    """The test's end: gives orders to the process."""

    def __init__(self) -> None:
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def order(self, do: str, repository: Path, home: Path, **options: object) -> str:
        """Have a command done in a process of its own; `kill_at` is the number of the call at which it dies."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"do": do, "repository": str(repository), "home": str(home), **options})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def calls_of(self, do: str, repository: Path, home: Path, **options: object) -> int:
        """Have a command done to its end; return how many calls it made."""
        answer = self.order(do, repository, home, **options)
        assert answer.startswith("done "), answer
        return int(answer.split()[1])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        self._process.stdout.close()


def steps(calls: int, most: int = 40) -> list[int]:
    """Choose at which calls to kill: each, or evenly spread, the first and the last always."""
    stride = max(1, -(-calls // most))
    return sorted({*range(0, calls, stride), *range(max(0, calls - 4), calls)})


def _serve() -> None:
    sys.path.insert(0, str(TESTS))
    for module in (
        "helpers.backups", "helpers.calls", "helpers.following", "neokeep.capture.full", "neokeep.restore.restore",
        "neokeep.repository.collect", "neokeep.repository.expire", "neokeep.artifact.load",
        "neokeep.artifact.ingest",
    ):  # fmt: skip
        importlib.import_module(module)

    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            _die_or_do(json.loads(line), write)
        os.close(write)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read) as pipe:
            told = pipe.read()
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else told or f"ended with status {status}", flush=True)


def _die_or_do(order: dict[str, Any], write: int) -> None:
    """In the forked process: do what was ordered, and die at the call that was named."""
    from helpers.calls import watched

    # Packs are named by their salt too, and each new first level is a directory to make: the same ones every time.
    os.urandom = random.Random(0).randbytes
    made = 0

    def before(_name: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal made
        if made == order.get("kill_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        made += 1

    try:
        with watched(before):
            _do(order)
        told = f"done {made}"
    except BaseException:  # noqa: BLE001  the test is told
        told = "failed " + traceback.format_exc().replace("\n", " | ")
    os.write(write, told.encode())
    os._exit(0)


def _do(order: dict[str, Any]) -> None:
    from helpers.backups import SILENT
    from neokeep.capture import backup
    from neokeep.capture.options import CaptureOptions
    from neokeep.neo4j.source import find_source
    from neokeep.repository import manifest, pack
    from neokeep.restore.restore import restore

    if order["do"] == "load":
        _load(order)
        return
    repository, home = _opened(order), Path(order["home"])
    pack.TARGET_SIZE = order.get("pack_size", pack.TARGET_SIZE)
    if order["do"] == "ingest":
        _ingest(order, repository)
    elif order["do"] == "backup":
        if "label" in order:
            manifest.new_label = lambda *_: order["label"]
        # One thread, so that the calls come in one order and each of them is met once.
        options = CaptureOptions(type=order.get("type", "full"), jobs=1, gentle=False)
        backup.back_up(find_source(home, name="test"), repository, ["neo4j"], options=options, progress=SILENT)
    elif order["do"] == "archive":
        _follow(order)
    elif order["do"] in ("expire", "collect", "rebuild-index"):
        _clean_up(order)
    else:
        restore(
            repository, home, "neo4j", label=order["label"], from_source="test", overwrite=True, jobs=1, progress=SILENT
        )


def _opened(order: dict[str, Any]) -> Any:
    """Open the repository; with the private key that the order names, where it is encrypted."""
    from neokeep.repository.open import open_repository
    from neokeep.storage.place import KeySources, Place

    identity = Path(order["identity"]) if "identity" in order else None
    return open_repository(Place(order["repository"], keys=KeySources(identity_file=identity)))


def _load(order: dict[str, Any]) -> None:
    """Load an archive, which stands in the place of the repository, over what is there."""
    from neokeep import api

    api.load(order["repository"], order["home"], overwrite=True)


def _ingest(order: dict[str, Any], repository: Any) -> None:
    """Ingest an archive, which stands in the place of the home; scratch is where the test says."""
    from neokeep import api

    api.ingest(order["home"], repository, scratch=order["scratch"], jobs=1)


def _clean_up(order: dict[str, Any]) -> None:
    """Remove what is not needed, or make the index anew; without any grace."""
    from helpers.backups import SILENT
    from neokeep.repository.collect import collect
    from neokeep.repository.expire import expire
    from neokeep.repository.expiry import Policy
    from neokeep.repository.reindex import rebuild_index

    repository = _opened(order)
    if order["do"] == "expire":
        expire(repository, Policy(last=1))
    elif order["do"] == "collect":
        collect(repository, grace=timedelta(), repack_below=order.get("repack_below", 0), progress=SILENT)
    else:
        rebuild_index(repository, jobs=1, progress=SILENT)


def _follow(order: dict[str, Any]) -> None:
    """Follow a database for some ticks; what is told goes to a file, one transaction a line, before anything else."""
    from helpers.following import options_of
    from neokeep.archive.follower import Follower
    from neokeep.neo4j.source import find_source
    from neokeep.repository import merging

    merging.MERGE = order["merge"]
    with open(order["told"], "w", encoding="ascii", buffering=1) as told:

        def tell(event: Any) -> None:
            if event.event == "archived":
                told.write(f"{event.last_tx}\n")

        follower = Follower(
            find_source(Path(order["home"]), name="test"),
            "neo4j",
            _opened(order),
            options_of(segment_size=order["segment_size"]),
            tell,
        )
        for _ in range(order["ticks"]):
            follower.tick()
        follower.finish()


if __name__ == "__main__":
    _serve()
