"""What a database may be called."""

from __future__ import annotations

import re

from neokeep.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9.-]{2,62}")


def is_database_name(name: str) -> bool:
    """Tell whether Neo4j could have made a database directory of this name."""
    return _NAME.fullmatch(name) is not None


def require_database_name(name: str) -> str:
    """Return the name as Neo4j normalises it (lower case).

    Raises:
        UsageError: Neo4j would not accept it.
    """
    normal = name.lower()
    if not _NAME.fullmatch(normal):
        raise UsageError(
            f"{name!r} is no name for a database",
            remedy="Use 3 to 63 letters, digits, dots and dashes, beginning with a letter.",
        )
    return normal
