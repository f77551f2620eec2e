"""Opening the three kinds of object store of the library obstore, from an address and options.

Keys and tokens go from the environment and files of each cloud's own tools to the library. None is kept here.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from neokeep.errors import ConfigurationError, CredentialsError
from neokeep.files import explained
from neokeep.storage import aws
from neokeep.storage.object_lock import ObjectLock, locked_until
from neokeep.storage.objects import ObjectStorage
from neokeep.storage.retention import Retention

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config, S3CredentialProvider

    from neokeep.storage.address import Address
    from neokeep.storage.place import StorageOptions

_CONNECT_SECONDS = 10
_NO_RETRIES: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(hours=1)}
_PLAIN = "the connection to the storage is not encrypted: its endpoint begins with http://"


def open_bucket(address: Address, options: StorageOptions) -> ObjectStorage:
    """Open a bucket or container. Nothing is asked of the server yet.

    Raises:
        ConfigurationError: the options, or the files of the cloud's own tools, make no sense.
        CredentialsError: credentials are half there.
    """
    opened = {"s3": _open_s3, "gs": _open_google, "az": _open_azure}[address.scheme]
    try:
        return opened(address, options, os.environ)
    except (ConfigurationError, CredentialsError):
        raise
    except Exception as problem:  # noqa: BLE001  the library has no common type, and its text may hold what it was given
        raise ConfigurationError(
            f"{address.url} cannot be opened with these options ({type(problem).__name__})",
            remedy="Check the options of the repository and the variables of its cloud in the environment.",
        ) from None


def _open_s3(address: Address, options: StorageOptions, environment: Mapping[str, str]) -> ObjectStorage:
    from obstore.store import S3Store

    settings = aws.settle(options, address.host, environment, aws.read_profile(environment))
    config: S3Config = {
        "region": settings.region,
        "virtual_hosted_style_request": settings.by_host,
        "conditional_put": "etag",
        "disable_bulk_delete": True,
    }
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    provider: S3CredentialProvider | None = None
    if settings.keys:
        config.update(settings.keys)  # type: ignore[typeddict-item]
    elif settings.process:
        command = settings.process
        provider = lambda: aws.credentials_of_process(command)  # noqa: E731
    elif settings.boto3_profile:
        provider = _boto3_provider(settings.boto3_profile)
    client = _client(options, settings.endpoint, settings.ca_file)

    def opened(more: S3Config, headers: dict[str, str], retries: RetryConfig = _NO_RETRIES) -> S3Store:
        return S3Store(
            address.host,
            config={**config, **more},
            client_options={**client, "default_headers": headers} if headers else client,
            retry_config=retries,
            credential_provider=provider,
        )

    store = opened({}, {})
    # S3 takes a date only together with a checksum of the content.
    with_date = partial(opened, {"checksum_algorithm": "SHA256"})
    lock = ObjectLock(with_date, options.immutable_for) if options.immutable_for else None
    return ObjectStorage(
        store,
        address.url,
        address.path,
        _caveats(settings.endpoint),
        lock=lock,
        locked_until=lambda key: locked_until(store, key, settings.ca_file),
        retention=Retention(address.host, settings, options),
        for_parts=partial(opened, {}, {}, _repeating(options)),
    )


def _open_google(address: Address, options: StorageOptions, environment: Mapping[str, str]) -> ObjectStorage:
    from obstore.store import GCSStore

    config: GCSConfig = {}
    if options.endpoint:
        config["base_url"] = options.endpoint
    client = _client(options, options.endpoint or environment.get("GOOGLE_BASE_URL"), options.ca_file)
    opened = partial(GCSStore, address.host, config=config, client_options=client)
    return ObjectStorage(
        opened(retry_config=_NO_RETRIES),
        address.url,
        address.path,
        _caveats(options.endpoint),
        for_parts=partial(opened, retry_config=_repeating(options)),
    )


def _open_azure(address: Address, options: StorageOptions, environment: Mapping[str, str]) -> ObjectStorage:
    from obstore.store import AzureStore

    config: AzureConfig = {}
    endpoint = options.endpoint or environment.get("AZURE_STORAGE_ENDPOINT") or environment.get("AZURE_ENDPOINT")
    if endpoint:
        config["endpoint"] = endpoint
    if not any(environment.get(name) for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_USE_EMULATOR")):
        raise ConfigurationError(
            f"{address.url}: it is not said which account the container is in",
            remedy="Set AZURE_STORAGE_ACCOUNT_NAME, and a key or token as docs/operations.md says.",
        )
    client = _client(options, endpoint, options.ca_file)
    opened = partial(AzureStore, address.host, config=config, client_options=client)
    return ObjectStorage(
        opened(retry_config=_NO_RETRIES),
        address.url,
        address.path,
        _caveats(endpoint),
        for_parts=partial(opened, retry_config=_repeating(options)),
    )


def _client(options: StorageOptions, endpoint: str | None, ca_file: Path | None) -> ClientConfig:
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, options.timeout)),
        "timeout": timedelta(seconds=options.timeout),
        # Whoever writes http:// means it; `check` tells what that means.
        "allow_http": _is_plain(endpoint),
        "user_agent": "neokeep",
    }
    if ca_file is not None:
        with explained("read", ca_file):
            client["root_certificate"] = ca_file.read_bytes()
    return client


def _repeating(options: StorageOptions) -> RetryConfig:
    """Have the library itself repeat requests: of a part of an object it is known what a second one does."""
    return {"max_retries": options.retries, "retry_timeout": timedelta(seconds=options.timeout)}


def _is_plain(endpoint: str | None) -> bool:
    return (endpoint or "").lower().startswith("http://")


def _caveats(endpoint: str | None) -> tuple[str, ...]:
    return (_PLAIN,) if _is_plain(endpoint) else ()


def _boto3_provider(profile: str) -> S3CredentialProvider:
    if importlib.util.find_spec("boto3") is None:
        raise ConfigurationError(
            f"the AWS profile {profile!r} needs boto3, which is not installed: it has a role or single sign-on",
            remedy="Install boto3 beside neokeep, or put keys into the environment.",
        )
    boto3 = importlib.import_module("boto3")
    providers = importlib.import_module("obstore.auth.boto3")
    provider: S3CredentialProvider = providers.Boto3CredentialProvider(boto3.Session(profile_name=profile))
    return provider
