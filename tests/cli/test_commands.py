"""What the commands hand on, and what they tell a person."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cli import samples
from cli.conftest import REPOSITORY
from neokeep.repository.expiry import Policy
from neokeep.restore.targets import NEWEST, Moment
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work

    Run = Callable[..., Ran]


def test_restore_hands_on_what_was_asked_for(work: Work, run: Run) -> None:
    work.answers["restore"] = samples.RESTORED
    run(
        "restore neo4j --home /h --conf /c --repo /r --backup L --from-source prod --as yesterday --overwrite "
        "--recover --jobs 3"
    )
    assert work.arguments_of("restore") == (REPOSITORY, Path("/h"), "neo4j")
    options = work.options_of("restore")
    del options["progress"]
    assert options == {
        "configuration_directory": Path("/c"),
        "label": "L",
        "from_source": "prod",
        "restored_as": "yesterday",
        "overwrite": True,
        "recover": "neo4j",
        "jobs": 3,
        "moment": NEWEST,
    }


@pytest.mark.parametrize(
    ("flags", "moment"),
    [
        ("", NEWEST),
        ("--to latest", NEWEST),
        ("--to-tx 4711", Moment(transaction=4711)),
        ("--before-tx 4711", Moment(transaction=4710)),
        ("--to-time 2026-08-01T12:00:00+02:00", Moment(time=samples.NOON.replace(hour=10))),
    ],
)
def test_restore_hands_on_the_moment(work: Work, run: Run, flags: str, moment: Moment) -> None:
    work.answers["restore"] = samples.RESTORED
    assert run(f"restore neo4j --home /h --repo /r {flags}").status == 0
    assert work.options_of("restore")["moment"] == moment


@pytest.mark.parametrize(
    "flags",
    [
        "--to-tx 5 --before-tx 5",
        "--to-tx 5 --to-time 2026-08-01T12:00:00Z",
        "--to-time 2026-08-01T12:00:00",
        "--to-tx 0",
        "--before-tx -1",
        "--to-tx five",
        "--to oldest",
        "--to latest --to-tx 5",
    ],
)
def test_targets_that_contradict_or_mean_nothing_are_refused(work: Work, run: Run, flags: str) -> None:
    work.answers["restore"] = samples.RESTORED
    assert run(f"restore neo4j --home /h --repo /r {flags}").status == 2
    assert "restore" not in [name for name, _, _ in work.calls]


def test_restore_replaces_nothing_unless_it_is_told_to(work: Work, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    work.answers["restore"] = samples.RESTORED
    monkeypatch.setenv("NEOKEEP_OVERWRITE", "true")
    run("restore neo4j --home /h --repo /r")
    assert work.options_of("restore")["overwrite"] is False


def test_restore_tells_a_person_where_the_database_is_and_what_comes_next(work: Work, run: Run) -> None:
    work.answers["restore"] = samples.RESTORED
    out = run("restore neo4j --home /h --repo /r").out
    assert "Restored neo4j as yesterday from neo4j-20260801-120000F" in out
    assert "Neo4j does it at its next start" in out
    assert "  2. Start Neo4j." in out


def test_info_shows_one_line_for_each_backup_and_what_is_damaged(work: Work, run: Run) -> None:
    work.answers["describe"] = samples.INFO
    ran = run("info --repo /r --database neo4j")
    assert work.arguments_of("describe") == (REPOSITORY, "neo4j", None)
    assert ran.status == 0
    assert "Source production" in ran.out
    rows = [line.split() for line in ran.out.splitlines()]
    begin = [samples.BACKUP.label, "full", "2026-08-01", "12:00:04Z", "5.26.30"]
    assert ["neo4j", *begin] in [row[:6] for row in rows]
    assert ["neo4j", samples.INCREMENTAL.label, "incremental"] in [row[:3] for row in rows]
    assert "DAMAGED: the backup neo4j-20260701-120000F cannot be used" in ran.out


def test_info_shows_from_which_moment_to_which_one_can_restore_and_what_is_in_the_way(work: Work, run: Run) -> None:
    work.answers["describe"] = samples.INFO
    lines = run("info --repo /r").out.splitlines()
    at = lines.index("Restore windows")
    assert lines[at + 1].split("  ")[0] == "FULL BACKUP"
    begin, end = ["2026-08-01", "12:00:04Z"], ["2026-08-01", "13:00:00Z"]
    assert lines[at + 2].split() == [samples.BACKUP.label, "35023", "36000", "3", "11.4", "MiB", *begin, *end]
    assert lines[at + 3].split() == [samples.SYSTEM.label, "35023", "35023", "0", "0", "B", "unknown", "unknown"]
    assert lines[at + 4] == f"  - {samples.BACKUP.label}: {samples.GAP}"
    assert lines.index(next(line for line in lines if samples.INCREMENTAL.label in line)) < at


def test_the_windows_of_each_source_stand_below_its_backups(work: Work, run: Run) -> None:
    other = msgspec.structs.replace(samples.SYSTEM, source="staging", label="system-20260801-120006F")
    window = msgspec.structs.replace(samples.WINDOWS[1], source="staging", base=other.label)
    work.answers["describe"] = msgspec.structs.replace(
        samples.INFO, backups=(*samples.INFO.backups, other), windows=(*samples.WINDOWS, window)
    )
    production, staging = run("info --repo /r").out.split("Source staging")
    assert production.count("Restore windows") == staging.count("Restore windows") == 1
    assert production.count(samples.SYSTEM.label) == staging.count(other.label) == 2


def test_info_of_an_empty_repository_says_how_to_make_a_backup(work: Work, run: Run) -> None:
    work.answers["describe"] = samples.EMPTY
    assert "neokeep backup --home" in run("info --repo /r").out


def test_info_of_one_backup_tells_all_about_it(work: Work, run: Run) -> None:
    work.answers["describe"] = samples.ONE
    out = run("info --repo /r --backup neo4j-20260801-120000F").out
    assert work.arguments_of("describe") == (REPOSITORY, None, "neo4j-20260801-120000F")
    facts = dict(line.split(": ", 1) for line in out.splitlines() if ": " in line and not line.startswith("  -"))
    assert facts["transactions"].strip().startswith("34991 to 35023 in the log")
    assert facts["stored"].strip() == "560 MiB new in the repository, 572 MiB with what was there before"
    assert facts["restore window"].strip() == "transactions 35023 to 36000"
    assert facts["window times"].strip() == "2026-08-01 12:00:04Z to 2026-08-01 13:00:00Z"
    assert facts["window log"].strip() == "3 segments, 11.4 MiB"
    assert "left out schema/index" in out
    assert f"  - {samples.GAP}" in out


def test_verify_says_that_all_is_whole(work: Work, run: Run) -> None:
    work.answers["verify"] = samples.WHOLE
    ran = run("verify --repo /r --backup L --jobs 2")
    assert work.arguments_of("verify") == (REPOSITORY, "L")
    assert work.options_of("verify")["jobs"] == 2
    assert (ran.status, ran.err) == (0, "")
    assert "32113 blocks, 2.0 GiB, in 3.9s" in ran.out


def test_collect_says_what_it_rewrote_and_can_leave_that_out(work: Work, run: Run) -> None:
    work.answers["collect"] = msgspec.structs.replace(
        samples.COLLECTED, repacking_stopped_because="the disk is full", damaged_packs=("packs/ab/abcd: it is damaged",)
    )
    out = run("collect --repo /r --repack-below 30%").out
    assert work.options_of("collect")["repack_below"] == 0.3
    assert "Rewrote 4 packs with 114 MiB: 28.6 MiB of it are needed; the old ones go later" in out
    assert "Rewriting packs ended early: the disk is full" in out
    assert "DAMAGED: packs/ab/abcd: it is damaged; 'neokeep verify' tells what it touches" in out
    run("expire --repo /r --keep-last 1 --no-repack")
    work.calls.clear()
    run("collect --repo /r --no-repack")
    assert work.options_of("collect")["repack_below"] == 0


def test_what_the_storage_keeps_for_a_time_is_told_and_is_no_failure(work: Work, run: Run) -> None:
    kept = {"locked_objects": 3, "locked_until": samples.NOON}
    work.answers["collect"] = msgspec.structs.replace(samples.COLLECTED, **kept)
    work.answers["expire"] = msgspec.structs.replace(samples.EXPIRED, **kept)
    line = "The storage keeps 3 locked objects, the first until 2026-08-01 12:00:00Z"
    ran = run("collect --repo /r")
    assert (ran.status, line in ran.out) == (0, True)
    ran = run("expire --repo /r --keep-last 1 --no-collect")
    assert (ran.status, line in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ({}, "never"),
        ({"content_proven_at": samples.NOON, "verified_whole": True}, "2026-08-01 12:00:00Z"),
        ({"content_proven_at": samples.NOON, "verified_whole": False}, "DAMAGED"),
    ],
)
def test_info_shows_since_when_a_backup_is_proven(work: Work, run: Run, known: dict[str, Any], shown: str) -> None:
    backup = msgspec.structs.replace(samples.BACKUP, **known)
    work.answers["describe"] = msgspec.structs.replace(samples.INFO, backups=(backup,), windows=())
    row = next(line for line in run("info --repo /r").out.splitlines() if backup.label in line)
    assert row.rstrip().endswith(shown)
    facts = run(f"info --repo /r --backup {backup.label}").out
    assert any(line.startswith("every byte proven") and line.endswith(shown) for line in facts.splitlines())


def test_verify_hands_on_what_is_asked_and_says_what_it_looked_at(work: Work, run: Run) -> None:
    work.answers["verify"] = msgspec.structs.replace(
        samples.WHOLE, part="3/30", blocks_checked=1070, recorded=False, not_recorded_because="the disk is full"
    )
    ran = run("verify --repo /r --part auto/30 --again --resume-within 2d")
    options = work.options_of("verify")["options"]
    assert (options.part, options.again, options.resume_within.days) == ("auto/30", True, 2)
    assert "Verified part 3/30 of /backup/neo4j: 1070 of 32113 blocks, 2.0 GiB, in 3.9s" in ran.out
    assert "does not keep what was proven: the disk is full" in ran.out
    assert "2026-08-01 12:00:00Z" in ran.out
    work.answers["verify"] = msgspec.structs.replace(samples.WHOLE, depth="structure", resumed_from=samples.NOON)
    ran = run("verify --repo /r --depth structure")
    assert "Verified the structure of /backup/neo4j: all 32113 blocks are there, in 3.9s" in ran.out
    assert "it began at 2026-08-01 12:00:00Z" in ran.out


@pytest.mark.parametrize("line", ["--part 4/3", "--part x", "--depth deep"])
def test_verify_refuses_a_share_or_depth_that_there_is_not(work: Work, run: Run, line: str) -> None:
    assert run(f"verify --repo /r {line}").status == 2


def test_verify_names_what_is_damaged_and_the_newest_backup_that_is_whole(work: Work, run: Run) -> None:
    work.answers["verify"] = samples.BROKEN
    ran = run("verify --repo /r")
    assert ran.status == 16
    assert "neostore.nodestore.db: 1 block of 300 is damaged" in ran.out
    assert "packs/ab/abcdef" in ran.out
    assert "1 of 2 backups cannot be restored: neo4j-20260802-120000F" in ran.err
    assert "The newest whole backup is neo4j-20260801-120000F." in ran.err


def test_check_hands_on_the_interval_between_backups(work: Work, run: Run) -> None:
    work.answers["run_check"] = samples.READY
    ran = run("check --home /h --conf /c --repo /r --backup-every 12h")
    assert work.arguments_of("run_check") == (Path("/h"), Path("/c"), Place("/r"))
    assert work.options_of("run_check")["interval_seconds"] == 43_200
    assert ran.status == 0
    assert "no errors, 1 warning. Backups will work." in ran.out


def test_check_ends_with_the_kind_of_its_first_error(work: Work, run: Run) -> None:
    work.answers["run_check"] = samples.NOT_READY
    ran = run("check --home /h --repo /r")
    assert ran.status == 14
    assert "ERROR    repository: 12 MiB are free" in ran.out
    assert "error: repository: 12 MiB are free on the disk of /backup/neo4j (and 1 more)" in ran.err


def test_init_says_what_comes_next(work: Work, run: Run) -> None:
    ran = run("init --repo /backup/neo4j")
    assert work.arguments_of("init_repository") == (Place("/backup/neo4j"), (), ())
    assert "neokeep backup --home NEO4J_HOME --repo /backup/neo4j" in ran.out
    assert "It is not encrypted" in ran.out


def test_init_hands_on_every_recipient(work: Work, run: Run) -> None:
    run("init --repo /r --recipient a.pub --recipient b.pub --writer-recipient c.pub --passphrase-file p")
    place, recipients, writers = work.arguments_of("init_repository")
    assert place == Place("/r", keys=KeySources(passphrase_file=Path("p")))
    assert (recipients, writers) == ((Path("a.pub"), Path("b.pub")), (Path("c.pub"),))


def test_expire_hands_on_its_rules_and_then_collects(work: Work, run: Run) -> None:
    work.answers |= {"expire": samples.EXPIRED, "collect": samples.COLLECTED}
    ran = run(
        "expire --repo /r --database neo4j --keep-last 2 --keep-within 30d --keep-daily 7 --keep-weekly 5 "
        "--keep-monthly 12 --keep-yearly 3 --grace 2d"
    )
    assert ran.status == 0
    assert work.arguments_of("expire")[1] == Policy(2, timedelta(days=30), 7, 5, 12, 3)
    assert work.options_of("expire") == {"database": "neo4j", "label": None, "dry_run": False}
    assert work.options_of("collect")["grace"] == timedelta(days=2)
    assert "Removed 1 backup of /backup/neo4j" in ran.out
    assert "neo4j-20260701-120000F  2026-08-01 12:00:00Z  expire    no rule keeps it" in ran.out
    assert "Deleted 12 packs and 310 segments; 382 MiB are free again" in ran.out
    assert "Waiting: a backup began at 2026-07-31 03:00:00Z on db1" in ran.out


def test_rules_of_the_configuration_file_do_not_meet_a_backup_that_is_named(
    work: Work, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.answers["expire"] = samples.EXPIRED
    Path("neokeep.toml").write_text('[defaults]\nkeep-within = "30d"\nkeep-monthly = 12\ncollect = false\n')
    run("expire --repo /r")
    assert work.arguments_of("expire")[1] == Policy(within=timedelta(days=30), monthly=12)
    work.calls.clear()
    run("expire --repo /r --backup L")
    assert work.arguments_of("expire")[1] == Policy()
    assert work.options_of("expire")["label"] == "L"
    assert [name for name, _, _ in work.calls] == ["open_repository", "expire"]


def test_a_dry_run_of_expire_shows_the_plan_even_quietly_and_collects_nothing(work: Work, run: Run) -> None:
    work.answers["expire"] = samples.WOULD_EXPIRE
    ran = run("expire --repo /r --keep-last 1 --dry-run --quiet")
    assert work.options_of("expire")["dry_run"] is True
    assert "Of 2 backups in /backup/neo4j 1 would expire" in ran.out


def test_deletions_that_were_refused_end_with_partial(work: Work, run: Run) -> None:
    work.answers |= {"expire": samples.EXPIRED, "collect": samples.REFUSED}
    for line in ("collect --repo /r", "expire --repo /r --keep-last 1"):
        ran = run(line)
        assert ran.status == 17
        assert "refused to delete 1 objects; the first: packs/ab/abcdef is locked until 2026-09-01" in ran.err


def test_hold_needs_a_reason_and_release_tells_that_nothing_holds(work: Work, run: Run) -> None:
    work.answers |= {"place_hold": None, "release_holds": None, "describe_holds": samples.HELD}
    assert run("hold L --repo /r").status == 2
    ran = run("hold L --repo /r --until 2027-08-01T12:00:00Z --reason", "audit of 2026")
    assert work.arguments_of("place_hold")[1:] == ("L", "audit of 2026", samples.HOLD.until)
    assert "is held until 2027-08-01 12:00:00Z: audit of 2026" in ran.out
    work.answers["describe_holds"] = samples.RELEASED
    assert "is not held any more" in run("release L --repo /r").out


def test_info_shows_what_is_held(work: Work, run: Run) -> None:
    work.answers["describe"] = samples.INFO
    assert "neo4j-20260801-120000F  until 2027-08-01 12:00:00Z  audit of 2026" in run("info --repo /r").out


def test_an_index_with_unreadable_packs_ends_with_integrity(work: Work, run: Run) -> None:
    work.answers["rebuild_index"] = msgspec.structs.replace(samples.REBUILT, unreadable_packs=("packs/ab/abc",))
    ran = run("rebuild-index --repo /r --jobs 2")
    assert (ran.status, work.options_of("rebuild_index")["jobs"]) == (16, 2)
    assert "knows 32113 blocks in 19 packs: 1 index object, 7 old ones removed" in ran.out
