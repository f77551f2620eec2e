"""Wrapping the calls that change files: to count them, to record their order, to end everything at one of them."""

from __future__ import annotations

import functools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from neokeep import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANGING = (
    "write", "pwrite", "fsync", "link", "unlink", "rename", "replace", "symlink", "mkdir", "rmdir", "ftruncate",
    "fchmod", "chmod", "chown",
)  # fmt: skip


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it and go on."""


def path_of(target: object) -> str:
    """What a descriptor or a path argument names."""
    if isinstance(target, int):
        return os.readlink(f"/proc/self/fd/{target}")
    return os.fspath(target)  # type: ignore[call-overload,no-any-return]


@contextmanager
def watched(before: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    """Have `before(name, arguments)` called ahead of every call that changes files; it may raise."""

    def wrap(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(inner)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            before(name, arguments)
            return inner(*arguments, **named)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGING:
            patch.setattr(os, name, wrap(name, getattr(os, name)))
        patch.setattr(files, "_renameat2", wrap("renameat2", files._renameat2))
        yield


@contextmanager
def killed_at(number: int) -> Iterator[list[str]]:
    """Raise Killed instead of call `number` (from 0) and of every later one; gives the list of calls made."""
    made: list[str] = []
    dead = False

    def before(name: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal dead
        if dead or len(made) == number:
            dead = True
            raise Killed
        made.append(name)

    with watched(before):
        yield made


@contextmanager
def recorded() -> Iterator[list[tuple[str, str]]]:
    """Record (call, path) of every call that changes files."""
    calls: list[tuple[str, str]] = []

    def before(name: str, arguments: tuple[Any, ...]) -> None:
        calls.append((name, path_of(arguments[1] if name in ("link", "renameat2") else arguments[0])))

    with watched(before):
        yield calls
