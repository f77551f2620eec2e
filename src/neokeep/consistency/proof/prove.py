"""Proving that a store is whole: the parts of a plan, and whether they agree in the end.

Threads take parts as they come: compiled code lets the others run meanwhile. Memory is that of State and, for each
thread, some 40 MB.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from neokeep.consistency.groups import check_groups
from neokeep.consistency.marks import PagesTaken
from neokeep.consistency.proof.part import prove_part
from neokeep.consistency.schema import check_schema, check_tokens
from neokeep.consistency.state import MET_STORES
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.consistency.proof.part import Part
    from neokeep.consistency.proof.plan import Work
    from neokeep.consistency.state import State
    from neokeep.progress import Progress


class Proof:
    """What the parts said so far. `state` has claims, and the degrees of groups, of all parts that were added."""

    def __init__(self, state: State) -> None:
        """Begin with a state that claims."""
        self.state = state
        self.nodes = 0
        self.relationships = 0
        self.doubtful = False

    def add(self, part: Part | None) -> None:
        """Take what a part says, in any order; None is one that is not whole."""
        if part is None:
            self.doubtful = True
            return
        self.state.claims.merge(part.sums)
        self.nodes += part.nodes
        self.relationships += part.relationships
        self.state.group_degrees.reshape(-1)[part.members] += part.times

    def begin(self) -> None:
        """Look at what is small, and name the tokens, which parts need."""
        check_tokens(self.state)
        check_schema(self.state)

    def holds(self) -> bool:
        """Tell, when all parts were added, whether the store is whole."""
        if not self.doubtful:
            check_groups(self.state)
        return not self.doubtful and not self.state.findings.counts and self.state.claims.agree


def prove(state: State, parts: Iterable[Work], *, jobs: int, progress: Progress) -> Proof:
    """Do the work on threads; it ends early where anything is not whole."""
    proof, pending, taking = Proof(state), iter(parts), threading.Lock()
    proof.begin()
    # Threads share what they have read: nothing is read twice but for where chains lie apart.
    state.pages_taken = PagesTaken({store: state.tables[store].page_count for store in MET_STORES})

    def work(stopping: threading.Event) -> None:
        while not (stopping.is_set() or proof.doubtful):
            with taking:
                some = next(pending, None)
            if some is None:
                return
            part = prove_part(state, some)
            with taking:
                proof.add(part)
                progress.advance(some.bytes)

    run_workers(work, jobs)
    return proof
