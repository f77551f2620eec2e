"""The one table of options: what each is called, takes, means, and which commands know it.

Command line, environment, neokeep.toml and docs/reference.md are all generated from `OPTIONS`. How a value is found
(flag over environment over file) is told in config.py.
"""

from __future__ import annotations

from neokeep.artifact.options import OPTIONS as OF_ARCHIVES
from neokeep.consistency.options import OPTIONS as OF_CHECKS
from neokeep.encryption.options import KEYS, of_keys
from neokeep.export.options import OPTIONS as OF_EXPORTS
from neokeep.graph.options import CHECKED, of_graphs
from neokeep.option import (
    CHOICE,
    COUNT,
    DIRECTORY,
    DURATION,
    FILE,
    LABEL,
    MOMENT,
    NAME,
    PART,
    PLACE,
    RATE,
    SHARE,
    SIZE,
    SWITCH,
    TEXT,
    TRANSACTION,
    URL,
    Kind,
    Option,
    Value,
)
from neokeep.server_files.options import OPTIONS as OF_SERVER_FILES
from neokeep.statistics.options import OPTIONS as OF_STATISTICS
from neokeep.storage.place import RETRIES, TIMEOUT_SECONDS

__all__ = ["BY_NAME", "COUNT", "FILE", "KEYS", "OPTIONS", "PLACE", "SWITCH", "Kind", "Option", "Value", "options_of"]

WORK = (
    "init", "backup", "archive", "restore", "consolidate", "info", "log", "verify", "check", "expire", "hold",
    "release", "collect", "rebuild-index", "copy-backups", "heal", "diff-config",
)  # fmt: skip
OPENS = ("key add", "key remove", "key change-passphrase")
KEY = ("key generate", "key list", *OPENS)
ARCHIVES = ("inspect", "load", "dump", "ingest")
CHECKS = ("check-consistency",)
READS = (*CHECKS, "stats", "export", "sql")
USES_A_REPOSITORY = (*WORK, *READS, "dump", "ingest", *KEY[1:])
REACHES_A_STORAGE = (*USES_A_REPOSITORY, "inspect", "load")
OPENS_A_REPOSITORY = (*WORK, *READS, "dump", "ingest", *OPENS)
LAB = (
    "lab fetch", "lab versions", "lab create", "lab start", "lab stop", "lab status", "lab load", "lab admin",
    "lab compare-recovery",
)  # fmt: skip
EVERY = (*WORK, *READS, *ARCHIVES, *KEY, *LAB)
SEVERAL_REPOSITORIES = ("backup", "archive", "restore", "info", "log", "verify")
REACHES_A_SOURCE = ("backup", "archive", "restore", "check", *READS, "load", "dump", "diff-config")
WRITES = ("init", "backup", "archive", "consolidate", "hold", "expire", "collect", "ingest")
TAKES_BACKUPS = ("backup", "archive")


OPTIONS: tuple[Option, ...] = (
    Option(
        "repo", PLACE,
        "The repository: a directory, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, "
        "sftp://USER@HOST:PORT/PATH, or a name of [repositories] in neokeep.toml. Where several make sense, give it "
        "more than once; in the environment with commas between them, in the file as a list.",
        tuple(command for command in USES_A_REPOSITORY if command != "copy-backups"), several=SEVERAL_REPOSITORIES,
    ),
    Option(
        "from", PLACE, "The repository to take from; what is said of --repo holds.",
        ("copy-backups", "heal"), in_environment=False, in_file=False,
    ),
    Option(
        "to", PLACE, "The repository to copy into; what is said of --repo holds.",
        ("copy-backups",), in_environment=False, in_file=False,
    ),
    Option(
        "repo_endpoint", URL, "The server of the object store, where it is not the cloud's own.",
        REACHES_A_STORAGE,
    ),
    Option(
        "repo_region", NAME, "The region of the bucket. Not set: the one of AWS's environment or profile.",
        REACHES_A_STORAGE,
    ),
    Option(
        "repo_addressing", CHOICE,
        "Where requests to S3 name the bucket: in the path or in the host; auto is host at Amazon, path elsewhere.",
        REACHES_A_STORAGE, default="auto", choices=("auto", "path", "host"),
    ),
    Option(
        "repo_ca_file", FILE, "Certificates (PEM) to trust beside the system's, for an object store of your own.",
        REACHES_A_STORAGE,
    ),
    Option(
        "repo_key_file", FILE, "The private key for SFTP, beside those of ssh-agent and ~/.ssh.",
        REACHES_A_STORAGE,
    ),
    Option(
        "repo_known_hosts", FILE, "The file with the host key of the SFTP server, instead of ~/.ssh/known_hosts.",
        REACHES_A_STORAGE,
    ),
    Option(
        "repo_retries", COUNT, "How often something is tried again that a storage did not do for a passing reason.",
        REACHES_A_STORAGE, default=str(RETRIES),
    ),
    Option(
        "repo_timeout", DURATION,
        "Give one request to a storage up after this time; one pack, 32 MiB, has to go through in it.",
        REACHES_A_STORAGE, default=f"{TIMEOUT_SECONDS}s",
    ),
    Option(
        "repo_bandwidth", RATE,
        "Exchange no more than this with the storage on average, such as 20MB/s. Not set: as fast as it goes.",
        REACHES_A_STORAGE,
    ),
    *of_keys(OPENS_A_REPOSITORY),
    Option(
        "immutable_for", DURATION,
        "Lock what a restore needs for this time from when it is stored, such as 30d: nobody can remove it earlier. "
        "`expire` and `collect` lock what kept backups need for it anew. For S3 buckets with object lock.",
        WRITES,
    ),
    Option(
        "home", DIRECTORY, "The home of the Neo4j server (for packages /var/lib/neo4j), or a Docker data directory.",
        (*REACHES_A_SOURCE, "consolidate"), own_variable="NEO4J_HOME", in_file=False,
    ),
    Option(
        "conf", DIRECTORY, "The directory that holds neo4j.conf, where it is not the usual one of that home.",
        REACHES_A_SOURCE, own_variable="NEO4J_CONF", in_file=False,
    ),
    Option(
        "source", NAME,
        "A name of [sources] in neokeep.toml; together with --home, the name that the backups carry.",
        (*REACHES_A_SOURCE, "consolidate"),
    ),
    Option(
        "sources", NAME, 'Names of [sources] in neokeep.toml to follow, separated by commas, or "all".', ("archive",),
    ),
    Option(
        "type", CHOICE,
        "A full backup, or the new transactions since the newest one; auto takes those where the chain holds and says "
        "why when it does not.",
        ("backup",), default="auto", choices=("auto", "full", "incremental"),
    ),
    Option(
        "full_every", DURATION, "Take a full backup, not an incremental one, when the newest is older, such as 7d.",
        TAKES_BACKUPS, default="7d",
    ),
    Option(
        "full_after", COUNT,
        "Take a full backup when so many incremental ones follow the newest, such as 100.",
        TAKES_BACKUPS,
    ),
    Option(
        "full_at_log_share", SHARE,
        "Take a full backup when the archived log has grown to this share of the newest, both compressed.",
        TAKES_BACKUPS, default="100%",
    ),
    Option(
        "indexes", CHOICE,
        "Copy the indexes, or leave them out and let Neo4j rebuild them: smaller backups, a slower first start.",
        (*TAKES_BACKUPS, "dump"), default="copy", choices=("copy", "rebuild"),
    ),
    Option(
        "rate_limit", RATE, "Read from the database no faster than this, such as 50MB/s. Not set: as fast as it goes.",
        TAKES_BACKUPS,
    ),
    Option(
        "jobs", COUNT,
        "Threads that work at the same time. Not set: one more than cores, for restore two more; at most 8.",
        (
            "backup", "archive", "restore", "consolidate", "verify", *READS, "rebuild-index", "copy-backups", "heal",
            "dump", "ingest",
        ),
    ),
    Option(
        "nice", SWITCH, "Let the database go first: lowest priority for processor and disk.",
        TAKES_BACKUPS, default="true",
    ),
    Option(
        "interval", DURATION, "Ship new transactions after this time.", ("archive",), default="1s",
    ),
    Option(
        "segment_size", SIZE, "Ship new transactions earlier when they take so much log.",
        ("archive",), default="16MiB",
    ),
    Option(
        "backup_every", DURATION, "The time between two backups; the server has to keep its logs longer than that.",
        ("check",), default="1d",
    ),
    Option(
        "database", NAME,
        "Only the backups of this database: those of others are not shown or copied, and do not expire.",
        ("info", "expire", "copy-backups"), in_environment=False, in_file=False,
    ),
    Option(
        "backup", LABEL,
        "One backup, by the label that `neokeep info` shows; with a moment, the chain of that backup; with expire, the "
        "one that goes, whatever the rules say. Not set: for restore and log the newest, else all.",
        ("restore", "consolidate", "info", "log", "verify", *READS, "expire", "copy-backups", "heal", "dump"),
        in_environment=False, in_file=False, several=("copy-backups", "heal"),
    ),
    Option(
        "from_source", NAME, "Only backups of this source, where the repository holds databases of several servers.",
        ("restore", "consolidate", "log", *READS, "dump", "diff-config"), in_environment=False, in_file=False,
    ),
    Option(
        "engine", CHOICE,
        "Who recovers: neokeep itself, without indexes, or the Neo4j of --home, which keeps them and needs room for "
        "all of the store.",
        ("consolidate",), default="native", choices=("native", "neo4j"),
    ),
    Option(
        "scratch", DIRECTORY, "Where to work, instead of the system's place for temporary files.",
        ("backup", "consolidate", "verify", *READS, "dump", "ingest"),
    ),
    Option(
        "report_path", FILE, "Write all that was found to this file too, as text.", CHECKS, in_environment=False,
        in_file=False,
    ),
    Option(
        "as", NAME, "Restore, load or ingest under another database name.",
        ("restore", "load", "ingest"), in_environment=False, in_file=False,
    ),
    Option(
        "to", CHOICE, "Restore up to the newest archived transaction, which is also what happens without any target.",
        ("restore", "dump"), choices=("latest",), in_environment=False, in_file=False,
    ),
    Option(
        "to_time", MOMENT,
        "Restore all that was committed up to this time, such as 2026-11-22T10:00:00Z; the zone is needed.",
        ("restore", "dump"), in_environment=False, in_file=False,
    ),
    Option(
        "to_tx", TRANSACTION, "Up to this transaction, with it.",
        ("restore", "log", "dump"), in_environment=False, in_file=False,
    ),
    Option(
        "before_tx", TRANSACTION, "Restore up to the transaction before this one: the state before the mistake.",
        ("restore", "dump"), in_environment=False, in_file=False,
    ),
    Option(
        "from_tx", TRANSACTION, "From this transaction on.", ("log",), in_environment=False, in_file=False,
    ),
    Option(
        "since", MOMENT, "Only what was committed at this time or later; the zone is needed.",
        ("log",), in_environment=False, in_file=False,
    ),
    Option(
        "until", MOMENT,
        "With log, only what was committed at this time or earlier; with hold, when the hold ends. The zone is needed.",
        ("log", "hold"), in_environment=False, in_file=False,
    ),
    Option(
        "deletes_more_than", COUNT, "Only transactions that delete more nodes, relationships and properties than this.",
        ("log",), in_environment=False, in_file=False,
    ),
    Option(
        "limit", COUNT, "List the newest so many.", ("log",), default="1000", in_environment=False, in_file=False,
    ),
    Option(
        "keep_last", COUNT, "Keep the newest so many full backups of each database.", ("expire",),
    ),
    Option(
        "keep_within", DURATION,
        "Keep what restores to any moment of this time before the newest backup need, such as 30d.",
        ("expire",),
    ),
    Option(
        "keep_daily", COUNT, "Keep the newest full backup of each of the last so many days that have one.", ("expire",),
    ),
    Option(
        "keep_weekly", COUNT, "The same for weeks; they begin on Monday.", ("expire",),
    ),
    Option(
        "keep_monthly", COUNT, "The same for months.", ("expire",),
    ),
    Option(
        "keep_yearly", COUNT, "The same for years.", ("expire",),
    ),
    Option(
        "grace", DURATION, "Delete only what was found not to be needed this long ago, by the storage's clock.",
        ("expire", "collect"), default="1d",
    ),
    Option(
        "repack", SWITCH, "Rewrite packs of which little is needed, and put many small ones together.",
        ("expire", "collect"), default="true",
    ),
    Option(
        "repack_below", SHARE, "Rewrite packs of which less than this share is needed.",
        ("expire", "collect"), default="50%",
    ),
    Option(
        "collect", SWITCH, "Give back the space of what expired, as `neokeep collect` does.",
        ("expire",), default="true",
    ),
    Option(
        "dry_run", SWITCH, "Only show what would be done, and why.",
        ("expire", "collect"), default="false", in_environment=False, in_file=False,
    ),
    Option(
        "reason", TEXT, "Why the backup is held, for people.", ("hold",), in_environment=False, in_file=False,
    ),
    Option(
        "overwrite", SWITCH, "Replace the database that is there. It stays in place until the new one is complete.",
        ("restore", "load", "dump"), default="false", in_environment=False, in_file=False,
    ),
    Option(
        "recover", CHOICE,
        "Recover at once, not at Neo4j's next start: with the server's own Neo4j (what --recover alone means), or "
        "natively, without Java; then Neo4j rebuilds all indexes.",
        ("restore",), choices=("neo4j", "native"), alone="neo4j", in_environment=False, in_file=False,
    ),
    Option(
        "recover", SWITCH, "Apply the log of each chain to its full backup, in scratch, and tell whether they fit.",
        ("verify",), default="false", in_environment=False, in_file=False,
    ),
    *OF_ARCHIVES,
    *of_graphs(READS),
    *CHECKED,
    *OF_CHECKS,
    *OF_EXPORTS,
    *OF_SERVER_FILES,
    *OF_STATISTICS,
    Option(
        "depth", CHOICE,
        "How deep to look: content reads every byte; structure only that all is there with its size, and every list of "
        "blocks.",
        ("verify",), default="content", choices=("structure", "content"), in_environment=False, in_file=False,
    ),
    Option(
        "part", PART,
        "Read the content of one part only, such as 3/30; auto/30 takes the part whose proof is the oldest.",
        ("verify",), in_environment=False, in_file=False,
    ),
    Option(
        "again", SWITCH, "Read everything, also what an interrupted verification has read already.",
        ("verify",), default="false", in_environment=False, in_file=False,
    ),
    Option(
        "resume_within", DURATION,
        "Go on with a verification of everything that was interrupted, if it began within this time.",
        ("verify",), default="7d",
    ),
    Option(
        "people", COUNT, "How many people the sample graph has; every one has some twenty properties.",
        ("lab load",), default="5000", in_environment=False, in_file=False,
    ),
    Option(
        "writers", COUNT, "How many writers change the graph at the same time, with --during.",
        ("lab load",), default="4", in_environment=False, in_file=False,
    ),
    Option(
        "during", DURATION, "Instead of the sample, write transactions without a pause for so long, such as 1m.",
        ("lab load",), in_environment=False, in_file=False,
    ),
    Option(
        "workloads", COUNT, "How many random workloads to compare.",
        ("lab compare-recovery",), default="3", in_environment=False, in_file=False,
    ),
    Option(
        "store_format", CHOICE, "The format of the stores to compare.",
        ("lab compare-recovery",), default="aligned", choices=("aligned", "standard"), in_environment=False,
        in_file=False,
    ),
    Option(
        "seed", COUNT, "The seed of the first workload, to run one again. Not set: a random one, which is told.",
        ("lab compare-recovery",), in_environment=False, in_file=False,
    ),
    Option(
        "output", CHOICE,
        "How to print: text for people, json for programs (one document, of archive one a line; see docs/json.md).",
        EVERY, default="text", choices=("text", "json"),
    ),
    Option(
        "quiet", SWITCH, "Print no progress, and no report when all went well; answers and errors still come.",
        EVERY, default="false",
    ),
    Option(
        "config", FILE, "The configuration file, instead of the neokeep.toml found by itself.", EVERY, in_file=False,
    ),
)  # fmt: skip

BY_NAME = {option.name: option for option in reversed(OPTIONS)}
"""Options by name; of those that mean different things to different commands, the first."""


def options_of(command: str) -> tuple[Option, ...]:
    """List the options of a command, in the order of the table."""
    return tuple(option for option in OPTIONS if command in option.commands)
