"""What a command is: its texts, its arguments and the function behind it; options come from the one table.

`build` makes the click command of it. The function gets a `Call` and answers with an `Outcome`; it prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from neokeep.cli.output import Printer
from neokeep.cli.terminal import progress_shown
from neokeep.config import load_settings
from neokeep.options import PLACE, options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neokeep.cli.output import Outcome
    from neokeep.config import Flags, Settings
    from neokeep.options import Option
    from neokeep.progress import Progress

Given = str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Argument:
    """A value that a command takes without a flag."""

    name: str
    metavar: str
    help: str
    required: bool = True
    many: bool = False

    @property
    def usage(self) -> str:
        """The argument as usage lines print it."""
        shown = self.metavar if self.required else f"[{self.metavar}]"
        return f"{shown}..." if self.many else shown


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command: the values of its options and arguments, and whom to tell how it goes."""

    settings: Settings
    progress: Progress
    arguments: Mapping[str, Given]

    def argument(self, name: str) -> str:
        """Give an argument that is one value; empty where one that is not required was not given."""
        value = self.arguments[name] or ""
        return value if isinstance(value, str) else " ".join(value)

    def list_of(self, name: str) -> tuple[str, ...]:
        """Give an argument that is any number of values."""
        value = self.arguments[name] or ()
        return (value,) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `name` as it is typed after neokeep, texts for help and docs, and the function that does it."""

    name: str
    summary: str
    description: str
    examples: tuple[str, ...]
    run: Callable[[Call], Outcome]
    arguments: tuple[Argument, ...] = ()
    passes_flags_on: bool = False
    prints_lines: bool = False
    """Whether its JSON is one document a line, printed as things happen."""

    @property
    def word(self) -> str:
        """The last word of the name."""
        return self.name.split(" ")[-1]

    @property
    def usage(self) -> str:
        """The command line in short, as docs print it."""
        return " ".join(["neokeep", self.name, "[OPTIONS]", *(argument.usage for argument in self.arguments)])


class _ClickCommand(click.Command):
    """Shows the help of a Command and runs it."""

    def __init__(self, command: Command) -> None:
        super().__init__(
            command.word,
            # Flags of a program that is run for the user are not ours: they follow the first argument.
            context_settings={"allow_interspersed_args": not command.passes_flags_on},
            params=[
                *map(_click_argument, command.arguments),
                *(_click_option(option, command.name) for option in options_of(command.name)),
            ],
            help=command.description,
            short_help=command.summary,
        )
        self.command = command
        self.prints_lines = command.prints_lines

    def invoke(self, ctx: click.Context) -> int:
        """Run the command; its exit status."""
        names = {argument.name for argument in self.command.arguments}
        given = {name: value for name, value in ctx.params.items() if name not in names}
        flags = {name: value or None if isinstance(value, tuple) else value for name, value in given.items()}
        arguments = {name: ctx.params[name] for name in names}
        return execute(self.command, flags, arguments, ctx.ensure_object(Printer))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the description, the arguments and the examples."""
        super().format_help_text(ctx, formatter)
        with formatter.section("Example" if len(self.command.examples) == 1 else "Examples"):
            for example in self.command.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        if self.command.arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(argument.metavar, argument.help) for argument in self.command.arguments])


def build(command: Command) -> click.Command:
    """Make the click command."""
    return _ClickCommand(command)


def execute(command: Command, flags: Flags, arguments: Mapping[str, Given], printer: Printer) -> int:
    """Run a command with what was parsed, print its outcome, and give the exit status."""
    printer.command, printer.lines = command.name, command.prints_lines
    settings = load_settings(command.name, flags)
    printer.json = settings.choice("output") == "json"
    printer.quiet = settings.switch("quiet")
    with progress_shown(silent=printer.json or printer.quiet) as progress:
        outcome = command.run(Call(settings, progress, arguments))
    return printer.outcome(outcome)


def _click_argument(argument: Argument) -> click.Argument:
    number = -1 if argument.many else 1
    return click.Argument([argument.name], metavar=argument.usage, required=argument.required, nargs=number)


def _click_option(option: Option, command: str) -> click.Option:
    """Make the click option. It hands its text on: config.py reads values, whatever they come from, in one place."""
    shown = option_help(option)
    if option.is_switch:
        flags = f"{option.flag}/{option.negative_flag}" if option.negative_flag else option.flag
        return click.Option([flags, option.name], is_flag=True, default=None, help=shown)
    kind = click.Choice(option.choices) if option.choices else click.STRING
    if option.alone is not None:
        return click.Option(
            [option.flag, option.name], type=kind, metavar=f"[{option.metavar}]",
            is_flag=False, flag_value=option.alone, help=shown,
        )  # fmt: skip
    # A second value of what is given once is a mistake that click would not tell, so it takes them all.
    return click.Option(
        [option.flag, option.name], type=kind, metavar=option.metavar, help=shown,
        multiple=option.kind is PLACE or command in option.several,
    )  # fmt: skip


def option_help(option: Option) -> str:
    """Tell what an option means, its default and its environment variable."""
    facts = []
    if option.default is not None and not option.is_switch:
        facts.append(f"default: {option.default}")
    if option.is_switch and option.default == "true":
        facts.append(f"default: {option.flag}")
    if option.variable:
        facts.append(f"env: {option.variable}")
    return f"{option.help}  [{'; '.join(facts)}]" if facts else option.help
