"""A place and how to reach it: what the options beginning with --repo- say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
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
class KeySources:
    """Where the passphrase or the private key of an encrypted repository is found; read only when it is needed.

    `passphrase` is the text itself. `prompt` asks for it with `ask`, which gets the text to show; without `prompt` it
    asks where the repository is encrypted and nothing else is given. `ask` None: nobody can be asked.
    """

    passphrase_file: Path | None = None
    passphrase_command: str | None = None
    passphrase: str | None = field(default=None, repr=False)
    identity_file: Path | None = None
    prompt: bool = False
    ask: Callable[[str], str] | None = field(default=None, repr=False, compare=False)

    @property
    def given(self) -> bool:
        """Whether any key was given on purpose."""
        return self.prompt or any(
            one is not None
            for one in (self.passphrase_file, self.passphrase_command, self.passphrase, self.identity_file)
        )


NO_KEYS = KeySources()


@dataclass(frozen=True, slots=True)
class Place:
    """A directory or URL, how to reach it, and what opens it where it is encrypted."""

    url: str
    options: StorageOptions = StorageOptions()
    keys: KeySources = NO_KEYS

    def __str__(self) -> str:
        return self.url
