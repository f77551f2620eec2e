"""Which findings in a store as it lies there are explained by the log that is not in it yet.

Those that are gone once the log is applied. That the log writes a record anew would not be enough to tell: what is
wrong with it may be that a neighbour, which the log does not write, is damaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.findings import KEPT
from neokeep.neo4j.recovery.layout import FILES

if TYPE_CHECKING:
    from neokeep.consistency.findings import Findings
    from neokeep.neo4j.recovery.layout import Store
    from neokeep.neo4j.store.pages import Flags, Numbers


class ExplainedByLog:
    """Tells which records have nothing wrong once the log is applied, by what was found then.

    Where that was so much that not all of it was kept, nothing is explained.
    """

    def __init__(self, left: Findings) -> None:
        self._all_kept = all(count <= KEPT for count in left.counts.values())
        self._left: dict[str, set[int]] = {}
        for one in left.kept:
            self._left.setdefault(one.store, set()).add(one.record)

    def __call__(self, store: Store, records: Numbers) -> Flags:
        """Tell which findings of these records are explained."""
        if not self._all_kept:
            return np.zeros(len(records), np.bool_)
        left = np.fromiter(self._left.get(FILES[store], ()), np.int64)
        return ~np.isin(records, left)
