"""A place and how to reach it: what the options beginning with --repo- say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RETRIES = 6
TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How to reach a storage; None leaves it to the storage's own environment and files.

    `addressing` says where requests to S3 carry the bucket: `path`, `host`, or `auto`, which is `host` at Amazon and
    `path` at an own endpoint. `retries` is how often an operation is tried again, `timeout` after how many seconds one
    request is given up. `bandwidth`, in bytes per second, holds all reading and writing together.
    For `immutable_for` seconds from when they are stored, nobody can remove what a restore needs.
    """

    endpoint: str | None = None
    region: str | None = None
    addressing: str = "auto"
    ca_file: Path | None = None
    key_file: Path | None = None
    known_hosts: Path | None = None
    retries: int = RETRIES
    timeout: float = TIMEOUT_SECONDS
    bandwidth: int | None = None
    immutable_for: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A directory or URL, and how to reach it."""

    url: str
    options: StorageOptions = StorageOptions()

    def __str__(self) -> str:
        return self.url
