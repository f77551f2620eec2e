"""A database is clean where nothing stands behind its newest checkpoint, in whichever file that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.database import log_files, make_logs, write_tree
from neokeep.restore.recover import is_clean

if TYPE_CHECKING:
    from pathlib import Path

KERNELS = [4, 20, 32]


@pytest.mark.parametrize("kernel", KERNELS)
def test_behind_the_last_transaction_of_the_newest_file(tmp_path: Path, kernel: int) -> None:
    write_tree(tmp_path, log_files(make_logs(kernel, files=1, each=3), checkpoint_at=3))
    assert is_clean(tmp_path)


@pytest.mark.parametrize("kernel", KERNELS)
def test_behind_the_last_transaction_of_a_file_after_which_the_log_was_rotated(tmp_path: Path, kernel: int) -> None:
    logs = make_logs(kernel, files=1, each=3)
    logs.append(logs[0].next([]))
    write_tree(tmp_path, log_files(logs, checkpoint_at=3))
    assert is_clean(tmp_path)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("at", [1, 2])
def test_not_before_a_transaction_of_its_own_file(tmp_path: Path, kernel: int, at: int) -> None:
    logs = make_logs(kernel, files=1, each=3)
    for files in (logs, [*logs, logs[0].next([])]):
        write_tree(tmp_path, log_files(files, checkpoint_at=at))
        assert not is_clean(tmp_path)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("later", [[b"one"], [b"one", b"two"]])
def test_not_before_transactions_of_later_files(tmp_path: Path, kernel: int, later: list[bytes]) -> None:
    logs = make_logs(kernel, files=1, each=3)
    logs.append(logs[0].next(later))
    write_tree(tmp_path, log_files(logs, checkpoint_at=3))
    assert not is_clean(tmp_path)
    logs.append(logs[1].next([]))
    write_tree(tmp_path, log_files(logs, checkpoint_at=3))
    assert not is_clean(tmp_path)


def test_not_with_a_newest_file_that_has_no_header(tmp_path: Path) -> None:
    write_tree(tmp_path, log_files(make_logs(20, files=1, each=3), checkpoint_at=3))
    (tmp_path / "neostore.transaction.db.1").write_bytes(bytes(1000))
    assert not is_clean(tmp_path)


@pytest.mark.parametrize("missing", [{0}, {1}, {1, 2}, {0, 1}])
def test_only_where_no_file_is_missing(tmp_path: Path, missing: set[int]) -> None:
    logs = make_logs(20, files=1, each=3)
    logs += [logs[0].next([]), logs[0].next([]).next([])]
    files = log_files(logs, checkpoint_at=3)
    write_tree(tmp_path, {name: data for name, data in files.items() if int(name[-1]) not in missing or name[0] == "c"})
    assert is_clean(tmp_path) is (missing == {1, 2})


def test_not_with_a_checkpoint_of_a_file_to_come(tmp_path: Path) -> None:
    logs = make_logs(20, files=2, each=3)
    write_tree(
        tmp_path,
        log_files(logs[1:], checkpoint_at=3)
        | log_files(logs[:1])
        | {"checkpoint.0": log_files(logs[1:], checkpoint_at=3)["checkpoint.0"]},
    )
    (tmp_path / "neostore.transaction.db.1").unlink()
    assert not is_clean(tmp_path)
