"""A new pair of keys is on the disk when it is told of: losing it later would lose every backup."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from helpers.power_loss import Disk
from neokeep.encryption.sources import generate_identity
from neokeep.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_pair_survives_a_power_loss(tmp_path: Path) -> None:
    place = tmp_path / "keys"
    place.mkdir()
    disk = Disk(place)
    with disk.watched(lambda: None):
        public = generate_identity(place / "id.pem")
    disk.materialise(tmp_path / "left", lambda _: False)
    for path in (place / "id.pem", public):
        assert (tmp_path / "left" / path.name).read_bytes() == path.read_bytes() != b""


def test_only_its_owner_may_read_the_private_half(tmp_path: Path) -> None:
    generate_identity(tmp_path / "id.pem")
    assert stat.S_IMODE((tmp_path / "id.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["id.pem", "id.pem.pub"])
def test_no_key_is_ever_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("another key")
    with pytest.raises(UsageError, match="there already"):
        generate_identity(tmp_path / "id.pem")
    assert [path.name for path in tmp_path.iterdir()] == [there]
