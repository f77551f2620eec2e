"""The tree state of a GBPTree file: which generation its pages are of, and whether it was closed cleanly.

A GBPTree file keeps two state pages and writes them in turn: every checkpoint and every close moves the state. The same
state before and after a copy means that no checkpoint of the tree finished in between, so the copy is crash-consistent.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field

DEFAULT_PAGE_SIZE = 8192
_BLOCK = struct.Struct(">iiqqqqqiib")
_META_PAGE_SIZE = struct.Struct(">i")
_LARGEST_PAGE = 1 << 20


@dataclass(frozen=True, slots=True)
class TreeState:
    """One tree state; `clean` means that the file was closed properly after it was written.

    `root` and `root_generation` are the page that the tree begins with, and the generation that it was written in.
    `last_page` is the last one that was ever taken; `free_from` and `free_to` are where the list of free pages begins
    and where it ends: a page of the list, and a place in it. States are compared without these.
    """

    stable: int
    unstable: int
    clean: bool
    root: int = field(default=0, compare=False)
    root_generation: int = field(default=0, compare=False)
    last_page: int = field(default=0, compare=False)
    free_from: tuple[int, int] = field(default=(0, 0), compare=False)
    free_to: tuple[int, int] = field(default=(0, 0), compare=False)

    @property
    def rank(self) -> tuple[int, int, bool]:
        """What the newer of two states has more of."""
        return self.stable, self.unstable, self.clean


def parse_state(page: bytes) -> TreeState | None:
    """Read one state page; None when it was never written or its two copies differ (a torn write)."""
    first, second = page[: _BLOCK.size], page[_BLOCK.size : 2 * _BLOCK.size]
    if len(second) < _BLOCK.size or first != second or not any(first):
        return None
    stable, unstable, root, generation, last, write_page, read_page, write_place, read_place, clean = _BLOCK.unpack(
        first
    )
    return TreeState(
        stable & 0xFFFF_FFFF,
        unstable & 0xFFFF_FFFF,
        clean == 1,
        root,
        generation,
        last,
        (read_page, read_place),
        (write_page, write_place),
    )


def current_state(page1: bytes, page2: bytes) -> TreeState | None:
    """Choose the state that Neo4j would choose at a start: the newest valid one, of equals the clean one."""
    states = [state for state in (parse_state(page1), parse_state(page2)) if state is not None]
    return max(states, key=lambda state: state.rank, default=None)


def page_size(meta: bytes) -> int:
    """Read the page size from the meta page; 8192 when the page does not say a plausible one."""
    if len(meta) < 8:
        return DEFAULT_PAGE_SIZE
    size = int(_META_PAGE_SIZE.unpack_from(meta, 4)[0])
    plausible = 1024 <= size <= _LARGEST_PAGE and size & (size - 1) == 0
    return size if plausible else DEFAULT_PAGE_SIZE


def read_state(fd: int) -> TreeState | None:
    """Read the current state of an open GBPTree file; None when neither state page is valid."""
    size = page_size(os.pread(fd, 8, 0))
    length = 2 * _BLOCK.size
    return current_state(os.pread(fd, length, size), os.pread(fd, length, 2 * size))
