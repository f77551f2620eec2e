"""What a user calls a place: a directory, or a URL of a kind that neokeep knows.

Nothing in it is a secret: user names and passwords of object stores, and passwords of SFTP, are refused here, so that
an address may stand in messages, reports and process lists. What is accepted is taken literally: no `%` escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from neokeep.errors import UsageError

OBJECT_STORES = {"s3": "bucket", "gs": "bucket", "az": "container"}
SCHEMES = ("file", *OBJECT_STORES, "sftp")
SSH_PORT = 22

_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{1,221}")
_PREFIX = re.compile(r"[A-Za-z0-9._=+@-]+(/[A-Za-z0-9._=+@-]+)*")
_HOST = r"\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_AUTHORITY = re.compile(rf"(?:(?P<user>[^@:/\s]+)@)?(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Address:
    """A place. `host` is the bucket of an object store; `path` has no `/` at its end.

    For `file` it is an absolute path, for object stores a prefix without `/` at its begin, for SFTP an absolute path or
    one that is relative to the user's home there.
    """

    scheme: str
    path: str
    host: str = ""
    user: str | None = None
    port: int | None = None

    @property
    def url(self) -> str:
        """What to call it in messages; parsing it gives the same address."""
        if self.scheme == "file":
            return self.path
        authority = f"{self.user}@{self.host}" if self.user else self.host
        if self.port is not None:
            authority += f":{self.port}"
        if self.scheme != "sftp":
            return f"{self.scheme}://{authority}" + (f"/{self.path}" if self.path else "")
        if self.path.startswith("/"):
            return f"sftp://{authority}{self.path}"
        return f"sftp://{authority}/~" + (f"/{self.path}" if self.path else "")


def parse_address(place: str) -> Address:
    """Read what a user calls a place.

    Raises:
        UsageError: it cannot be one; the message repeats nothing that may be a password.
    """
    if not place.strip():
        raise UsageError("the repository has an empty name", remedy="Give --repo REPOSITORY or set NEOKEEP_REPO.")
    if _CONTROL.search(place):
        raise UsageError("the repository's name holds control characters", remedy="Write it again, by hand.")
    scheme, separator, rest = place.partition("://")
    if not separator:
        return _directory(place)
    if scheme == "file":
        return _directory(rest)
    if scheme in OBJECT_STORES:
        return _bucket(scheme, rest)
    if scheme == "sftp":
        return _sftp(rest)
    known = ", ".join(f"{name}://" for name in SCHEMES)
    raise UsageError(
        f"{scheme}:// is not a kind of storage that this version of neokeep knows",
        remedy=f"Name a local directory, or a URL that begins with one of {known}.",
    )


def _directory(path: str) -> Address:
    if not path:
        raise UsageError("the repository has an empty name", remedy="Give --repo REPOSITORY or set NEOKEEP_REPO.")
    try:
        return Address("file", str(Path(path).expanduser().absolute()))
    except RuntimeError as problem:
        raise UsageError(f"{path}: {problem}", remedy="Write the directory without a '~'.") from problem


def _bucket(scheme: str, rest: str) -> Address:
    kind = OBJECT_STORES[scheme]
    bucket, _, path = rest.partition("/")
    if "@" in bucket or ":" in bucket:
        raise UsageError(
            f"a {scheme}:// URL holds neither credentials nor a port",
            remedy=f"Write {scheme}://{kind.upper()}/PREFIX; give a server of your own by --repo-endpoint, and "
            "credentials by the environment or a credentials file.",
        )
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{bucket!r} is not the name of a {kind}", remedy=f"Write {scheme}://{kind.upper()}/PREFIX.")
    prefix = path.strip("/")
    if prefix and (not _PREFIX.fullmatch(prefix) or _climbs(prefix)):
        raise UsageError(
            f"{prefix!r} cannot be the prefix of a repository",
            remedy="Use letters, digits and ._-=+@ between the slashes, and no '.' or '..' alone.",
        )
    return Address(scheme, prefix, bucket)


def _sftp(rest: str) -> Address:
    authority, _, path = rest.partition("/")
    if ":" in authority.rpartition("@")[0]:
        raise UsageError(
            "an sftp:// URL holds no password", remedy="Use a key: in ssh-agent, in ~/.ssh or by --repo-key-file."
        )
    found = _AUTHORITY.fullmatch(authority)
    if not found or (found["port"] and not 0 < int(found["port"]) < 65536):
        raise UsageError(
            "the server in the sftp:// URL cannot be understood", remedy="Write sftp://USER@HOST:PORT/PATH."
        )
    home = path == "~" or path.startswith("~/")
    place = (path[1:] if home else path).strip("/")
    if _climbs(place) or (place.startswith("~") and not home):
        raise UsageError(
            f"{place!r} cannot be the path of a repository",
            remedy="Write the whole path, or /~/PATH for one in the home of the user; without '.' and '..'.",
        )
    if not place:
        raise UsageError("the sftp:// URL names no directory", remedy="Write sftp://USER@HOST:PORT/PATH.")
    port = int(found["port"]) if found["port"] else None
    return Address("sftp", place if home else f"/{place}", found["host"], found["user"], port)


def _climbs(path: str) -> bool:
    return any(part in {"", ".", ".."} for part in path.split("/")) if path else False
