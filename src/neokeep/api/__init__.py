"""The Python API: every command as a function that takes paths or objects and returns a report.

Failures are raised as errors of neokeep.errors; only `backup` reports failed databases beside those that succeeded, and
`verify` and `check` report what they found. See docs/reference.md.
"""

from __future__ import annotations

from neokeep.api.archives import (
    dump,
    ingest,
    inspect,
    load,
)
from neokeep.api.backups import (
    archive,
    backup,
    consolidate,
    info,
    init,
    log,
    restore,
)
from neokeep.api.graphs import (
    check_consistency,
    export,
    sql,
    stats,
    subject,
)
from neokeep.api.keys import (
    key_add,
    key_change_passphrase,
    key_generate,
    key_list,
    key_remove,
)
from neokeep.api.places import (
    find_source,
    open_repository,
)
from neokeep.api.server_files import (
    diff_config,
    restore_server_files,
)
from neokeep.api.upkeep import (
    check,
    collect,
    copy_backups,
    expire,
    heal,
    hold,
    rebuild_index,
    release,
    verify,
)

__all__ = [
    "archive",
    "backup",
    "check",
    "check_consistency",
    "collect",
    "consolidate",
    "copy_backups",
    "diff_config",
    "dump",
    "expire",
    "export",
    "find_source",
    "heal",
    "hold",
    "info",
    "ingest",
    "init",
    "inspect",
    "key_add",
    "key_change_passphrase",
    "key_generate",
    "key_list",
    "key_remove",
    "load",
    "log",
    "open_repository",
    "rebuild_index",
    "release",
    "restore",
    "restore_server_files",
    "sql",
    "stats",
    "subject",
    "verify",
]
