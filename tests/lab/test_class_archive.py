"""A server of the lab starts from an archive of its classes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from neokeep.lab.class_archive import make_class_archive
from neokeep.lab.fetch import fetch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.real
def test_java_takes_classes_of_neo4j_out_of_the_archive(tmp_path: Path, version: str) -> None:
    make_class_archive(version)
    distribution = fetch(version)
    assert distribution.class_archive.is_file()
    loaded = tmp_path / "loaded"
    command = distribution.command(distribution.admin_class, "--version", options=(f"-Xlog:class+load:file={loaded}",))
    environment = {"NEO4J_HOME": str(tmp_path), "NEO4J_CONF": str(tmp_path)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == [version]
    lines = loaded.read_text().splitlines()
    assert any(" org.neo4j." in line and line.endswith("shared objects file (top)") for line in lines)
