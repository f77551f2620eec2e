"""From what a user gives, a file, a command, a prompt, to a passphrase and a private key.

Files of public and private keys are PEM, as `openssl genpkey -algorithm X25519` and `openssl pkey -pubout` make them.
No message repeats what was read.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from neokeep.errors import AccessError, ConfigurationError, UsageError
from neokeep.files import explained, fsync_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neokeep.storage.place import KeySources

LARGEST = 64 * 1024
"""Bytes of a passphrase or key file, at most."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What opens key objects."""

    passphrase: bytes | None = None
    identity: X25519PrivateKey | None = None


def read_credentials(sources: KeySources, what: str, *, twice: bool = False) -> Credentials:
    """Read the passphrase and the private key that are given; `what` is what they are for, to show in a prompt.

    A passphrase that is new is asked for `twice`.

    Raises:
        UsageError: several passphrases are given, or one that is empty, or the two differ.
        ConfigurationError: a file or command gives none, or nobody can be asked.
        AccessError: a file may not be read, or a private key may be read by others.
    """
    identity = None if sources.identity_file is None else read_identity(sources.identity_file)
    return Credentials(_passphrase(sources, what, identity is not None, twice=twice), identity)


def _passphrase(sources: KeySources, what: str, has_identity: bool, *, twice: bool) -> bytes | None:  # noqa: FBT001
    readers: list[Callable[[], bytes]] = []
    if sources.passphrase_file is not None:
        readers.append(lambda: _of_file(sources.passphrase_file))  # type: ignore[arg-type]
    if sources.passphrase_command is not None:
        readers.append(lambda: _of_command(sources.passphrase_command or ""))
    if sources.passphrase is not None:
        readers.append(lambda: _sensible((sources.passphrase or "").encode(), "the passphrase"))
    if sources.prompt or not (readers or has_identity):
        if sources.prompt and sources.ask is None:
            raise ConfigurationError(
                "nobody can be asked for the passphrase: this is not a terminal",
                remedy="Give --passphrase-file or --passphrase-command.",
            )
        if sources.ask is not None:
            readers.append(lambda: _asked(sources, what, twice=twice))
    if len(readers) > 1:
        raise UsageError("more than one passphrase was given", remedy="Give one of file, command and prompt.")
    return readers[0]() if readers else None


def _of_file(path: Path) -> bytes:
    return _sensible(_read(path, "the passphrase file"), f"the passphrase in {path}")


def _of_command(command: str) -> bytes:
    try:
        words = shlex.split(command)
        done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    except (OSError, ValueError, IndexError) as problem:
        raise ConfigurationError(
            f"the passphrase command cannot be run: {problem}", remedy="Check --passphrase-command; no shell runs it."
        ) from problem
    if done.returncode != 0:
        raise ConfigurationError(
            f"the passphrase command {words[0]} ended with status {done.returncode}",
            remedy="Run it by hand and see what it says.",
        )
    return _sensible(done.stdout, "the output of the passphrase command")


def _asked(sources: KeySources, what: str, *, twice: bool) -> bytes:
    assert sources.ask is not None
    first = sources.ask(f"Passphrase of {what}: ")
    if twice and sources.ask("The same once more: ") != first:
        raise UsageError("the two passphrases differ", remedy="Type the same one twice.")
    return _sensible(first.encode(), "the passphrase")


def _sensible(passphrase: bytes, origin: str) -> bytes:
    """Drop one line end; refuse what is empty or too long."""
    passphrase = passphrase.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise UsageError(f"{origin} is empty", remedy="Write a passphrase there, on one line.")
    if len(passphrase) > LARGEST:
        raise UsageError(f"{origin} is longer than {LARGEST} bytes", remedy="Check that this is the right one.")
    return passphrase


def read_identity(path: Path) -> X25519PrivateKey:
    """Read a private key.

    Raises:
        ConfigurationError: it is no X25519 key, or has a passphrase of its own.
        AccessError: it may not be read, or others may read it.
    """
    data = _read(path, "the identity file", private=True)
    try:
        key = load_pem_private_key(data, None)
    except TypeError as problem:
        raise ConfigurationError(
            f"the identity file {path} has a passphrase of its own, which is not supported",
            remedy="Store it without (openssl pkey -in KEY -out PLAIN), where only the user of neokeep can read it.",
        ) from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise _no_key(path, "private", "openssl genpkey -algorithm X25519") from problem
    if not isinstance(key, X25519PrivateKey):
        raise _no_key(path, "private", "openssl genpkey -algorithm X25519")
    return key


def read_recipient(path: Path) -> bytes:
    """Read a public key: 32 bytes.

    Raises:
        ConfigurationError: it is no X25519 key.
        AccessError: it may not be read.
    """
    data = _read(path, "the file of a recipient")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise _no_key(path, "public", "openssl pkey -pubout -in PRIVATE") from problem
    if not isinstance(key, X25519PublicKey):
        raise _no_key(path, "public", "openssl pkey -pubout -in PRIVATE")
    return key.public_bytes_raw()


def generate_identity(path: Path) -> Path:
    """Make a key pair: the private one in a new file for its owner alone, the public one beside it; return its path.

    Raises:
        UsageError: one of the files is there already.
        AccessError, SpaceError: they cannot be written.
    """
    public_path = path.with_name(f"{path.name}.pub")
    for one in (path, public_path):
        if os.path.lexists(one):
            raise UsageError(f"{one} is there already; a key is never overwritten", remedy="Choose another file.")
    key = X25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for target, data, mode in ((path, private, 0o600), (public_path, public, 0o644)):
        with explained("write", target):
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            fsync_directory(target.absolute().parent)
    return public_path


def _read(path: Path, what: str, *, private: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if private and stat.S_ISREG(status.st_mode) and _others_can_read(status):
                raise AccessError(
                    f"{what} {path} can be read by others: its mode is {stat.S_IMODE(status.st_mode):04o}",
                    remedy=f"Take that away, then go on: chmod 600 {path}",
                )
            return file.read(LARGEST + 1)
    except PermissionError as problem:
        raise AccessError(f"{what} {path} may not be read", remedy="Give this user read access to it.") from problem
    except OSError as problem:
        raise ConfigurationError(
            f"{what} {path} cannot be read: {problem.strerror}", remedy="Check the path."
        ) from problem


def _others_can_read(status: os.stat_result) -> bool:
    """Tell whether a private file is open to others; a group may read what root owns, as secrets are mounted."""
    allowed = 0o640 if status.st_uid == 0 else 0o600
    return bool(stat.S_IMODE(status.st_mode) & 0o077 & ~allowed)


def _no_key(path: Path, half: str, command: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} holds no X25519 {half} key in PEM", remedy=f"Make one: neokeep key generate, or {command}"
    )
