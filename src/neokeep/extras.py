"""Packages that only some work needs: which of neokeep's extras brings one that is missing."""

from __future__ import annotations

from neokeep.errors import ConfigurationError


class MissingExtra(ConfigurationError):
    """A package that only some work needs is not installed."""

    def __init__(self, work: str, package: str | None, extra: str) -> None:
        super().__init__(
            f"{work} needs {package}, which is not installed",
            remedy=f"Install it, for example: pip install 'neokeep[{extra}]'",
        )
