"""The options of the server's other files."""

from __future__ import annotations

from neokeep.option import CHOICE, DIRECTORY, Option

OPTIONS: tuple[Option, ...] = (
    Option(
        "server_files", CHOICE,
        "What else of the server goes with each backup: config is configuration, certificates, licences and a list "
        "of the plugins; all is the plugins themselves too. Private keys and secrets go into an encrypted repository "
        "only.",
        ("backup", "archive"), default="config", choices=("none", "config", "all"),
    ),
    Option(
        "server_files", DIRECTORY,
        "Restore no database, but the configuration, certificates, licences and plugins of a backup, into a new or "
        "empty directory.",
        ("restore",), in_environment=False, in_file=False,
    ),
)  # fmt: skip
