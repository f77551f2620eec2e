"""What an option is, and what it can take: the words in which options.py and its parts are written.

The text of a value is read here, wherever it comes from; UsageError for nonsense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep import units
from neokeep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = str | int | float | bool | Path | datetime | tuple[str | Path, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """What an option takes: how it is shown in help texts, and how its text is read (UsageError for nonsense)."""

    metavar: str
    read: Callable[[str], Value]


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    `default` is written as a user would write it. An option that is not `lasting` belongs to one call: it has neither
    an environment variable nor a key in neokeep.toml, so that nothing left behind there can change what a call does.
    """

    name: str
    kind: Kind
    help: str
    commands: tuple[str, ...]
    default: str | None = None
    choices: tuple[str, ...] = ()
    own_variable: str | None = None
    in_environment: bool = True
    in_file: bool = True
    alone: str | None = None
    """What the flag means without a value; None where it needs one."""
    several: tuple[str, ...] = ()
    """The commands that take it more than once."""

    @property
    def key(self) -> str:
        """The key in the [defaults] of neokeep.toml."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """The flag of the command line."""
        return f"--{self.key}"

    @property
    def variable(self) -> str | None:
        """The environment variable, None when there is none."""
        if not self.in_environment:
            return None
        return self.own_variable or f"NEOKEEP_{self.name.upper()}"

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.kind is SWITCH

    @property
    def negative_flag(self) -> str | None:
        """The flag that turns a switch off again; None where there is nothing to turn off."""
        return f"--no-{self.key}" if self.is_switch and (self.in_file or self.in_environment) else None

    @property
    def metavar(self) -> str:
        """What stands for the value in help texts."""
        return "|".join(self.choices) or self.kind.metavar

    def read(self, text: str) -> Value:
        """Read a value from text; UsageError for nonsense."""
        value = self.kind.read(text)
        if self.choices and value not in self.choices:
            raise UsageError(f"{text!r} is none of {', '.join(self.choices)}", remedy=f"Choose one of {self.metavar}.")
        return value


_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def _read_switch(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise UsageError(f"{text!r} is neither yes nor no", remedy="Write true or false.")


def _read_count(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 6 and int(digits) > 0):
        raise UsageError(f"{text!r} is not a number from 1 on", remedy="Write a whole number, such as 4.")
    return int(digits)


def _read_transaction(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18 and int(digits) > 0):
        raise UsageError(f"{text!r} is not a transaction id", remedy="Write the number, such as 4711.")
    return int(digits)


def _read_name(text: str) -> str:
    if not text.strip():
        raise UsageError("the value is empty", remedy="Write a value, or leave the option out.")
    return text


def _read_path(text: str) -> Path:
    return Path(_read_name(text)).expanduser()


def _read_endpoint(text: str) -> str:
    # Whatever stands before an @ would be a user and a password, so the text is not repeated.
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", text.strip()):
        raise UsageError("the endpoint is not a URL", remedy="Write it as https://HOST or http://HOST:PORT.")
    return text.strip().rstrip("/")


def _read_part(text: str) -> str:
    from neokeep.repository.coverage import read_part

    read_part(text)
    return text.strip()


NAME = Kind("NAME", _read_name)
URL = Kind("URL", _read_endpoint)
LABEL = Kind("LABEL", _read_name)
TEXT = Kind("TEXT", _read_name)
PLACE = Kind("REPOSITORY", _read_name)
ADDRESS = Kind("PATH", _read_name)
CHOICE = Kind("CHOICE", _read_name)
DIRECTORY = Kind("DIRECTORY", _read_path)
FILE = Kind("FILE", _read_path)
COUNT = Kind("NUMBER", _read_count)
RATE = Kind("RATE", units.parse_rate)
SIZE = Kind("SIZE", units.parse_size)
DURATION = Kind("TIME", units.parse_duration)
SHARE = Kind("PERCENT", units.parse_share)
TRANSACTION = Kind("ID", _read_transaction)
PART = Kind("NUMBER/OF", _read_part)
MOMENT = Kind("TIME", units.parse_time)
SWITCH = Kind("", _read_switch)
