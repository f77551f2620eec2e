"""The rescue script restores what neokeep stored, bit for bit, and the bytes are those that docs/format.md tells of."""

from __future__ import annotations

import ast
import base64
import json
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from helpers.chains import commit_more
from helpers.database import Synthetic, captured_logs, make_database, read_tree, write_tree
from helpers.properties import one_of
from neokeep import api
from neokeep.compression import decompress
from neokeep.encryption import key_object
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parents[2] / "tools" / "restore_without_neokeep.py"
LARGE = 65 * 1024 * 1024 + 4096
"""Larger than the first step of the block sizes."""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def back_up(made: Synthetic, repository: Path) -> str:
    if not repository.exists():
        api.init(repository)
    return api.backup(made.home, repository, type="full", jobs=2).backups[0].label


def packs_of(repository: Path) -> Iterator[Path]:
    return (path for path in sorted(repository.glob("packs/*/*")))


def turn_a_bit(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


@pytest.mark.parametrize(("kernel", "size"), one_of(3, [(32, 100_000), (20, LARGE), (4, 100_000)]))
def test_a_database_is_restored_bit_for_bit_without_an_index(tmp_path: Path, kernel: int, size: int) -> None:
    made = make_database(tmp_path / "home", kernel)
    noise = random.Random(kernel)
    more = {
        "neostore.nodestore.db": noise.randbytes(3 << 20),
        "neostore.propertystore.db.arrays": noise.randbytes(8192).ljust(size, b"\0"),
    }
    write_tree(made.store_directory, more)
    label = back_up(made, tmp_path / "repository")
    for path in (tmp_path / "repository" / "index").iterdir():
        path.unlink()
    done = run(tmp_path / "repository", label, tmp_path / "target")
    assert (done.returncode, done.stderr) == (0, "")
    assert read_tree(tmp_path / "target" / "store") == made.store | more
    assert read_tree(tmp_path / "target" / "log") == captured_logs(made)


@pytest.fixture(params=one_of(3, ["cheap passphrase", "passphrase", "identity"]))
def key(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, KeySources]:
    path = tmp_path / "key"
    if request.param == "cheap passphrase":
        monkeypatch.setattr(key_object, "COST", 1 << 4)
    if "passphrase" in request.param:
        path.write_text("correct horse ä\r\n")
        return path, KeySources(passphrase_file=path)
    api.key_generate(path)
    return path, KeySources(identity_file=path)


def test_an_encrypted_backup_is_restored_bit_for_bit(
    tmp_path: Path, made: Synthetic, key: tuple[Path, KeySources]
) -> None:
    path, sources = key
    write_tree(made.store_directory, {"neostore.nodestore.db": random.Random(1).randbytes(3 << 20)})
    place = Place(str(tmp_path / "repository"), keys=sources)
    repository = api.init(place)
    label = api.backup(made.home, repository, type="full", jobs=2).backups[0].label
    shutil.rmtree(tmp_path / "repository" / "index")
    (tmp_path / "repository" / "config").unlink()
    listed = run("--key", path, place.url)
    assert listed.stdout.startswith(f"{label}  neo4j of "), listed.stderr
    done = run("--key", path, place.url, label, tmp_path / "target")
    assert done.returncode == 0, done.stderr
    assert read_tree(tmp_path / "target" / "store") == read_tree(made.store_directory)
    assert read_tree(tmp_path / "target" / "log") == captured_logs(made)


def test_an_encrypted_repository_needs_the_right_key(tmp_path: Path, key: tuple[Path, KeySources]) -> None:
    _, sources = key
    place = Place(str(tmp_path / "repository"), keys=sources)
    api.init(place)
    assert "--key is missing" in run(place.url).stderr
    api.key_generate(tmp_path / "other")
    assert "opens no reader key" in run("--key", tmp_path / "other", place.url).stderr
    (tmp_path / "wrong").write_text("wrong")
    assert "opens no reader key" in run("--key", tmp_path / "wrong", place.url).stderr


def test_backups_are_listed(tmp_path: Path, made: Synthetic) -> None:
    label = back_up(made, tmp_path / "repository")
    done = run(tmp_path / "repository")
    assert done.returncode == 0
    assert done.stdout.startswith(f"{label}  neo4j of ")


def test_damage_is_told_and_ends_with_a_failure(tmp_path: Path, made: Synthetic) -> None:
    label = back_up(made, tmp_path / "repository")
    turn_a_bit(next(packs_of(tmp_path / "repository")), 30)
    done = run(tmp_path / "repository", label, tmp_path / "target")
    assert done.returncode == 1
    assert "missing or damaged" in done.stderr


@pytest.mark.slow
def test_a_damaged_block_is_taken_from_another_pack(tmp_path: Path, made: Synthetic) -> None:
    repository = tmp_path / "repository"
    first = back_up(made, repository)
    for path in packs_of(repository):
        turn_a_bit(path, 30)
    assert not api.verify(repository).ok
    back_up(made, repository)
    done = run(repository, first, tmp_path / "target")
    assert done.returncode == 0, done.stderr
    assert read_tree(tmp_path / "target" / "store") == made.store


@pytest.mark.slow
def test_a_cut_pack_and_a_lost_config_are_only_warned_of(tmp_path: Path, made: Synthetic) -> None:
    repository = tmp_path / "repository"
    label = back_up(made, repository)
    (repository / "config").unlink()
    (repository / "packs" / "00").mkdir(exist_ok=True)
    (repository / "packs" / "00" / ("00" * 32)).write_bytes(b"NKPACK1\n")
    done = run(repository, label, tmp_path / "target")
    assert done.returncode == 0
    assert done.stderr.count("warning") == 2


@pytest.mark.slow
def test_a_newer_format_and_a_target_in_use_are_refused(tmp_path: Path, made: Synthetic) -> None:
    repository = tmp_path / "repository"
    label = back_up(made, repository)
    assert run(repository, label, tmp_path).returncode == 1
    config = json.loads((repository / "config").read_text())
    (repository / "config").write_text(json.dumps(config | {"features": ["something"]}))
    assert run(repository, label, tmp_path / "target").returncode == 1
    assert run().returncode == run("--help").returncode == 2


def test_the_script_is_one_short_file_that_imports_nothing_of_neokeep() -> None:
    source = SCRIPT.read_text()
    assert len(source.splitlines()) <= 200
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names])
    }
    assert modules - set(sys.stdlib_module_names) <= {"blake3", "backports", "compression", "cryptography"}


def test_the_bytes_of_a_repository_are_those_of_the_format_page(tmp_path: Path, made: Synthetic) -> None:
    """Every number here stands in docs/format.md; nothing of neokeep's own layouts is used."""
    repository = tmp_path / "repository"
    write_tree(made.store_directory, {"neostore.nodestore.db": random.Random(1).randbytes(3 << 20)})
    label = back_up(made, repository)
    config = json.loads((repository / "config").read_text())
    assert list(config) == ["format", "repository_id", "created_at", "features", "checksum"]
    compact = json.dumps(config | {"checksum": ""}, separators=(",", ":")).encode()
    assert blake3(compact).hexdigest() == config["checksum"]

    footers: dict[bytes, bytes] = {}
    for path in packs_of(repository):
        data = path.read_bytes()
        assert blake3(data).hexdigest() == path.name
        assert path.parent.name == path.name[:2]
        assert data[:8] == b"NKPACK1\n"
        digest, count, padding, magic = struct.unpack("<32sI4s8s", data[-48:])
        assert (padding, magic) == (bytes(4), b"NKPEND1\n")
        footer = data[-48 - 44 * count : -48]
        assert blake3(footer).digest() == digest
        assert struct.unpack_from("<I", footer, 32)[0] == 8 + 16
        assert len(data) - 48 - 44 * count == sum(struct.unpack_from("<II", footer, 44 * (count - 1) + 32))
        footers[bytes.fromhex(path.name)] = struct.pack("<QI4x", len(data), count) + footer

    (index,) = (repository / "index").iterdir()
    data = index.read_bytes()
    assert blake3(data).hexdigest() == index.name
    assert struct.unpack("<8sI4s", data[:16]) == (b"NKINDX1\n", len(footers), bytes(4))
    at = 16
    for _ in footers:
        identity = data[at : at + 32]
        record = footers[identity]
        assert data[at + 32 : at + 32 + len(record)] == record
        at += 32 + len(record)
    assert at == len(data)

    data = (repository / "backups" / label).read_bytes()
    assert data[:8] == b"NKBACK1\n"
    assert blake3(data[40:]).digest() == data[8:40]
    manifest = json.loads(decompress(data[40:]))
    page = (SCRIPT.parents[1] / "docs" / "format.md").read_text()
    for name in (*manifest, *manifest["source"], *manifest["end"], *manifest["files"], *manifest["statistics"]):
        assert f"`{name}`" in page, f"{name} is not in docs/format.md"
    assert manifest["format"] == 1
    assert len(base64.b64decode(manifest["files"]["hash"])) == 32


def test_the_bytes_of_a_segment_are_those_of_the_format_page(tmp_path: Path, made: Synthetic) -> None:
    repository = tmp_path / "repository"
    base = back_up(made, repository)
    start = made.logs[-1].ends[-1]
    commit_more(made, 4)
    label = api.backup(made.home, repository, type="incremental", jobs=1).backups[0].label
    (path,) = (repository / "segments" / base).iterdir()
    data = path.read_bytes()
    assert path.name == f"{10:020}-{13:020}-{blake3(data).hexdigest()}"
    assert data[:8] == b"NKSEGM1\n"
    (length,) = struct.unpack("<I", data[8:12])
    header = json.loads(data[12 : 12 + length])
    assert decompress(data[12 + length :]) == made.logs[-1].data[start:]
    assert header["pieces"] == [{"version": 1, "start": start, "length": len(made.logs[-1].data) - start}]
    assert (header["chain"], header["first"], header["last"], header["tail"]["transaction"]) == (base, 10, 13, 13)
    page = (SCRIPT.parents[1] / "docs" / "format.md").read_text()
    for name in (*header, *header["tail"], *header["pieces"][0]):
        assert f"`{name}`" in page, f"{name} is not in docs/format.md"
    done = run(repository, label, tmp_path / "target")
    assert done.returncode == 1
    assert f"is no full backup; restore {base}" in done.stderr
