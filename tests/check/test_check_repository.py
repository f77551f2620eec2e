"""What `check` tells of a repository's storage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import new_repository
from helpers.storages import MemoryStorage, Wrapped
from neokeep.check import repository as repository_checks
from neokeep.errors import AccessError, ClockError
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from neokeep.reports import Finding
    from neokeep.storage.base import Storage


def found(monkeypatch: pytest.MonkeyPatch, storage: Storage) -> list[Finding]:
    monkeypatch.setattr(repository_checks, "open_repository", lambda _place: Repository.open(storage))
    return list(repository_checks.check_repository("somewhere", None))


def test_of_a_good_place_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {finding.status for finding in found(monkeypatch, new_repository()[1])} == {"ok"}


@pytest.mark.parametrize(("minutes", "status"), [(2, "ok"), (5, "warning"), (-5, "warning"), (60, "error")])
def test_a_clock_that_is_off_is_a_warning_and_far_off_an_error(
    monkeypatch: pytest.MonkeyPatch, minutes: int, status: str
) -> None:
    storage = new_repository()[1]
    storage.now = lambda: datetime.now(UTC) + timedelta(minutes=minutes)
    findings = found(monkeypatch, storage)
    assert ({finding.status for finding in findings} - {"ok"} or {"ok"}) == {status}
    assert [finding.kind for finding in findings if finding.status == "error"] == [ClockError.kind] * (
        status == "error"
    )


def test_what_a_place_says_of_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(MemoryStorage):
        def caveats(self) -> tuple[str, ...]:
            return ("it is a bit odd",)

    storage = Plain()
    Repository.create(storage)
    (warning,) = (finding for finding in found(monkeypatch, storage) if finding.status == "warning")
    assert warning.message == "it is a bit odd"


def test_a_place_that_never_deletes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def before(operation: str, _name: str) -> None:
        if operation == "delete":
            raise AccessError("never")

    (warning,) = (
        finding for finding in found(monkeypatch, Wrapped(new_repository()[1], before)) if finding.status == "warning"
    )
    assert "cannot be removed" in warning.message
