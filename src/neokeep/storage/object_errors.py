"""What the failures of object stores mean: the library's texts in, errors with a remedy out.

The library has few types and puts the server's answer into the text, so the answer's code is looked for there. Nothing
of a URL or a header is repeated: they may carry signatures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from obstore.exceptions import UnauthenticatedError

from neokeep.errors import (
    AccessError,
    ClockError,
    ConfigurationError,
    CredentialsError,
    NeokeepError,
    RepositoryError,
    SpaceError,
    UnreachableError,
)
from neokeep.storage.base import ObjectLocked, ObjectMissing, TransientError
from neokeep.units import format_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_STATUS = re.compile(r"Server returned non-2xx status code: (\d{3})|\(code: (\d{3})\)")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,80})</Code>|\"code\": ?\"([A-Za-z0-9.]{1,80})\"")
_NO_LOCK = re.compile(r"ObjectLockConfiguration|Object ?Lock", re.IGNORECASE)
_METADATA = re.compile(
    r"169\.254\.169\.254|169\.254\.170\.2|metadata\.google\.internal|latest/api/token|oauth2/token|"
    r"AssumeRoleWithWebIdentity|sts\.[a-z0-9.-]*amazonaws|No such file or directory.*credential",
)

_CREDENTIALS = frozenset({
    "AuthFailure", "AuthenticationFailed", "AuthenticationRequired", "ExpiredToken", "ExpiredTokenException",
    "InvalidAccessKeyId", "InvalidAuthenticationInfo", "InvalidClientTokenId", "InvalidSecurity", "InvalidToken",
    "MissingSecurityHeader", "NoAuthenticationInformation", "NotSignedUp", "SignatureDoesNotMatch",
    "TokenRefreshRequired", "UnrecognizedClientException", "XAdminUserNotFound",
})  # fmt: skip
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
_GONE = frozenset({
    "AccountIsDisabled", "ContainerBeingDeleted", "ContainerDisabled", "ContainerNotFound", "NoSuchBucket",
})  # fmt: skip
_ELSEWHERE = frozenset({
    "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect",
})  # fmt: skip
_FULL = frozenset(
    {"InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
)
_PASSING = frozenset({
    "ConditionalRequestConflict", "InternalError", "OperationAborted", "OperationTimedOut", "RequestTimeout",
    "ServerBusy", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests",
})  # fmt: skip
_PASSING_STATUS = frozenset({"408", "425", "429", "500", "502", "503", "504"})

_CHECK_CREDENTIALS = (
    "Check the credentials that this command finds: the environment, the credentials file and its profile, or the role "
    "of this machine; see 'Object stores' in docs/operations.md."
)


def explain(problem: Exception, doing: str, url: str) -> NeokeepError:
    """Return the neokeep error for what obstore raised while doing something at `url`."""
    text = str(problem)
    status, code = _found(_STATUS, text), _found(_CODE, text)
    what = f"cannot {doing} {url}"
    if "Received redirect" in text:
        return _elsewhere(what, "")
    if not status:
        return _unanswered(problem, text, what)
    if code in _CLOCK or (code == "AuthenticationFailed" and "Request date header too old" in text):
        return ClockError(
            f"{what}: the storage says that this machine's clock is wrong ({code})",
            remedy="Let this machine follow a time server; object stores accept a few minutes of difference.",
        )
    if status == "400" and _NO_LOCK.search(text):
        return _unlockable(what, code)
    for applies, make in _KINDS:
        if applies(code, status):
            return make(f"{what}: {_answer(code, status)}", code)
    return RepositoryError(f"{what}: {_answer(code, status)}", remedy="See what the storage's own documents say.")


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next(filter(None, found.groups()), "") if found else ""


def _answer(code: str, status: str) -> str:
    return f"the storage answered {code} (HTTP {status})" if code else f"the storage answered HTTP {status}"


def _credentials(text: str, code: str) -> NeokeepError:
    if code in _EXPIRED:
        return CredentialsError(f"{text}: the credentials have expired", remedy=f"Renew them. {_CHECK_CREDENTIALS}")
    return CredentialsError(text, remedy=_CHECK_CREDENTIALS)


def _gone(text: str, _code: str) -> NeokeepError:
    return UnreachableError(
        f"{text}: there is no such bucket or container",
        remedy="Check its name, --repo-endpoint and the account; neokeep does not make buckets.",
    )


def _elsewhere(text: str, _code: str) -> NeokeepError:
    return ConfigurationError(
        f"{text}: the bucket is in another region or at another endpoint",
        remedy="Give its region by --repo-region, its server by --repo-endpoint.",
    )


def _full(text: str, _code: str) -> NeokeepError:
    return SpaceError(text, remedy="Free space there, or raise the quota; nothing half-written is visible.")


def _passing(text: str, _code: str) -> NeokeepError:
    return TransientError(text, remedy="Try again later; if it stays so, ask who runs the storage.")


def _denied(text: str, _code: str) -> NeokeepError:
    return AccessError(
        text,
        remedy="Allow these credentials to list the bucket and to read, write and delete below the prefix.",
    )


def _missing(text: str, _code: str) -> NeokeepError:
    return ObjectMissing(text, remedy="Run 'neokeep verify' to see what it touches.")


def _unconditional(text: str, _code: str) -> NeokeepError:
    return RepositoryError(
        f"{text}: it does not know the conditional requests on which every backup rests",
        remedy="Use a storage that honours If-None-Match; most do in their newer releases.",
    )


def _unlockable(text: str, _code: str) -> NeokeepError:
    return ConfigurationError(
        f"{text}: the bucket has no object lock",
        remedy="Make a bucket with object lock enabled, or leave --immutable-for out.",
    )


def locked(what: str, until: datetime) -> ObjectLocked:
    """Make the error for an object that cannot be removed before a date."""
    return ObjectLocked(
        f"{what} is locked by the storage until {format_time(until)}",
        until,
        remedy="Run this again after that; nobody can remove it earlier, and nothing is harmed.",
    )


_KINDS: tuple[tuple[Callable[[str, str], bool], Callable[[str, str], NeokeepError]], ...] = (
    (lambda code, _status: code in _CREDENTIALS, _credentials),
    (lambda code, _status: code in _GONE, _gone),
    (lambda code, status: code in _ELSEWHERE or status in {"301", "307", "308"}, _elsewhere),
    (lambda code, status: code in _FULL or status == "507", _full),
    (lambda code, status: code in _PASSING or status in _PASSING_STATUS, _passing),
    (lambda _code, status: status == "401", _credentials),
    (lambda _code, status: status == "403", _denied),
    (lambda _code, status: status == "404", _missing),
    (lambda _code, status: status == "501", _unconditional),
)


def _unanswered(problem: Exception, text: str, what: str) -> NeokeepError:
    """Explain a failure without an answer: no connection, a broken one, or no credentials to ask with."""
    if isinstance(problem, UnauthenticatedError):
        own = re.search(r"CredentialsError: ([^\n]+)", text)
        return CredentialsError(f"{what}: {own[1] if own else 'no credentials'}", remedy=_CHECK_CREDENTIALS)
    if "InvalidCertificate" in text or "certificate" in text:
        return CredentialsError(
            f"{what}: the certificate of the server is not trusted",
            remedy="Give the certificate of its authority by --repo-ca-file, and check --repo-endpoint.",
        )
    if _METADATA.search(text):
        return CredentialsError(f"{what}: no credentials were found", remedy=_CHECK_CREDENTIALS)
    if "invalid URL, scheme is not http" in text or "builder error" in text or "RelativeUrlWithoutBase" in text:
        return ConfigurationError(
            f"{what}: the endpoint is not a URL", remedy="Write it as https://HOST or http://HOST:PORT."
        )
    if "HTTP error" in text or "error sending request" in text or "Connection" in text:
        why = "its name is not known" if "dns error" in text else _how_it_broke(text)
        return TransientError(
            f"{what}: {why}", remedy="Check --repo-endpoint, --repo-region, the network and that the storage runs."
        )
    first = re.sub(r"https?://\S+", "the storage", text.split("\n", 1)[0])
    return RepositoryError(f"{what}: {first}", remedy="Check the options of the repository.")


def _how_it_broke(text: str) -> str:
    if "Timeout" in text or "TimedOut" in text or "timed out" in text:
        return "it did not answer in time"
    return "no connection" if "tcp connect error" in text else "the connection broke"
