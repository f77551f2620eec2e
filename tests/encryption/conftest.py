"""Passphrases that are cheap to try."""

from __future__ import annotations

import pytest

from neokeep.encryption import key_object


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_object, "COST", 1 << 4)
