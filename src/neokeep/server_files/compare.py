"""What changed between two states of a server's other files: pure functions. No secret value leaves this module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from neokeep.server_files.gather import LEFT_OUT, REDACTED
from neokeep.server_files.properties import settings_of
from neokeep.server_files.reports import FileDifference, SettingDifference
from neokeep.server_files.secrets import CONF, PLUGINS, PROPERTIES, is_secret_setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from neokeep.repository.manifest import ServerFile

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class State:
    """A file as it is on one side, with the content of a configuration file where it is there."""

    file: ServerFile
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Differences:
    """What changed, and what could not be compared."""

    settings: tuple[SettingDifference, ...]
    files: tuple[FileDifference, ...]
    not_compared: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether all that could be compared is the same."""
        return not (self.settings or self.files)


def has_settings(file: ServerFile) -> bool:
    """Tell whether a file is compared setting by setting."""
    return file.area == CONF and PurePosixPath(file.path).suffix.lower() in PROPERTIES


def compare(before: Iterable[State], after: Iterable[State]) -> Differences:
    """Compare two states of a server's files."""
    old, new = _by_name(before), _by_name(after)
    settings: list[SettingDifference] = []
    files: list[FileDifference] = []
    unclear: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if _is_missing(one) or _is_missing(other):
            unclear.append(name)
        elif one is not None and other is not None and one.content is not None and other.content is not None:
            found, unknown = _compare_settings(name, one.content, other.content)
            settings += found
            unclear += unknown
            files += _mode_difference(name, one.file, other.file)
        else:
            files += _compare_files(name, one, other)
    return Differences(tuple(settings), tuple(_with_plugins(files, old, new)), tuple(unclear))


def _by_name(states: Iterable[State]) -> dict[str, State]:
    return {f"{state.file.area}/{state.file.path}": state for state in states}


def _is_missing(state: State | None) -> bool:
    """Tell whether a file is there and nothing can be said of it."""
    return state is not None and (state.file.state == LEFT_OUT or state.file.hash is None)


def _compare_settings(name: str, before: bytes, after: bytes) -> tuple[list[SettingDifference], list[str]]:
    old, old_left_out = settings_of(before)
    new, new_left_out = settings_of(after)
    left_out = old_left_out | new_left_out
    found: list[SettingDifference] = []
    unclear: list[str] = []
    for setting in sorted(old.keys() | new.keys() | left_out):
        one, other = old.get(setting, ()), new.get(setting, ())
        here, there = bool(one) or setting in old_left_out, bool(other) or setting in new_left_out
        if setting in left_out and here and there:
            unclear.append(f"{name}: {setting}")
        elif here != there or sorted(one) != sorted(other):
            secret = setting in left_out or any(is_secret_setting(setting, value) for value in (*one, *other))
            found.append(
                SettingDifference(
                    file=name,
                    setting=setting,
                    change=CHANGED if here and there else REMOVED if here else ADDED,
                    before=None if secret else one,
                    after=None if secret else other,
                )
            )
    return found, unclear


def _compare_files(name: str, one: State | None, other: State | None) -> list[FileDifference]:
    if one is None or other is None:
        present = one or other
        what = "" if present is None else _version(present.file)
        return [FileDifference(file=name, change=ADDED if one is None else REMOVED, what=what)]
    if REDACTED in {one.file.state, other.file.state} or one.file.hash != other.file.hash:
        return [FileDifference(file=name, change=CHANGED, what=_between(one.file, other.file))]
    return _mode_difference(name, one.file, other.file)


def _mode_difference(name: str, one: ServerFile, other: ServerFile) -> list[FileDifference]:
    """Tell of another mode or owner: a key that everybody can read is worth a line."""
    changes = []
    if one.mode != other.mode:
        changes.append(f"mode {one.mode:04o} -> {other.mode:04o}")
    owners = [f"{file.owner or file.uid}:{file.group or file.gid}" for file in (one, other)]
    if owners[0] != owners[1]:
        changes.append(f"owner {owners[0]} -> {owners[1]}")
    return [FileDifference(file=name, change=CHANGED, what=", ".join(changes))] if changes else []


def _between(one: ServerFile, other: ServerFile) -> str:
    if one.plugin is not None and other.plugin is not None and one.plugin != other.plugin:
        return f"{_version(one)} -> {_version(other)}"
    return f"other content, {one.size} -> {other.size} bytes"


def _version(file: ServerFile) -> str:
    return f"{file.plugin.name} {file.plugin.version}".strip() if file.plugin is not None else ""


def _with_plugins(
    files: Sequence[FileDifference], old: dict[str, State], new: dict[str, State]
) -> list[FileDifference]:
    """Tell of a plugin that came under another file name as what it is: another version, not one more and one less."""
    gone = {_name_of(old[item.file]): item for item in files if item.change == REMOVED and _name_of(old[item.file])}
    found: list[FileDifference] = []
    matched: set[str] = set()
    for item in files:
        before = gone.get(_name_of(new[item.file])) if item.change == ADDED else None
        if before is None:
            found.append(item)
            continue
        matched.add(before.file)
        versions = [_version(old[before.file].file), _version(new[item.file].file)]
        what = f"instead of {before.file}: {versions[0]} -> {versions[1]}"
        found.append(FileDifference(file=item.file, change=CHANGED, what=what))
    return [item for item in found if item.file not in matched or item.change != REMOVED]


def _name_of(state: State) -> str:
    """Name the plugin in a jar; empty for other files."""
    file = state.file
    return file.plugin.name.lower() if file.area == PLUGINS and file.plugin is not None else ""
