"""Reading and moving on the dates until which a bucket keeps its objects.

The library that does everything else with buckets cannot send these two requests; Amazon's own can. It is imported when
dates are moved on, and not before: nothing else needs it.
"""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neokeep.errors import AccessError, NeokeepError, UnreachableError
from neokeep.extras import MissingExtra
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from datetime import datetime

    from neokeep.storage.aws import S3Settings
    from neokeep.storage.place import StorageOptions

AT_ONCE = 16
"""Requests on their way at once: each is answered in the time of a round trip, whatever the size of its object."""

_MISSING = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True, slots=True)
class _Library:
    client: Any
    refused: type[Exception]
    failed: type[Exception]


class Retention:
    """The dates of the objects of one bucket. Safe to use from several threads."""

    def __init__(self, bucket: str, settings: S3Settings, options: StorageOptions) -> None:
        self._bucket = bucket
        self._settings = settings
        self._options = options
        self._lock = threading.Lock()
        self._library: _Library | None = None

    def until(self, key: str) -> datetime | None:
        """Ask until when an object stays; None where it is not locked.

        Raises:
            ConfigurationError: the library for it is not installed.
            ObjectMissing, AccessError, UnreachableError: the bucket does not say.
        """
        found: datetime | None = self._ask("head_object", key).get("ObjectLockRetainUntilDate")
        return found

    def extend(self, key: str, until: datetime) -> None:
        """Keep an object until a later date.

        Raises: see `until`.
        """
        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        self._ask("put_object_retention", key, Retention=retention)

    def _ask(self, request: str, key: str, **more: object) -> dict[str, Any]:
        library = self._opened()
        try:
            answer: dict[str, Any] = getattr(library.client, request)(Bucket=self._bucket, Key=key, **more)
        except library.refused as problem:
            raise _explained(problem, key) from None
        except library.failed as problem:
            # Its texts may hold the address that was asked, never a key.
            raise UnreachableError(
                f"the lock of {key} in {self._bucket}: {problem}", remedy="Check the endpoint and the credentials."
            ) from None
        return answer

    def _opened(self) -> _Library:
        with self._lock:
            if self._library is None:
                self._library = _open(self._settings, self._options)
            return self._library


def _open(settings: S3Settings, options: StorageOptions) -> _Library:
    try:
        session = importlib.import_module("botocore.session")
        config = importlib.import_module("botocore.config")
        exceptions = importlib.import_module("botocore.exceptions")
    except ModuleNotFoundError as problem:
        raise MissingExtra("moving the dates of locks on", "botocore", "lock") from problem
    keys = settings.keys or {}
    client = session.Session().create_client(
        "s3",
        region_name=settings.region,
        endpoint_url=settings.service,
        verify=str(settings.ca_file) if settings.ca_file else None,
        aws_access_key_id=keys.get("access_key_id"),
        aws_secret_access_key=keys.get("secret_access_key"),
        aws_session_token=keys.get("session_token"),
        config=config.Config(
            s3={"addressing_style": "virtual" if settings.by_host else "path"},
            max_pool_connections=AT_ONCE,
            retries={"max_attempts": options.retries + 1, "mode": "standard"},
            connect_timeout=options.timeout,
            read_timeout=options.timeout,
        ),
    )
    return _Library(client, exceptions.ClientError, exceptions.BotoCoreError)


def _explained(problem: Any, key: str) -> NeokeepError:
    error = problem.response.get("Error", {})
    code = str(error.get("Code", ""))
    if code in _MISSING:
        return ObjectMissing(f"there is no object {key}")
    return AccessError(
        f"the lock of {key} cannot be looked at or moved on: {code} {error.get('Message', '')}".strip(),
        remedy="Allow s3:GetObjectRetention and s3:PutObjectRetention in a bucket with object lock.",
    )
