"""A writer that is killed leaves whole objects or nothing under their names, and the next one goes on."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from neokeep.storage.base import ObjectExists
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place, StorageOptions

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.servers import S3Server, SshServer

SIZE = 24 * 1024 * 1024
VICTIM = f"""
import sys, pathlib
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place, StorageOptions
url, known_hosts, key_file = sys.argv[1:]
options = StorageOptions(known_hosts=pathlib.Path(known_hosts), key_file=pathlib.Path(key_file))
storage = open_storage(Place(url, options if url.startswith("sftp") else StorageOptions()))
print("ready", flush=True)
for number in range(1000):
    storage.create(f"packs/{{number}}", bytes([number % 256]) * {SIZE})
"""


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["s3", "sftp"])
@pytest.mark.parametrize("after", [0.02, 0.1, 0.25, 0.6])
def test_what_a_killed_writer_leaves_is_whole(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, after: float
) -> None:
    ssh: SshServer = request.getfixturevalue("ssh")
    place = Place(ssh.url(tmp_path), StorageOptions(known_hosts=ssh.known_hosts, key_file=ssh.key))
    if kind == "s3":
        s3: S3Server = request.getfixturevalue("s3")
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        place = Place(f"s3://{s3.bucket('killed')}/{after}")
    arguments = [sys.executable, "-c", VICTIM, place.url, str(ssh.known_hosts), str(ssh.key)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        time.sleep(after)
        victim.kill()
    storage = open_storage(place)
    left = sorted(storage.list("packs"), key=lambda item: int(item.name.rpartition("/")[2]))
    assert [item.name for item in left] == [f"packs/{number}" for number in range(len(left))]
    for number, item in enumerate(left):
        assert item.size == SIZE
        assert storage.read(item.name) == bytes([number % 256]) * SIZE
    following = len(left)
    try:
        storage.create(f"packs/{following}", b"mine")
    except ObjectExists:
        # What the dead had sent to its last byte, a server may still give its name after the listing: whole then.
        assert storage.read(f"packs/{following}") == bytes([following % 256]) * SIZE
        following += 1
        storage.create(f"packs/{following}", b"mine")
    assert storage.read(f"packs/{following}") == b"mine"
