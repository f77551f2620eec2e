"""Short strings: texts that stand in property blocks, in one of thirteen encodings of four to eight bits a character.

Bits 28 to 32 of the first long are the encoding, 33 to 38 the number of characters (bytes, for UTF-8); characters begin
at bit 39, least significant bits first, and run on over the longs that follow.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neokeep.neo4j.store.pages import Numbers
    from neokeep.neo4j.store.records import Longs

FIRST_BIT = 39
UTF_8, LATIN_1 = 0, 10
NO_CHARACTER = 0

_LOWER, _UPPER, _DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
_GAP = chr(NO_CHARACTER)
_SIGNS = "_.-:/"
_ALPHANUMERIC = f" {_UPPER}01234_{_LOWER}56789"
_EUROPEAN = "".join({0x17: ".", 0x37: "-"}.get(number, chr(0xC0 + number)) for number in range(64)) + _ALPHANUMERIC
ALPHABETS = {
    1: f"{_DIGITS} .-+,'",
    2: f"{_DIGITS} -:/+,",
    3: f" {_UPPER}{_SIGNS}",
    4: f" {_LOWER}{_SIGNS}",
    5: f",{_LOWER}_.-+@",
    6: f" {_LOWER}{_GAP * 5}{_DIGITS}_.-:/+,'@|;*?&%#()$<>=",
    7: _ALPHANUMERIC,
    8: f" {_UPPER}{_SIGNS};{_LOWER}+,'@|",
    9: _EUROPEAN,
    11: f"{_DIGITS}abcdef",
    12: f"{_DIGITS}ABCDEF",
}
"""The characters of each encoding but UTF-8 (0) and Latin-1 (10), whose characters are bytes."""

_TABLES = {
    encoding: np.array([ord(character) for character in letters], np.uint32) for encoding, letters in ALPHABETS.items()
}


def decode_short_strings(longs: Longs) -> NDArray[np.object_]:
    """Decode blocks (uint64, a row of four longs each, zeros behind the block) to str; None where it is no text."""
    encodings = (longs[:, 0] >> np.uint64(28) & np.uint64(31)).astype(np.int64)
    lengths = (longs[:, 0] >> np.uint64(33) & np.uint64(63)).astype(np.int64)
    found = np.full(len(longs), None, np.object_)
    for encoding in np.unique(encodings).tolist():
        rows = np.flatnonzero(encodings == encoding)
        if encoding in (UTF_8, LATIN_1):
            found[rows] = _bytes(longs[rows], lengths[rows], "utf-8" if encoding == UTF_8 else "latin-1")
        elif encoding in _TABLES:
            found[rows] = _letters(longs[rows], lengths[rows], _TABLES[encoding])
    return found


def _letters(longs: Longs, lengths: Numbers, table: NDArray[np.uint32]) -> NDArray[np.object_]:
    width = (len(table) - 1).bit_length()
    most = int(lengths.max(initial=0))
    if FIRST_BIT + most * width > 256:
        most = (256 - FIRST_BIT) // width
    points = table[bits_at(longs, FIRST_BIT, width, most).astype(np.int64)]
    behind = np.arange(most) >= lengths[:, None]
    wrong = (~behind & (points == NO_CHARACTER)).any(axis=1) | (lengths > most)
    points[behind] = NO_CHARACTER
    whole = np.zeros((len(longs), most + 1), np.uint32)
    whole[:, :most] = points
    texts = whole.view(f"U{most + 1}")[:, 0].astype(np.object_)
    texts[wrong] = None
    return texts


def _bytes(longs: Longs, lengths: Numbers, encoding: str) -> list[str | None]:
    characters = bits_at(longs, FIRST_BIT, 8, (256 - FIRST_BIT) // 8).astype(np.uint8)
    return [
        _decoded(row[:length].tobytes(), encoding) if length <= len(row) else None
        for row, length in zip(characters, lengths.tolist(), strict=True)
    ]


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def bits_at(longs: Longs, first: int, width: int, count: int) -> Longs:
    """Take `count` numbers of `width` bits out of each row of longs, from bit `first` on: uint64, a row each."""
    starts = first + width * np.arange(count)
    words, shifts = starts // 64, (starts % 64).astype(np.uint64)
    padded = np.concatenate([longs, np.zeros((len(longs), 1), np.uint64)], axis=1)
    low = padded[:, words] >> shifts
    # A shift by 64 is none at all to a processor, so it is made in two steps.
    high = padded[:, words + 1] << (np.uint64(63) - shifts) << np.uint64(1)
    mask = np.uint64(0xFFFF_FFFF_FFFF_FFFF) if width == 64 else np.uint64((1 << width) - 1)
    found: Longs = (low | high) & mask
    return found
