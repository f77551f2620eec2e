"""Reports about the server's other files, for golden files and texts."""

from __future__ import annotations

import msgspec

from cli import samples
from cli.samples import BACKUP, NOON
from neokeep import reports
from neokeep.server_files.reports import (
    DiffConfigReport,
    FileDifference,
    ServerFilesReport,
    ServerFilesSide,
    SettingDifference,
)

KEY = reports.LeftOutInfo(
    path="certificates/bolt/private.key",
    reason="it is or holds a private key, and the repository is not encrypted",
    rebuilt=False,
)
NEAR = reports.CertificateInfo(
    path="certificates/bolt/public.crt",
    subject="CN=db1.example.com",
    not_after=NOON.replace(day=13),
    days_left=12,
)
OVER = reports.CertificateInfo(
    path="certificates/bolt/trusted/ca.crt", subject="CN=ca", not_after=NOON.replace(month=7), days_left=-31
)
INFO = reports.ServerFilesInfo(mode="config", file_count=6, redacted=("conf/neo4j.conf",), left_out=(KEY,))
BACKED_UP = msgspec.structs.replace(
    samples.BACKED_UP,
    backups=tuple(msgspec.structs.replace(one, server_files=INFO) for one in samples.BACKED_UP.backups),
    certificates=(OVER, NEAR),
)
RESTORED = ServerFilesReport(
    label=BACKUP.label,
    repository="/backup/neo4j",
    host="db1",
    home="/var/lib/neo4j",
    directory="/out",
    files=6,
    size_bytes=14_211,
    redacted=("conf/neo4j.conf",),
    listed=("plugins/apoc-5.26.0-core.jar",),
    left_out=(KEY,),
    owner_not_set=("conf/neo4j.conf", "conf/apoc.conf"),
    links=("conf/neo4j.conf -> ..data/neo4j.conf",),
    certificates=(NEAR,),
)
BEFORE = ServerFilesSide(label=BACKUP.label, host="db1", home="/var/lib/neo4j")
DIFFERENT = DiffConfigReport(
    before=BEFORE,
    after=ServerFilesSide(label=None, host="db1", home="/var/lib/neo4j"),
    same=False,
    settings=(
        SettingDifference(
            file="conf/neo4j.conf", setting="dbms.ssl.policy.bolt.private_key_password", change="changed", before=None,
            after=None,
        ),
        SettingDifference(
            file="conf/neo4j.conf", setting="server.memory.heap.max_size", change="added", before=(), after=("4g",)
        ),
        SettingDifference(
            file="conf/neo4j.conf", setting="server.jvm.additional", change="changed", before=("-XX:+UseG1GC",),
            after=("-XX:+UseZGC", "-Xss1m"),
        ),
        SettingDifference(file="conf/apoc.conf", setting="apoc.es.password", change="removed", before=None, after=None),
    ),
    files=(
        FileDifference(
            file="plugins/apoc-5.26.1-core.jar",
            change="changed",
            what="instead of plugins/apoc-5.26.0-core.jar: APOC 5.26.0 -> APOC 5.26.1",
        ),
    ),
    not_compared=("conf/apoc.conf: apoc.jdbc.shop.url",),
    certificates=(NEAR,),
)  # fmt: skip
SAME = msgspec.structs.replace(
    DIFFERENT,
    after=msgspec.structs.replace(BEFORE, label="neo4j-20260802-120000F"),
    same=True, settings=(), files=(), not_compared=(), certificates=(),
)  # fmt: skip
