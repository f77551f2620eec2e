"""Where the Debian and RPM packages of Neo4j put what other installations keep in the home."""

from __future__ import annotations

from pathlib import Path

HOME = Path("/var/lib/neo4j")
CONFIGURATION = Path("/etc/neo4j")
LIB = Path("/usr/share/neo4j/lib")
