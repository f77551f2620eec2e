"""What the failures of SSH and SFTP mean: the library's exceptions in, errors with a remedy out."""

from __future__ import annotations

import asyncssh

from neokeep.errors import AccessError, CredentialsError, NeokeepError, RepositoryError, SpaceError
from neokeep.storage.base import ObjectMissing, TransientError

NOT_THERE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
_DENIED = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect)
_FULL = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)
_LOST = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)
_UNUSABLE_KEY = (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)
FAILURES = (asyncssh.Error, OSError, TimeoutError, *_UNUSABLE_KEY)


def explain(problem: BaseException, doing: str, url: str) -> NeokeepError:
    """Return the neokeep error for what asyncssh raised while doing something at `url`."""
    what = f"cannot {doing} {url}"
    if isinstance(problem, NOT_THERE):
        return ObjectMissing(f"{what}: it is missing", remedy="Run 'neokeep verify' to see what it touches.")
    if isinstance(problem, _DENIED):
        return AccessError(
            f"{what}: the server denies it", remedy="Log in as a user who may do this, or change owner and mode there."
        )
    if isinstance(problem, _FULL):
        return no_space(what)
    if isinstance(problem, asyncssh.SFTPError) and not isinstance(problem, _LOST):
        # The library's texts are the server's words here, and name no secret.
        return RepositoryError(f"{what}: {problem.reason}", remedy="Check the path and the log of the SSH server.")
    return unconnected(problem, what)


def no_space(what: str) -> SpaceError:
    """Return the error for a full disk or quota."""
    return SpaceError(f"{what}: no space is left there", remedy="Free space there; nothing half-written is visible.")


def unconnected(problem: BaseException, what: str) -> NeokeepError:
    """Return the error for a connection that could not be made, or broke."""
    if isinstance(problem, asyncssh.HostKeyNotVerifiable):
        return CredentialsError(
            f"{what}: the host key of the server is not known, or is another one than before",
            remedy="Connect once by ssh as this user and compare the fingerprint with the server's, or give a file "
            "with its key by --repo-known-hosts. If the key was known: ask who runs the server why it changed.",
        )
    if isinstance(problem, asyncssh.PermissionDenied):
        return CredentialsError(
            f"{what}: the server accepts none of the keys",
            remedy="Add a key to ssh-agent, or give one by --repo-key-file, and its public half to the server; check "
            "the user in the URL.",
        )
    if isinstance(problem, _UNUSABLE_KEY):
        return CredentialsError(
            f"{what}: the key file cannot be used, or needs a passphrase",
            remedy="Give a private key without a passphrase, or add it to ssh-agent.",
        )
    if isinstance(problem, TimeoutError):
        why = "it did not answer in time"
    elif isinstance(problem, ConnectionRefusedError):
        why = "nobody listens there"
    else:
        why = "the connection could not be made, or broke"
    return TransientError(f"{what}: {why}", remedy="Check host and port, the network and that the SSH server runs.")
