"""The options that say what opens an encrypted repository, and those that make new keys."""

from __future__ import annotations

from neokeep.option import CHOICE, FILE, SWITCH, TEXT, Option

KEYS = ("passphrase_file", "passphrase_command", "identity_file", "passphrase_prompt")
"""The options that open an encrypted repository: they are taken together, from the first place that names any."""

NEW_PASSPHRASE = ("key add", "key change-passphrase")


def of_keys(opens: tuple[str, ...]) -> tuple[Option, ...]:
    """Make the options; those that open a repository are for the commands `opens`."""
    return (
        Option(
            "passphrase_file", FILE, "The file with the passphrase of an encrypted repository; /dev/stdin works too.",
            opens,
        ),
        Option(
            "passphrase_command", TEXT,
            "A command that prints the passphrase, such as 'pass show neokeep'. No shell runs it.",
            opens,
        ),
        Option(
            "passphrase_prompt", SWITCH,
            "Ask for the passphrase on the terminal, which is done there anyway where no key is given; with init, "
            "encrypt.",
            opens, default="false", in_environment=False, in_file=False,
        ),
        Option(
            "identity_file", FILE,
            "The file with a private key (X25519, PEM) that opens an encrypted repository.",
            opens,
        ),
        Option(
            "recipient", FILE,
            "A file with a public key (X25519, PEM): its owner can read and write. With init it may be given "
            "repeatedly.",
            ("init", "key add"), in_environment=False, in_file=False, several=("init",),
        ),
        Option(
            "writer_recipient", FILE,
            "The same for one who can only write: make backups, and not restore them. It may be given repeatedly.",
            ("init",), in_environment=False, in_file=False, several=("init",),
        ),
        Option(
            "role", CHOICE,
            "Who opens the new key: a reader can do all, a writer can make backups and not restore them.",
            ("key add",), default="reader", choices=("reader", "writer"), in_environment=False, in_file=False,
        ),
        Option(
            "key_name", TEXT,
            "What to call the new key; everybody can read it. Not set: the name of the recipient's file, or none.",
            ("key add",), in_environment=False, in_file=False,
        ),
        Option(
            "new_passphrase_file", FILE, "The file with the new passphrase. Not set: it is asked for on the terminal.",
            NEW_PASSPHRASE, in_environment=False, in_file=False,
        ),
        Option(
            "new_passphrase_command", TEXT, "A command that prints the new passphrase.",
            NEW_PASSPHRASE, in_environment=False, in_file=False,
        ),
    )  # fmt: skip
