"""Whether a command that reads a server or a repository means the one or the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from neokeep.cli.dump import OF_A_REPOSITORY
from neokeep.config import settle
from neokeep.config_file import EMPTY, ConfigurationFile, RepositoryEntry, SourceEntry

REPOSITORY = {"NEOKEEP_REPO": "/backup"}
SERVER = {"NEO4J_HOME": "/var/lib/neo4j"}
BOTH_IN_A_FILE = ConfigurationFile(
    sources={"db": SourceEntry("db", Path("/opt/neo4j"), None)}, repositories={"main": RepositoryEntry("/backup")}
)


@pytest.mark.parametrize(
    ("flags", "environment", "file", "repository"),
    [
        ({"repo": "/backup"}, {}, EMPTY, True),
        ({"repo": "/backup"}, SERVER, EMPTY, True),
        ({"repo": "main"}, {}, BOTH_IN_A_FILE, True),
        ({"repo": "/backup", "home": "/opt/neo4j"}, {}, EMPTY, False),
        ({"repo": "main", "source": "db"}, {}, BOTH_IN_A_FILE, False),
        ({"home": "/opt/neo4j"}, REPOSITORY, EMPTY, False),
        ({}, SERVER | REPOSITORY, EMPTY, False),
        ({}, {}, BOTH_IN_A_FILE, False),
        ({}, REPOSITORY, EMPTY, True),
        ({"backup": "LABEL"}, SERVER | REPOSITORY, EMPTY, True),
        ({"to": "latest"}, {}, BOTH_IN_A_FILE, True),
        ({}, {}, EMPTY, False),
    ],
)
def test_what_the_command_line_names_is_meant_and_else_the_server(
    flags: dict[str, str], environment: dict[str, str], file: ConfigurationFile, repository: bool
) -> None:
    assert settle("dump", flags, environment, file).means_repository(OF_A_REPOSITORY) is repository
