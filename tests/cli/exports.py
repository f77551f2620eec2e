"""Reports of exports and of SQL as the work would return them."""

from __future__ import annotations

import msgspec

from neokeep.export import reports

PEOPLE = reports.ExportedTable(
    kind="nodes",
    names=("Person",),
    files=("nodes/Person.parquet",),
    rows=3_000_000,
    columns=(
        reports.ExportedColumn(name="age__integer", key="age", type="integer", values=2_999_998),
        reports.ExportedColumn(name="age__string", key="age", type="string", values=2),
        reports.ExportedColumn(name="name", key="name", type="string", values=3_000_000),
    ),
)
KNOWS = reports.ExportedTable(
    kind="relationships",
    names=("KNOWS",),
    files=("relationships/KNOWS.parquet",),
    rows=12_000_000,
    columns=(reports.ExportedColumn(name="since", key="since", type="date", values=12_000_000),),
)
EXPORTED = reports.ExportReport(
    format="parquet",
    format_version=1,
    neokeep_version="0.1.0",
    subject="/var/lib/neo4j/data/databases/neo4j",
    database="neo4j",
    label=None,
    last_transaction=None,
    path="/graph",
    nodes=3_000_000,
    relationships=12_000_000,
    properties=18_000_000,
    tables=(PEOPLE, KNOWS),
    constraints=1,
    indexes=4,
    not_kept=0,
    schema_left_out=(),
    size_bytes=215_029_119,
    whole=True,
    damaged=0,
    damages=(),
    seconds=14.2,
)
EXPORTED_IN_PART = msgspec.structs.replace(
    EXPORTED,
    subject="neo4j-20260801-120000F in /backup/neo4j",
    label="neo4j-20260801-120000F",
    last_transaction=35_023,
    tables=(KNOWS,),
    schema_left_out=("person_age_is_an_integer",),
    whole=False,
    damaged=1,
    damages=("property-value: neostore.propertystore.db 4711: the value of key 3: its text is not UTF-8",),
)
ANSWERED = reports.SqlReport(
    subject="/var/lib/neo4j/data/databases/neo4j",
    database="neo4j",
    label=None,
    last_transaction=None,
    columns=("name", "born", "tags"),
    types=("VARCHAR", "DATE", "VARCHAR[]"),
    rows=(("Ada", "1815-12-10", ["first"]), ("Alan", None, [])),
    truncated=False,
    damaged=0,
    seconds=1.2,
)
