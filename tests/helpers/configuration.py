"""Configuration files as text, and what a command makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neokeep.config import Settings, settle
from neokeep.config_file import parse_file

PATH = Path("/etc/neokeep/neokeep.toml")
TWO = """
[sources.prod]
home = "/var/lib/neo4j"
conf = "/etc/neo4j"
[sources.test]
home = "homes/test"
[repositories.main]
path = "/backup/main"
[repositories.far]
path = "s3://bucket/neo4j"
"""
ONE = '[sources.prod]\nhome = "/p"\nconf = "/c"\n[repositories.main]\npath = "/backup/main"\n'


def settled(
    command: str = "backup", text: str = "", environment: dict[str, str] | None = None, **flags: Any
) -> Settings:
    """Settle the options of a command by its flags, an environment and the text of a file."""
    return settle(command, flags, environment or {}, parse_file(text, PATH))
