"""Asking several repositories, one after the other: each of them, or only the first that has an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from neokeep import reports
from neokeep.errors import NeokeepError
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neokeep.repository.repository import Repository

    Openers = Sequence[tuple[str, Callable[[], Repository]]]

Report = TypeVar("Report", reports.InfoReport, reports.VerifyReport)
Answer = TypeVar("Answer")


def ask_each(openers: Openers, ask: Callable[[Repository], Report]) -> Report:
    """Give the answer of the first that has one, with those of the others in it and what went wrong with any.

    One that lacks the backup that was asked for is passed over, as long as another one has it.

    Raises what went wrong with one of them, where none has an answer.
    """
    answers: list[Report] = []
    failures: list[reports.Failure] = []
    problems: list[NeokeepError] = []
    for url, open_it in openers:
        try:
            answers.append(ask(open_it()))
        except NeokeepError as problem:
            problems.append(problem)
            if not isinstance(problem, ObjectMissing):
                failures.append(
                    reports.Failure(subject=url, kind=problem.kind, message=problem.message, remedy=problem.remedy)
                )
    if not answers:
        raise _telling(problems)
    return replace(answers[0], others=tuple(answers[1:]), failures=tuple(failures))


def ask_first(openers: Openers, ask: Callable[[Repository], Answer]) -> Answer:
    """Give the first answer that there is.

    Raises what went wrong with one of them, where none has an answer.
    """
    problems: list[NeokeepError] = []
    for _, open_it in openers:
        try:
            return ask(open_it())
        except NeokeepError as problem:
            problems.append(problem)
    raise _telling(problems)


def _telling(problems: Sequence[NeokeepError]) -> NeokeepError:
    """Choose what to say: that one lacks a backup tells least."""
    return next((problem for problem in problems if not isinstance(problem, ObjectMissing)), problems[0])
