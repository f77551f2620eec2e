"""The options of `neokeep stats`."""

from __future__ import annotations

from neokeep.option import COUNT, FILE, Option

OPTIONS: tuple[Option, ...] = (
    Option(
        "top", COUNT, "List the most frequent so many labels, types, patterns and keys, and sum up the rest.",
        ("stats",), default="25", in_environment=False, in_file=False,
    ),
    Option(
        "html", FILE, "Write the statistics with plots to this file too: one page that needs nothing else.",
        ("stats",), in_environment=False, in_file=False,
    ),
)  # fmt: skip
