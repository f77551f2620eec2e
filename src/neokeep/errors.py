"""Every error that neokeep raises on purpose.

One tree; each class fixes the *kind* and the exit status, each instance carries what happened, where, and what to do
next. Commands print `message` and `remedy`; JSON output carries the same fields. The table in docs/exit-codes.md is
generated from this module.
"""

from __future__ import annotations

from typing import ClassVar


class NeokeepError(Exception):
    """Base of all errors with a known cause.

    `message` says what happened and where; `remedy` says what the user can do next.
    """

    kind: ClassVar[str] = "internal"
    exit_status: ClassVar[int] = 70
    meaning: ClassVar[str] = "a defect in neokeep itself"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(NeokeepError):
    """The command line, or the arguments of an API call, make no sense."""

    kind = "usage"
    exit_status = 2
    meaning = "the command line or an argument is wrong"


class ConfigurationError(NeokeepError):
    """A configuration file of neokeep or of Neo4j cannot be used."""

    kind = "configuration"
    exit_status = 10
    meaning = "neokeep.toml or neo4j.conf cannot be used"


class SourceError(NeokeepError):
    """The Neo4j home, database, version or store format is not one that can be worked with."""

    kind = "source"
    exit_status = 11
    meaning = "the Neo4j home, database, version or store format cannot be worked with"


class LockedError(NeokeepError):
    """A database is open in a running server, or another neokeep holds the target."""

    kind = "locked"
    exit_status = 12
    meaning = "the database is in use"


class AccessError(NeokeepError):
    """A file or directory may not be read or written by this user."""

    kind = "permission"
    exit_status = 13
    meaning = "a file may not be read or written by this user"


class SpaceError(NeokeepError):
    """The disk, quota or bucket is full, or would be."""

    kind = "space"
    exit_status = 14
    meaning = "there is not enough space"


class RepositoryError(NeokeepError):
    """The repository is missing, unreachable, of a newer format, or lacks what was asked for."""

    kind = "repository"
    exit_status = 15
    meaning = "the repository is missing, unreachable or lacks what was asked for"


class IntegrityError(NeokeepError):
    """Bytes are not what they must be: a hash, a checksum or a chain does not hold."""

    kind = "integrity"
    exit_status = 16
    meaning = "bytes are damaged: a hash, a checksum or a chain does not hold"


class PartialError(NeokeepError):
    """Some of the work was done, some failed; the report says which."""

    kind = "partial"
    exit_status = 17
    meaning = "part of the work was done and part of it failed"


class CredentialsError(NeokeepError):
    """A storage and this machine do not accept each other: credentials, a host key or a certificate."""

    kind = "credentials"
    exit_status = 18
    meaning = "a storage does not accept the credentials, or its host key or certificate is not trusted"


class ClockError(NeokeepError):
    """The clock of this machine and that of the storage are too far apart to work together."""

    kind = "clock"
    exit_status = 19
    meaning = "the clocks of this machine and of the storage are too far apart"


class UnreachableError(NeokeepError):
    """A storage or a scheduler does not answer, or a bucket is gone. It says nothing about what is stored there."""

    kind = "unreachable"
    exit_status = 20
    meaning = "the storage of the repository, or a scheduler, does not answer, or its bucket or directory is gone"


class WrongKeyError(NeokeepError):
    """The passphrase is wrong, or no key of the repository is made for the identity that was given."""

    kind = "wrong_key"
    exit_status = 21
    meaning = "the passphrase is wrong, or no key of the repository fits the identity"


class KeyNeededError(NeokeepError):
    """The repository is encrypted, and no key was given, or one that may not do what was asked for."""

    kind = "key_needed"
    exit_status = 22
    meaning = "the repository is encrypted: no key was given, or only a writer's where a reader's is needed"


class NotEncryptedError(NeokeepError):
    """A key was given for a repository that is not encrypted: what was expected there is not what is there."""

    kind = "not_encrypted"
    exit_status = 23
    meaning = "a key was given, but the repository is not encrypted"


class InconsistentError(NeokeepError):
    """The graph in a store is not whole; the report says what was found."""

    kind = "inconsistent"
    exit_status = 24
    meaning = "check-consistency found that a graph is not whole"


class DifferenceError(NeokeepError):
    """A comparison worked, and found that the two are not the same."""

    kind = "different"
    exit_status = 25
    meaning = "what was compared is not the same (`diff-config`)"


class InterruptedByUser(NeokeepError):
    """A signal ended the command; nothing half-done is visible."""

    kind = "interrupted"
    exit_status = 130
    meaning = "a signal ended the command"


AWAY = (CredentialsError, ClockError, UnreachableError)
"""What says nothing about objects, only that they cannot be looked at now: never to be taken for damage."""

ERRORS: tuple[type[NeokeepError], ...] = (
    UsageError,
    ConfigurationError,
    SourceError,
    LockedError,
    AccessError,
    SpaceError,
    RepositoryError,
    IntegrityError,
    PartialError,
    CredentialsError,
    ClockError,
    UnreachableError,
    WrongKeyError,
    KeyNeededError,
    NotEncryptedError,
    InconsistentError,
    DifferenceError,
    NeokeepError,
    InterruptedByUser,
)
