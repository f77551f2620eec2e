"""What a user asks of a verification: how deep, which share, and what it may go on with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from neokeep.errors import UsageError
from neokeep.repository.verified import CONTENT, STRUCTURE

RESUME_WITHIN = timedelta(days=7)
DEPTHS = (STRUCTURE, CONTENT)


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How deep to look, at which share, and whether what was found whole is to be recovered afterwards.

    `part` is such as 3/30, or auto/30 for the one whose proof is the oldest. A verification of everything that did not
    come to its end and began `resume_within` is gone on with, unless everything is to be read `again`.
    """

    depth: str = CONTENT
    part: str | None = None
    again: bool = False
    resume_within: timedelta = RESUME_WITHIN
    recover: bool = False

    def check(self, label: str | None) -> None:
        """Refuse what makes no sense together; `label` is that of the one backup to verify.

        Raises:
            UsageError: the options do not fit together.
        """
        if self.depth not in DEPTHS:
            raise UsageError(f"depth {self.depth!r} is not known", remedy=f"Choose one of {', '.join(DEPTHS)}.")
        if self.part is not None and (label is not None or self.depth == STRUCTURE):
            raise UsageError(
                "a part is one of all packs and segments: it does not go with one backup or with the structure alone",
                remedy="Leave --part out, or --backup and --depth.",
            )
        if self.recover and (self.part is not None or self.depth == STRUCTURE):
            raise UsageError(
                "recovering needs all content, so it does not go with a part or with the structure alone",
                remedy="Leave --recover out, or --part and --depth.",
            )

    @property
    def of_everything(self) -> bool:
        """Whether all content is asked for, as far as no single backup is."""
        return self.depth == CONTENT and self.part is None


EVERYTHING = VerifyOptions()
