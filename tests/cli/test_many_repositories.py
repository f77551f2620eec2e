"""The command line with several repositories: what is handed on, and how what became of each is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cli import copies, samples
from neokeep import reports
from neokeep.storage.place import Place, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work

    Run = Callable[..., Ran]

AWAY = reports.Failure(subject="/s", kind="unreachable", message="/s does not answer", remedy="Check the network.")
FILE = '[repositories.main]\npath = "/r"\n[repositories.far]\npath = "s3://b/p"\nregion = "eu-west-3"\n'


def destination(url: str, open_it: Callable[[], Any]) -> tuple[str, Any]:
    return url, open_it()


def test_backup_hands_on_every_repository_with_its_own_options(work: Work, run: Run) -> None:
    Path("neokeep.toml").write_text(FILE)
    work.answers |= {"back_up_to_several": samples.BACKED_UP, "Destination": destination}
    assert run("backup neo4j --home /h --repo main --repo far").status == 0
    _, destinations, databases = work.arguments_of("back_up_to_several")
    assert ([url for url, _ in destinations], databases) == (["/r", "s3://b/p"], ("neo4j",))
    opened = [arguments[0] for name, arguments, _ in work.calls if name == "open_repository"]
    assert opened == [Place("/r"), Place("s3://b/p", StorageOptions(region="eu-west-3"))]


def test_a_backup_that_one_repository_did_not_get_is_told_with_status_17(work: Work, run: Run) -> None:
    work.answers |= {"back_up_to_several": copies.BACKED_UP_TO_ONE_OF_TWO, "Destination": destination}
    ran = run("backup --home /h --repo /r --repo s3://bucket/neo4j")
    assert ran.status == 17
    assert "Backed up 2 databases to /backup/neo4j" in ran.out
    assert "Backed up nothing to s3://bucket/neo4j" in ran.out
    assert "neo4j could not be backed up to s3://bucket/neo4j: s3://bucket/neo4j does not answer" in ran.out
    assert "2 of 4 backups could not be made: neo4j into s3://bucket/neo4j, system into" in ran.err


@pytest.mark.parametrize(
    "line", ["init", "expire --keep-last 1", "collect", "rebuild-index", "check --home /h", "release L"]
)
def test_what_is_done_to_one_repository_refuses_two(work: Work, run: Run, line: str) -> None:
    ran = run(f"{line} --repo /r --repo /s")
    assert ran.status == 2
    assert "one repository at a time, but 2 are named: /r, /s" in ran.err
    assert not work.calls or line.startswith("check")


def test_info_and_verify_show_each_and_tell_of_one_that_did_not_answer(work: Work, run: Run) -> None:
    info = msgspec.structs.replace(samples.INFO, others=(samples.INFO,), failures=(AWAY,))
    work.answers |= {"describe": samples.INFO, "verify": samples.WHOLE}
    ran = run("info --repo /r --repo /s")
    assert ran.out.count("Repository /backup/neo4j") == 2
    from neokeep.cli.info import unasked

    problem = unasked(info)
    assert problem is not None
    assert "1 of the repositories could not be asked: /s: /s does not answer" in problem.message
    assert run("verify --repo /r --repo /s").out.count("Verified") == 2


def test_damage_in_any_repository_ends_verify_with_16(work: Work, run: Run) -> None:
    found = iter([samples.WHOLE, samples.BROKEN])
    work.answers["verify"] = lambda *_, **__: next(found)
    ran = run("verify --repo /r --repo /s")
    assert ran.status == 16
    assert "is damaged" in ran.err


def test_copy_backups_hands_on_what_was_asked_for(work: Work, run: Run) -> None:
    Path("neokeep.toml").write_text(FILE)
    work.answers["copy_backups"] = copies.COPIED
    ran = run("copy-backups --from main --to far --backup A --backup B --database neo4j --jobs 3")
    assert work.arguments_of("copy_backups")[2:] == (("A", "B"), "neo4j")
    assert work.options_of("copy_backups")["jobs"] == 3
    assert "Copied 1 backup of /backup/neo4j to s3://bucket/neo4j" in ran.out
    assert "since holds are not copied" in ran.out


@pytest.mark.parametrize(
    ("line", "what"), [("copy-backups --from /r", "to copy into"), ("heal --repo /r", "take from")]
)
def test_a_repository_that_is_not_named_is_asked_for(work: Work, run: Run, line: str, what: str) -> None:
    ran = run(line)
    assert (ran.status, what in ran.err) == (2, True)
    assert not [call for call in work.calls if call[0] != "open_repository"]


def test_what_was_not_copied_or_healed_is_told(work: Work, run: Run) -> None:
    work.answers |= {"copy_backups": copies.PARTLY_COPIED, "heal": copies.PARTLY_HEALED}
    ran = run("copy-backups --from /r --to /s")
    assert ran.status == 17
    assert "1 of 3 backups could not be copied: system-20260801-120005F" in ran.err
    ran = run("heal --repo /r --from /s --backup L")
    assert ran.status == 17
    assert work.arguments_of("heal")[2] == ("L",)
    assert "is not healed: 1 of its blocks are damaged or missing here" in ran.out


def test_archive_hands_on_every_repository(work: Work, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from neokeep.archive import several

    given: list[Any] = []

    class Stand:
        def __init__(self, *arguments: Any) -> None:
            given.extend(arguments)

        def run(self, _stopping: Any) -> None:
            """Do nothing."""

    monkeypatch.setattr(several, "SeveralArchivers", Stand)
    assert run("archive --home /h --repo /r --repo /s").status == 0
    assert [url for url, _ in given[1]] == ["/r", "/s"]


def test_restore_hands_on_every_repository_and_tells_what_fell_over(work: Work, run: Run) -> None:
    report = msgspec.structs.replace(samples.RESTORED, repository="/s", fell_over=("/r: it does not answer",))
    work.answers["restore_from_several"] = report
    ran = run("restore neo4j --home /h --repo /r --repo /s")
    assert [url for url, _ in work.arguments_of("restore_from_several")[0]] == ["/r", "/s"]
    assert ran.status == 0
    assert "  - /r: it does not answer" in ran.out
