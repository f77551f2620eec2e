"""`restore` from several repositories: the first that has what is wanted gives it, the next takes over where it cannot.

For the newest state all that answer are asked, and the one counts that reaches farthest: a repository whose archiving
was held up must not cost transactions that another one has.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from neokeep.errors import AWAY, IntegrityError, NeokeepError, RepositoryError, UsageError
from neokeep.restore.choose import choose_plan
from neokeep.restore.restore import restore
from neokeep.restore.targets import NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.reports import RestoreReport
    from neokeep.repository.repository import Repository
    from neokeep.restore.targets import Moment, RestorePlan

_FALLS_OVER = (RepositoryError, IntegrityError, *AWAY)
"""What another repository may do better."""


def restore_from_several(
    openers: Sequence[tuple[str, Callable[[], Repository]]],
    home: Path,
    database: str,
    *,
    label: str | None = None,
    from_source: str | None = None,
    moment: Moment = NEWEST,
    progress: Progress,
    **options: Any,
) -> RestoreReport:
    """Restore from the first of several repositories, each given by its name and the way to open it.

    Raises what `restore` raises; where none of them can do it, what the first said that has the backup, else the first.
    """
    troubles = _Troubles(progress)
    opened: list[Repository] = []
    for url, open_it in openers:
        with troubles.noted(url, NeokeepError):
            opened.append(open_it())
    plans: list[tuple[Repository, RestorePlan]] = []
    for repository in opened:
        with troubles.noted(repository.storage.url, UsageError, *_FALLS_OVER):
            plan = choose_plan(
                repository, database.lower(), label=label, from_source=from_source, home=str(home), moment=moment
            )
            plans.append((repository, plan))
    if not plans:
        raise troubles.problems[0]
    ordered = _in_order(plans, newest=label is None and moment == NEWEST)
    if ordered[0] is not plans[0]:
        troubles.note(_farther(*ordered[0], plans[0]))
    before = len(troubles.problems)
    for repository, _ in ordered:
        with troubles.noted(repository.storage.url, *_FALLS_OVER):
            report = restore(
                repository, home, database, label=label, from_source=from_source, moment=moment, progress=progress,
                others=[other for other in opened if other is not repository], **options,
            )  # fmt: skip
            return replace(report, fell_over=(*troubles.notes, *report.fell_over))
    raise troubles.problems[before]


class _Troubles:
    """What went wrong on the way, told at once and in the report."""

    def __init__(self, progress: Progress) -> None:
        self.notes: list[str] = []
        self.problems: list[NeokeepError] = []
        self._progress = progress

    def note(self, text: str) -> None:
        """Tell something that is no failure."""
        self.notes.append(text)
        self._progress.say(text)

    @contextmanager
    def noted(self, url: str, *kinds: type[NeokeepError]) -> Iterator[None]:
        """Go on behind a failure of one repository."""
        try:
            yield
        except kinds as problem:
            self.problems.append(problem)
            self.note(f"{url}: {problem.message}")


def reach(plan: RestorePlan) -> int:
    """Return the last transaction that a plan leads to."""
    return plan.segments[-1].last if plan.segments else plan.base.end.transaction or 0


def _in_order(plans: Sequence[tuple[Repository, RestorePlan]], *, newest: bool) -> list[tuple[Repository, RestorePlan]]:
    """Order by the user's order; for the newest state those of the first one's store by how far they reach."""
    if not newest:
        return list(plans)
    store = plans[0][1].base.store_id
    alike = [item for item in plans if item[1].base.store_id == store]
    return sorted(alike, key=lambda item: -reach(item[1])) + [item for item in plans if item not in alike]


def _farther(repository: Repository, plan: RestorePlan, first: tuple[Repository, RestorePlan]) -> str:
    return (
        f"{first[0].storage.url} reaches transaction {reach(first[1])}; {repository.storage.url} reaches "
        f"{reach(plan)}, so it is restored from there"
    )
