"""A store whose bytes are other ones at some places, without a copy of its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.neo4j.store.pages import Bytes, StorePages


@dataclass
class FlippedPages:
    """Gives the pages of another source, with bytes put over them: by file and offset."""

    pages: StorePages
    bytes_at: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def size(self, name: str) -> int | None:
        return self.pages.size(name)

    def read(self, name: str, offset: int, length: int) -> Bytes:
        content = np.array(self.pages.read(name, offset, length))
        for (file, at), value in self.bytes_at.items():
            if file == name and offset <= at < offset + len(content):
                content[at - offset] = value
        return content
