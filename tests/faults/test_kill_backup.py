"""A backup that is killed at any call harms nothing: not the older backups, not the repository, not the next backup."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, put_back, take
from helpers.calls import recorded
from helpers.database import Synthetic, make_database, some_bytes, write_tree
from helpers.victim import Victim, steps
from neokeep.repository.open import init_repository, open_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.faults
CHANGED = {"neostore.nodestore.db": some_bytes(77, 300_000), "tools/metrics": b"changed"}
LABEL = "neo4j-20300101-000000F"
Content = tuple[dict[str, bytes], dict[str, bytes]]


@pytest.fixture
def victim() -> Iterator[Victim]:
    """A process that does what it is told, until it is killed."""
    process = Victim()
    yield process
    process.close()


def changed(made: Synthetic) -> Synthetic:
    made.store |= CHANGED
    write_tree(made.store_directory, CHANGED)
    return made


def labels(repository: Path) -> list[str]:
    return [item.label for item in open_repository(str(repository)).manifests()]


def restores_to(repository: Path, label: str, home: Path, wanted: Content) -> None:
    put_back(open_repository(str(repository)), home, label)
    assert content(home) == wanted
    shutil.rmtree(home)


def test_whatever_call_it_is_killed_at(tmp_path: Path, victim: Victim) -> None:
    base, made = tmp_path / "base", make_database(tmp_path / "home")
    first = take(made, init_repository(str(base))).label
    old = (dict(made.store), expected(made)[1])
    new = expected(changed(made))
    shutil.copytree(base, tmp_path / "whole")
    calls = victim.calls_of("backup", tmp_path / "whole", made.home, label=LABEL, pack_size=70_000)
    assert calls > 20
    existed: list[bool] = []
    for step in steps(calls):
        place = tmp_path / "killed"
        shutil.copytree(base, place)
        answer = victim.order("backup", place, made.home, label=LABEL, pack_size=70_000, kill_at=step)
        assert answer == "killed" or answer.startswith("done")
        existed.append(LABEL in labels(place))
        assert set(labels(place)) <= {first, LABEL}
        report = check(open_repository(str(place)))
        assert report.ok, (step, report)
        restores_to(place, first, tmp_path / "restored", old)
        if existed[-1]:
            restores_to(place, LABEL, tmp_path / "restored", new)
        following = take(made, open_repository(str(place)))
        restores_to(place, following.label, tmp_path / "restored", new)
        assert check(open_repository(str(place))).ok
        shutil.rmtree(place)
    assert existed[0] is False
    assert existed[-1] is True
    assert existed == sorted(existed)


def test_the_manifest_comes_after_everything_that_it_needs_is_durable(tmp_path: Path) -> None:
    repository = init_repository(str(tmp_path / "repository"))
    made = make_database(tmp_path / "home")
    with recorded() as calls:
        label = take(made, repository, jobs=1).label
    manifest = str(tmp_path / "repository" / "backups" / label)
    links = [(at, path) for at, (name, path) in enumerate(calls) if name == "link"]
    assert links[-1][1] == manifest
    assert calls[-1] == ("fsync", str(Path(manifest).parent))
    names = [path for _, path in links]
    assert [path for path in names if "/packs/" in path]
    assert [path for path in names if "/index/" in path]
    for number, (at, path) in enumerate(links):
        until = links[number + 1][0] if number + 1 < len(links) else len(calls)
        assert ("fsync", str(Path(path).parent)) in calls[at:until], f"{path} is not durable before what follows it"
        since = links[number - 1][0] if number else 0
        scratch = [
            path for name, path in calls[since:at] if name == "fsync" and "/tmp/" in path.removeprefix(str(tmp_path))
        ]
        written = [
            path for name, path in calls[since:at] if name == "pwrite" and path.startswith(str(tmp_path / "repository"))
        ]
        assert set(written) <= set(scratch), "written and not fsynced"
        assert scratch


@pytest.mark.parametrize("same", [True, False])
def test_two_backups_at_the_same_time_in_the_same_second_both_succeed(tmp_path: Path, same: bool) -> None:
    place = tmp_path / "repository"
    init_repository(str(place))
    homes = [make_database(tmp_path / "one"), make_database(tmp_path / "other")]
    if not same:
        changed(homes[1])
    answers: list[str] = []
    together = threading.Barrier(2)

    def back_up(made: Synthetic) -> None:
        process = Victim()
        together.wait()
        answers.append(process.order("backup", place, made.home, label=LABEL))
        process.close()

    threads = [threading.Thread(target=back_up, args=(made,)) for made in homes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer.startswith("done") for answer in answers), answers
    assert labels(place) == [LABEL, LABEL.replace("00F", "01F")] or labels(place) == [
        LABEL.replace("00F", "01F"),
        LABEL,
    ]
    repository = open_repository(str(place))
    assert check(repository).ok
    restored = []
    for name in labels(place):
        put_back(repository, tmp_path / name, name)
        restored.append(content(tmp_path / name))
    one, other = (expected(made) for made in homes)
    assert restored in ([one, other], [other, one])
