"""A made-up store that recovery is due for, and what recovery makes of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from helpers.database import neostore_bytes, read_tree
from helpers.redo_model import Maker, fill, payload, write_logs
from helpers.txlog import build_log, checkpoint_file, checkpoint_record
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.neo4j.recovery.finish import finish
from neokeep.neo4j.recovery.redo import redo
from neokeep.neo4j.store.layout import TREES

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.txlog import BuiltLog

DERIVED = ("schema/index/range-1.0/7/index-7", "schema/index/fulltext-1.0/9/9/segments_3")


class Fuzzy:
    """A store that recovery is due for: derived files, a torn end, an unfinished checkpoint record."""

    def __init__(self, directory: Path, kernel: int) -> None:
        self.store, self.log, self.kernel = directory / "store", directory / "log", kernel
        for folder in (self.store, self.log):
            folder.mkdir(parents=True)
        fill(self.store, random.Random(kernel), aligned=True)
        (self.store / "neostore").write_bytes(neostore_bytes(kernel))
        for name in (*TREES, *DERIVED):
            (self.store / name).parent.mkdir(parents=True, exist_ok=True)
            (self.store / name).write_bytes(b"derived")
        self.logs = self._write_logs()
        record = checkpoint_record(kernel, 0, self.logs[0].ends[1], 3)
        torn = checkpoint_record(kernel, 1, 5000, 9)[:100] + b"\x01" * 300
        (self.log / "checkpoint.0").write_bytes(checkpoint_file(kernel, [record]) + torn)

    def _write_logs(self) -> list[BuiltLog]:
        maker = Maker(self.kernel, random.Random(5))
        first = build_log(self.kernel)
        for _ in range(4):
            first.add(payload(self.kernel, [maker.node(), maker.property(), maker.schema(), maker.relationship()]))
        second = first.next([payload(self.kernel, [maker.relationship(), maker.group()]) for _ in range(3)])
        write_logs(self.log, [first, second])
        path = self.log / "neostore.transaction.db.1"
        path.write_bytes(second.data + bytes([self.kernel, 1, 7, 7, 7]) + bytes(300))
        return [first, second]

    def recover(self) -> None:
        chosen = choose_checkpoint(self.log)
        done = redo(self.store, self.log, chosen.position, aligned=True)
        finish(self.store, self.log, done.parts, done.metadata, chosen.name, len(chosen.content))

    def content(self) -> dict[str, bytes]:
        return {**read_tree(self.store), **read_tree(self.log)}
