"""Records of verifications: what was proven, when, and what was found wrong. Written once, merged by the next one.

A record holds all that earlier ones told, so the newest is enough; those that it replaces are removed when it is there
and was read again. Two verifications at the same time leave two, and both count. Losing a record loses the knowledge
that something was proven, never a backup. Bytes are laid out in docs/format.md.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from neokeep.compression import ZstdError, compress, decompress
from neokeep.errors import IntegrityError, NeokeepError
from neokeep.repository.coverage import Coverage, combined, key_of, proven_at
from neokeep.storage.base import ObjectExists, ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.storage.base import Storage

PREFIX = "verified"
STRUCTURE, CONTENT = "structure", "content"
MAGIC = b"NKVERI1\n"
_LOOKS = 3
MOST_RUNS = 1000
"""Runs of which the time and the outcome are kept: three years of one a day."""


class ProvenBackup(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one backup: whole or not when it was last judged, and since when what it needs was proven.

    `recovered` is when the log behind it was last applied in scratch, `fits` what that found.
    """

    label: str
    judged: datetime
    whole: bool
    structure: datetime | None = None
    content: datetime | None = None
    recovered: datetime | None = None
    fits: bool = True


class CheckedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """When the graph in a backup was last checked, by the storage's clock, and how much was not as it has to be."""

    label: str
    checked: datetime
    inconsistencies: int

    @property
    def consistent(self) -> bool:
        """Whether nothing was found."""
        return not self.inconsistencies


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One verification that came to its end: its begin by the storage's clock, how deep, of what, and its outcome."""

    begun: datetime
    depth: str
    part: str | None
    backup: str | None
    ok: bool

    @property
    def of_everything(self) -> bool:
        """Whether it read all that there was."""
        return self.depth == CONTENT and self.part is None and self.backup is None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known. `unproven` holds names of objects that were found wrong or unreadable at a time.

    `going_on` is the begin of a verification of everything that has not come to its end; None otherwise.
    """

    coverage: Coverage = ()
    unproven: dict[str, datetime] = {}
    backups: tuple[ProvenBackup, ...] = ()
    runs: tuple[Run, ...] = ()
    replaces: tuple[str, ...] = ()
    going_on: datetime | None = None
    checked: tuple[CheckedBackup, ...] = ()

    def of_backup(self, label: str) -> ProvenBackup | None:
        """Find what is known of a backup."""
        return next((one for one in self.backups if one.label == label), None)

    def proven(self, name: str, identity: bytes, created: datetime) -> datetime | None:
        """Tell since when an object counts as proven; None: never, or it was found wrong after that."""
        found = proven_at(self.coverage, key_of(identity))
        if found is None or created >= found:
            return None
        wrong = self.unproven.get(name)
        return None if wrong is not None and wrong >= found else found


NOTHING = Record()


def read_records(storage: Storage) -> Record:
    """Read what is known, from the newest record, and those that it does not replace.

    A record that cannot be read tells nothing.
    """
    for _ in range(_LOOKS):
        record, vanished = _look(storage)
        if not vanished:
            break
    return record


def _look(storage: Storage) -> tuple[Record, bool]:
    """Read what is known; tell whether a record went before it could be read: then a newer one is there."""
    found: list[Record] = []
    replaced: set[str] = set()
    names: list[str] = []
    vanished = False
    for item in sorted(storage.list(PREFIX), key=lambda item: (item.created, item.name), reverse=True):
        names.append(item.name)
        if item.name in replaced:
            continue
        try:
            record = decode_record(item.name, storage.read(item.name))
        except ObjectMissing:
            vanished = True
            continue
        except IntegrityError:
            continue
        if record is not None:
            found.append(record)
            replaced.update(record.replaces)
    return msgspec.structs.replace(merged(found), replaces=tuple(sorted(names))), vanished


def merged(records: Iterable[Record]) -> Record:
    """Join what several records tell."""
    known = list(records)
    coverage = combined(stretch for record in known for stretch in record.coverage)
    unproven: dict[str, datetime] = {}
    backups: dict[str, ProvenBackup] = {}
    checked: dict[str, CheckedBackup] = {}
    for record in known:
        for name, time in record.unproven.items():
            unproven[name] = max(time, unproven.get(name, time))
        for one in record.backups:
            backups[one.label] = joined(one, backups.get(one.label))
        for found in record.checked:
            checked[found.label] = max(found, checked.get(found.label, found), key=_newest_and_worst)
    runs = sorted({run for record in known for run in record.runs}, key=lambda run: (run.begun, str(run)))
    return Record(
        coverage=coverage,
        unproven=unproven,
        backups=tuple(backups[label] for label in sorted(backups)),
        runs=tuple(runs[-MOST_RUNS:]),
        going_on=_still_going(known, runs),
        checked=tuple(checked[label] for label in sorted(checked)),
    )


def _newest_and_worst(found: CheckedBackup) -> tuple[datetime, int]:
    return found.checked, found.inconsistencies


def _still_going(records: list[Record], runs: list[Run]) -> datetime | None:
    """Give the begin of the newest verification of everything after which none came to its end."""
    ended = max((run.begun for run in runs if run.of_everything), default=None)
    begun = (record.going_on for record in records if record.going_on is not None)
    return max((time for time in begun if ended is None or time > ended), default=None)


def joined(one: ProvenBackup, other: ProvenBackup | None) -> ProvenBackup:
    """Join what two records tell of a backup: the newest of everything."""
    if other is None:
        return one
    newer = max(one, other, key=lambda known: (known.judged, not known.whole))
    applied = [known for known in (one, other) if known.recovered is not None]
    last = max(applied, key=lambda known: (known.recovered, not known.fits), default=newer)
    return msgspec.structs.replace(
        newer,
        structure=_latest(one.structure, other.structure),
        content=_latest(one.content, other.content),
        recovered=last.recovered,
        fits=last.fits,
    )


def store_record(storage: Storage, record: Record) -> str:
    """Store a record, and remove those that it replaces; return its name.

    Raises:
        NeokeepError: it could not be stored; nothing was removed.
    """
    data = encode_record(record)
    name = f"{PREFIX}/{blake3(data).hexdigest()}"
    with suppress(ObjectExists):
        storage.create(name, data)
    if storage.read(name) == data:
        for old in record.replaces:
            with suppress(NeokeepError):  # A store that refuses to delete keeps them: they are not read any more.
                if old != name:
                    storage.delete(old)
    return name


def encode_record(record: Record) -> bytes:
    """Serialise a record."""
    return MAGIC + compress(msgspec.json.encode(record), 3)


def decode_record(name: str, data: bytes) -> Record | None:
    """Undo `encode_record`; None where the bytes are not those that the name promises."""
    if not data.startswith(MAGIC) or blake3(data).hexdigest() != name.rsplit("/", 1)[1]:
        return None
    try:
        return msgspec.json.decode(decompress(data[len(MAGIC) :]), type=Record)
    except (msgspec.MsgspecError, ZstdError):
        return None


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)
