"""What Amazon's own tools read for S3: environment, credentials file, configuration file, profiles.

`settle` is a pure function of options, environment and the two files. What it leaves out, the library finds by itself:
a web identity, a container's role, the role of the machine (IMDS). A profile that needs more than keys (SSO, assumed
roles) is resolved by boto3 where that is installed.
"""

from __future__ import annotations

import configparser
import json
import shlex
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import ConfigurationError, CredentialsError
from neokeep.files import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import S3Credential

    from neokeep.storage.place import StorageOptions

DEFAULT_REGION = "us-east-1"
_NEED_BOTO3 = (
    "role_arn",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
    "credential_source",
    "login_session",
)
_PROCESS_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Profile:
    """The values of one profile, of both files together, by their own names."""

    name: str
    values: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """Give a value; None for one that is missing or empty."""
        return self.values.get(name) or None


@dataclass(frozen=True, slots=True)
class S3Settings:
    """What decides how S3 is reached. `keys` is None where the library or `credential_process` finds them.

    `endpoint` is the address of the bucket where that is in the name of the host; `service` is that without it.
    """

    region: str
    endpoint: str | None
    service: str | None
    by_host: bool
    ca_file: Path | None
    keys: Mapping[str, str] | None
    process: str | None = None
    boto3_profile: str | None = None


def read_profile(environment: Mapping[str, str]) -> Profile:
    """Read the profile that AWS_PROFILE names, or the default one; an empty one where there is no file.

    Raises:
        ConfigurationError: the named profile is in neither file, or a file cannot be understood.
        AccessError: a file may not be read.
    """
    named = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
    name = named or "default"
    home = Path(environment.get("HOME") or Path.home()) / ".aws"
    configuration = Path(environment.get("AWS_CONFIG_FILE") or home / "config").expanduser()
    credentials = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials").expanduser()
    found: dict[str, str] = {}
    present = False
    for path, section in ((configuration, name if name == "default" else f"profile {name}"), (credentials, name)):
        parser = _parsed(path)
        if parser.has_section(section):
            present = True
            found.update(parser.items(section))
    if named and not present:
        raise ConfigurationError(
            f"there is no profile {name!r} in {configuration} and {credentials}",
            remedy="Check AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE.",
        )
    return Profile(name, found)


def settle(options: StorageOptions, bucket: str, environment: Mapping[str, str], profile: Profile) -> S3Settings:
    """Decide how S3 is reached: an option over the environment over the profile."""
    endpoint = (
        options.endpoint
        or environment.get("AWS_ENDPOINT_URL_S3")
        or environment.get("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url")
    )
    region = (
        options.region
        or environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or profile.get("region")
        or DEFAULT_REGION
    )
    bundle = environment.get("AWS_CA_BUNDLE") or profile.get("ca_bundle")
    # A certificate for *.s3.amazonaws.com does not cover a name with more dots in it.
    by_host = options.addressing == "host" or (options.addressing == "auto" and not endpoint and "." not in bucket)
    settings = S3Settings(
        region=region,
        endpoint=_with_bucket(endpoint, bucket) if endpoint and by_host else endpoint,
        service=endpoint or None,
        by_host=by_host,
        ca_file=options.ca_file or (Path(bundle).expanduser() if bundle else None),
        keys=None,
    )
    return _with_keys(settings, environment, profile)


def credentials_of_process(command: str) -> S3Credential:
    """Run a profile's `credential_process` and read what it prints.

    Raises:
        CredentialsError: it fails or prints something else. Its output is never repeated.
    """
    remedy = "Run the credential_process of that profile by hand and see what it says."
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, check=True, timeout=_PROCESS_SECONDS, stdin=subprocess.DEVNULL
        )
        answer = json.loads(done.stdout)
        expires = answer.get("Expiration")
        return {
            "access_key_id": str(answer["AccessKeyId"]),
            "secret_access_key": str(answer["SecretAccessKey"]),
            "token": answer.get("SessionToken"),
            "expires_at": datetime.fromisoformat(expires).astimezone(UTC) if expires else None,
        }
    except (OSError, subprocess.SubprocessError):
        raise CredentialsError("the credential_process of the AWS profile failed", remedy=remedy) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CredentialsError(
            "the credential_process of the AWS profile did not print credentials", remedy=remedy
        ) from None


def _with_keys(settings: S3Settings, environment: Mapping[str, str], profile: Profile) -> S3Settings:
    """Find the keys, in the order of Amazon's tools: environment, profile; others are found by the library."""
    if environment.get("AWS_ACCESS_KEY_ID") and not environment.get("AWS_PROFILE"):
        return replace(settings, keys=_environment_keys(environment))
    if profile.get("aws_access_key_id") and profile.get("aws_secret_access_key"):
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        keys = {name.removeprefix("aws_"): profile.values[name] for name in names if profile.get(name)}
        return replace(settings, keys=keys)
    if profile.get("credential_process"):
        return replace(settings, process=profile.get("credential_process"))
    if any(profile.get(name) for name in _NEED_BOTO3):
        return replace(settings, boto3_profile=profile.name)
    if environment.get("AWS_ACCESS_KEY_ID"):
        return replace(settings, keys=_environment_keys(environment))
    return settings


def _environment_keys(environment: Mapping[str, str]) -> dict[str, str]:
    names = {
        "access_key_id": "AWS_ACCESS_KEY_ID",
        "secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
    }
    keys = {key: environment[name] for key, name in names.items() if environment.get(name)}
    if "secret_access_key" not in keys:
        raise CredentialsError("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY", remedy="Set both, or neither.")
    return keys


def _with_bucket(endpoint: str, bucket: str) -> str:
    scheme, separator, host = endpoint.partition("://")
    return f"{scheme}{separator}{bucket}.{host}"


def _parsed(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, default_section="\0", strict=False)
    try:
        with explained("read", path):
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
        parser.read_string(text)
    except (configparser.Error, UnicodeDecodeError):
        # The parser's message would repeat the line, which may hold a key.
        raise ConfigurationError(
            f"{path} is not a configuration file of AWS", remedy="See the documents of the AWS command line."
        ) from None
    return parser
