"""Locks are extended object by object: what fails is told, and does not keep the others from it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import AccessError
from neokeep.repository.lease import LeaseLost
from neokeep.repository.locking import extend_locks
from neokeep.repository.removing import MOST_REFUSALS
from neokeep.storage.base import ObjectMissing
from neokeep.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAMES = [f"packs/{number}" for number in range(300)]


class Locking(LocalStorage):
    """A directory that takes locks as a bucket does, and fails where it is told to."""

    def __init__(
        self, path: Path, *, refused: Iterable[str] = (), gone: Iterable[str] = (), locks: bool = True
    ) -> None:
        super().__init__(path)
        self.locks = locks
        self.extended: set[str] = set()
        self._refused, self._gone = set(refused), set(gone)
        self._changing = threading.Lock()

    def extend_lock(self, name: str) -> bool:
        """See ExtendsLocks.extend_lock."""
        if name in self._gone:
            raise ObjectMissing(f"there is no object {name}")
        if name in self._refused:
            raise AccessError(f"{name} may not be locked")
        with self._changing:
            known = name in self.extended
            self.extended.add(name)
        return not known


def test_every_object_is_asked_for_once_and_only_what_was_extended_counts(tmp_path: Path) -> None:
    storage = Locking(tmp_path)
    assert extend_locks(storage, NAMES, lambda: None).count == len(NAMES)
    assert storage.extended == set(NAMES)
    again = extend_locks(storage, NAMES, lambda: None)
    assert (again.count, again.failed) == (0, {})


def test_what_is_refused_is_told_and_the_rest_is_extended(tmp_path: Path) -> None:
    storage = Locking(tmp_path, refused=NAMES[:3], gone=NAMES[3:5])
    done = extend_locks(storage, NAMES, lambda: None)
    assert done.failed == {name: f"{name} may not be locked" for name in NAMES[:3]}
    assert storage.extended == set(NAMES[5:])
    assert done.count == len(NAMES) - 5


def test_a_storage_that_refuses_everything_is_not_asked_for_ever(tmp_path: Path) -> None:
    names = [f"packs/{number}" for number in range(10 * MOST_REFUSALS)]
    done = extend_locks(Locking(tmp_path, refused=names), names, lambda: None)
    assert MOST_REFUSALS <= len(done.failed) < 2 * MOST_REFUSALS


def test_where_no_locks_were_asked_for_nothing_is_locked(tmp_path: Path) -> None:
    storage = Locking(tmp_path, locks=False)
    assert extend_locks(storage, NAMES, lambda: None).count == 0
    assert storage.extended == set()
    assert extend_locks(LocalStorage(tmp_path), NAMES, lambda: None).count == 0


def test_a_lease_that_was_lost_ends_it(tmp_path: Path) -> None:
    storage = Locking(tmp_path)

    def lost() -> None:
        raise LeaseLost("another process took it over")

    with pytest.raises(LeaseLost):
        extend_locks(storage, NAMES, lost)
    assert storage.extended == set()
