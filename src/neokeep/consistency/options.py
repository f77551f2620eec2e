"""The options of the check of a graph."""

from __future__ import annotations

from neokeep.option import NAME, Kind, Option

_SCHEDULER = Kind("URL", NAME.read)

OPTIONS: tuple[Option, ...] = (
    Option(
        "scheduler", _SCHEDULER,
        "Have the workers of a dask cluster share the work, by the address of its scheduler, such as "
        "tcp://scheduler:8786. Each has to find the database at the same path. Needs the extra distributed.",
        ("check-consistency",),
    ),
)  # fmt: skip
