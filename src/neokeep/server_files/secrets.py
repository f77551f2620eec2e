"""What of a file may stand where everybody can read it: pure functions that err to the side of leaving out.

Only what is understood is public: settings that neither name nor look like a secret, log configurations without any
word of one, certificates, jars, licences. Of a configuration file the rest is kept; any other file goes as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from neokeep.neo4j.configuration import FILE_NAME, parse_properties
from neokeep.server_files.certificates import is_der
from neokeep.server_files.properties import IN_COMMENT, MARK, Group, decode, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable

CONF, CERTIFICATES, PLUGINS, LICENSES = "conf", "certificates", "plugins", "licenses"
AREAS = (CONF, CERTIFICATES, PLUGINS, LICENSES)

KEYS = frozenset({".key", ".p12", ".pfx", ".jks", ".jceks", ".keystore", ".pkcs12", ".p8", ".pk8", ".ppk", ".bcfks"})
"""Endings of files that hold private keys."""
PROPERTIES = frozenset({".conf", ".properties", ".cfg", ".ini"})

_WORDS = r"passw(?:or)?d|passphrase|passwd|passcode|pwd|secret|token|credential|api[-_.]?key|access[-_.]?key|apikey"
_SECRET_NAME = re.compile(rf"{_WORDS}|(?:^|[-_.])(?:pass|pw|key[-_.]?material)(?:$|[-_.])", re.IGNORECASE)
_OPEN_NAME = re.compile(r"(?:_endpoint|_minimum_password_length|token_type_principal|token_type_authentication)$")
_SECRET_VALUE = re.compile(
    rf"(?:{_WORDS})[\w.\-]*[\"']?\s*[=:]\s*[^\s]|--?(?:{_WORDS})[\w.\-]*\s+\S|://[^\s\"'<>]*@|jdbc:\S*@", re.IGNORECASE
)
_SECRET_WORD = re.compile(rf"{_WORDS}|://[^\s\"'<>]*@|jdbc:\S*@", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"://[^\s:@]*:([^\s@]+)@")
_COMMAND = re.compile(r"\$\([^)]*\)")
_NAME = re.compile(r"[\w.\-]+")
_LONG = 8
"""A secret of so many characters does not stand in another line by chance."""

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_OPEN_PEM = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CRL", "PUBLIC KEY"})
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{40}")


@dataclass(frozen=True, slots=True)
class Public:
    """The public part of a file: its content, None for nothing; the names of what is left out of it; or why."""

    content: bytes | None
    redacted: tuple[str, ...] = ()
    reason: str = ""


def public_part(area: str, path: str, content: bytes, *, private: bool = False) -> Public:
    """Say what of a file may stand in a repository that is not encrypted; `private` ones are named as keys."""
    ending = PurePosixPath(path).suffix.lower()
    if not content:
        return Public(content)
    if private or ending in KEYS or b"PRIVATE KEY" in content:
        return Public(None, reason="it is or holds a private key")
    # Letters of two bytes each would hide every word that is looked for.
    if area == CONF and b"\0" not in content and (public := _public_text(PurePosixPath(path), content)):
        return public
    if area == LICENSES or is_plain_by_name(area, path) or is_certificate(content):
        return Public(content)
    return Public(None, reason="neokeep does not know what it is, so it may hold a secret")


def _public_text(path: PurePosixPath, content: bytes) -> Public | None:
    """Say what of a configuration may be public; None of a kind that is not known."""
    if path.parent.name == FILE_NAME:
        secret = is_secret_setting(path.name, decode(content)[0].strip())
        return Public(None, reason="it holds a secret") if secret else Public(content)
    if path.suffix.lower() in PROPERTIES:
        return redacted(content)
    if path.suffix.lower() == ".xml":
        word = _SECRET_WORD.search(decode(content)[0])
        return Public(None, reason="it may hold a secret") if word else Public(content)
    return None


def is_plain_by_name(area: str, path: str) -> bool:
    """Tell whether a file is public whatever it holds, so that it need not be read whole to know."""
    return area == PLUGINS and PurePosixPath(path).suffix.lower() == ".jar"


def is_secret_setting(name: str, value: str) -> bool:
    """Tell whether the value of a setting is a secret, by its name or by how it looks; a command is none."""
    if not value or _COMMAND.fullmatch(value):
        return False
    if _SECRET_NAME.search(name) and not _OPEN_NAME.search(name):
        return True
    return bool(_SECRET_VALUE.search(value))


def redacted(content: bytes) -> Public:
    """Leave the secrets out of a configuration file, commented ones too; each is told in its place by its name."""
    text, encoding = decode(content)
    groups = groups_of(text)
    names = [_secret_name(group) for group in groups]
    values = _values(group for group, name in zip(groups, names, strict=True) if name)
    parts: list[str] = []
    found: list[str] = []
    for group, name in zip(groups, names, strict=True):
        left_out = name or (_shown(group) if any(value in group.text for value in values) else "")
        if left_out:
            found.append(left_out)
            parts.append(f"{MARK}{left_out}{group.end}")
        else:
            parts.append(group.text)
    return Public("".join(parts).encode(encoding), tuple(dict.fromkeys(found)))


def _secret_name(group: Group) -> str:
    """Name the setting of a group that holds a secret; empty where there is none."""
    if group.text.startswith(MARK):
        return ""
    for name, value in group.settings():
        if is_secret_setting(name, value):
            return _shown(group, name)
    return _shown(group) if _SECRET_VALUE.search(group.text) else ""


def _shown(group: Group, name: str = "") -> str:
    """Name what is left out: a setting by its name, or what stands in a comment."""
    settings = parse_properties(group.text)
    name = name or next(iter(settings), "")
    shown = name if _NAME.fullmatch(name) else "text"
    return shown if name in settings and shown == name else f"{shown}{IN_COMMENT}"


def _values(groups: Iterable[Group]) -> set[str]:
    """Collect the secrets that are long enough to be known again elsewhere."""
    values = {value for group in groups for _, value in group.settings() if not _COMMAND.fullmatch(value)}
    parts = {re.split(r"[=:\s]", value)[-1] for value in values}
    parts |= {password for value in values for password in _IN_ADDRESS.findall(value)}
    return {value for value in values | parts if len(value) >= _LONG}


def is_certificate(content: bytes) -> bool:
    """Tell whether content is certificates, lists of revoked ones or public keys, and nothing else."""
    if b"-----BEGIN" not in content:
        return is_der(content)
    text = content.decode("latin-1")
    kinds = {match[1] for match in _PEM.finditer(text)}
    rest = _PEM.sub("", text)
    return bool(kinds) and kinds <= _OPEN_PEM and "-----" not in rest and not _BASE64.search(rest)
