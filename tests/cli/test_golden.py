"""The JSON of every command, byte for byte. A change here is a change of the interface: fields may only be added.

`NEOKEEP_WRITE_GOLDEN=1 pytest tests/cli/test_golden.py` writes the files anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli import archives, consistency, copies, exports, keys, samples, server_files
from helpers import statistics_report
from neokeep.errors import RepositoryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("NEOKEEP_WRITE_GOLDEN") == "1"

RULE = "--keep-last 1"
CASES: list[tuple[str, str, dict[str, Any], int]] = [
    ("init", "init --repo /backup/neo4j", {}, 0),
    ("backup", "backup --home /h --repo /r", {"back_up": samples.BACKED_UP}, 0),
    ("backup@incremental", "backup --home /h --repo /r", {"back_up": samples.BACKED_UP_INCREMENTALLY}, 0),
    ("backup@with-server-files", "backup --home /h --repo /r", {"back_up": server_files.BACKED_UP}, 0),
    (
        "backup@not-whole",
        "backup --home /h --repo /r --check",
        {"back_up": samples.BACKED_UP_INCREMENTALLY, "check": consistency.INCONSISTENT},
        24,
    ),
    ("backup@one-database-failed", "backup --home /h --repo /r", {"back_up": samples.PARTLY_BACKED_UP}, 17),
    (
        "backup@one-of-two-repositories-failed",
        "backup --home /h --repo /r --repo s3://bucket/neo4j",
        {"back_up_to_several": copies.BACKED_UP_TO_ONE_OF_TWO, "Destination": None},
        17,
    ),
    ("restore", "restore neo4j --home /h --repo /r", {"restore": samples.RESTORED}, 0),
    (
        "restore@server-files",
        "restore --server-files /out --repo /r",
        {"restore_server_files": server_files.RESTORED},
        0,
    ),
    ("info", "info --repo /r", {"describe": samples.INFO}, 0),
    ("consolidate", "consolidate neo4j --repo /r", {"consolidate": samples.CONSOLIDATED}, 0),
    ("log", "log neo4j --repo /r", {"history": samples.LOG, "choose_chain": None}, 0),
    ("verify", "verify --repo /r", {"verify": samples.WHOLE}, 0),
    ("verify@a-backup-is-damaged", "verify --repo /r", {"verify": samples.BROKEN}, 16),
    ("check", "check --home /h --repo /r", {"run_check": samples.READY}, 0),
    ("check@not-ready", "check --home /h --repo /r", {"run_check": samples.NOT_READY}, 14),
    ("check-consistency", "check-consistency neo4j --home /h", {"check": consistency.CONSISTENT}, 0),
    (
        "check-consistency@a-backup-is-not-whole",
        "check-consistency neo4j --backup L --repo /r",
        {"check": consistency.INCONSISTENT},
        24,
    ),
    ("stats", "stats neo4j --backup L --repo /r", {"describe_graph": statistics_report.SHORT}, 0),
    ("export", "export neo4j --home /h --to-path /graph", {"export": exports.EXPORTED}, 0),
    (
        "export@a-graph-that-is-not-whole",
        "export neo4j --backup L --repo /r --to-path /graph",
        {"export": exports.EXPORTED_IN_PART},
        24,
    ),
    ("sql", "sql neo4j --home /h --query SELECT", {"run_sql": exports.ANSWERED}, 0),
    ("expire", f"expire --repo /r {RULE}", {"expire": samples.EXPIRED, "collect": samples.COLLECTED}, 0),
    ("expire@dry-run", f"expire --repo /r --dry-run {RULE}", {"expire": samples.WOULD_EXPIRE}, 0),
    ("collect", "collect --repo /r", {"collect": samples.COLLECTED}, 0),
    ("collect@the-storage-refused", "collect --repo /r", {"collect": samples.REFUSED}, 17),
    ("hold", "hold LABEL --reason audit --repo /r", {"place_hold": None, "describe_holds": samples.HELD}, 0),
    ("release", "release LABEL --repo /r", {"release_holds": None, "describe_holds": samples.RELEASED}, 0),
    ("key-generate", "key generate id.pem", {"generate": keys.KEY_PAIR}, 0),
    ("key-list", "key list --repo /r", {"describe_keys": keys.KEYS}, 0),
    ("key-add", "key add --repo /r --recipient host.pem.pub", {"add_one": keys.KEY_ADDED}, 0),
    ("key-remove", "key remove 4f --repo /r", {"remove_one": keys.KEY_REMOVED}, 0),
    ("key-change-passphrase", "key change-passphrase --repo /r", {"change_passphrase": keys.KEY_CHANGED}, 0),
    ("rebuild-index", "rebuild-index --repo /r", {"rebuild_index": samples.REBUILT}, 0),
    ("copy-backups", "copy-backups --from /r --to /s", {"copy_backups": copies.COPIED}, 0),
    ("copy-backups@one-failed", "copy-backups --from /r --to /s", {"copy_backups": copies.PARTLY_COPIED}, 17),
    ("heal", "heal --repo /r --from /s", {"heal": copies.HEALED}, 0),
    ("heal@not-everything", "heal --repo /r --from /s", {"heal": copies.PARTLY_HEALED}, 17),
    ("dump", "dump neo4j --home /h --to-path /dumps", {"dump_server": archives.DUMPED}, 0),
    (
        "dump@of-a-moment",
        "dump neo4j --repo /r --to-tx 35023 --to-path /dumps",
        {"dump_repository": archives.DUMPED_MOMENT},
        0,
    ),
    ("inspect", "inspect /dumps", {"inspect": archives.INSPECTED}, 0),
    ("inspect@one-is-damaged", "inspect /dumps", {"inspect": archives.ONE_DAMAGED}, 17),
    ("load", "load /dumps/neo4j.backup --home /h", {"load": archives.LOADED}, 0),
    ("load@info", "load /dumps/neo4j.dump --info", {"read_through": archives.READ}, 0),
    ("ingest", "ingest /dumps --repo /r", {"ingest": archives.INGESTED}, 0),
    ("ingest@one-failed", "ingest /dumps --repo /r", {"ingest": archives.PARTLY_INGESTED}, 17),
    ("diff-config", "diff-config --home /h --repo /r", {"diff_config": server_files.DIFFERENT}, 25),
    ("diff-config@same", "diff-config A B --repo /r", {"diff_config": server_files.SAME}, 0),
    (
        "error",
        "info --repo /r",
        {"open_repository": RepositoryError("there is no repository in /r", remedy="Check --repo.")},
        15,
    ),
]


@pytest.mark.parametrize(("name", "line", "answers", "status"), CASES, ids=[case[0] for case in CASES])
def test_the_json_of_a_command_is_its_golden_file(
    work: Work, run: Callable[..., Ran], name: str, line: str, answers: dict[str, Any], status: int
) -> None:
    work.answers.update(answers)
    ran = run(f"{line} --output json")
    assert (ran.status, ran.err) == (status, "")
    path = GOLDEN / f"{name}.json"
    if WRITE:
        path.write_text(ran.out, encoding="utf-8")
    assert ran.out == path.read_text(encoding="utf-8")
    error = json.loads(ran.out).get("error")
    assert (error or {"exit_status": 0})["exit_status"] == status


def test_no_golden_file_is_forgotten() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {case[0] for case in CASES}
