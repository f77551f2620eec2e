"""Finding entries of trees in a store, to break them: where in a file they stand, and in which page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.breaking import Breaker
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.index_keys import layout_of
from neokeep.neo4j.store.tree import DYNAMIC_HEADER, HEADER, Layout, Tree, open_tree
from neokeep.neo4j.store.tree_layouts import LEGACY_TOKEN_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neokeep.neo4j.store.damage import TreeDamage

Expected = tuple[str, str, int]
"""Code, file, page or record."""


@dataclass(frozen=True)
class Entry:
    """An entry of a tree of fixed sizes: its page, where its key and its value begin in the file, and their bytes."""

    page: int
    key_at: int
    value_at: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Key:
    """A key of an index of properties: its file and page, where its offset and its bytes stand, and the bytes."""

    file: str
    page: int
    offset_at: int
    at: int
    key: bytes

    @property
    def entity(self) -> int:
        """The node or relationship."""
        return int.from_bytes(self.key[:8], "big")


@dataclass
class TreeBreaker(Breaker):
    """A Breaker that knows trees too."""

    def tree(self, name: str, layout: Layout) -> Tree:
        """Open a tree."""
        return open_tree(self.pages, name, layout)

    def leaves(self, tree: Tree) -> list[int]:
        """Give the leaves of a tree."""
        damages: list[TreeDamage] = []
        return [page for leaves in tree.leaves(damages) for page in leaves.pages.tolist()]

    def entries(self, name: str, layout: Layout) -> Iterator[Entry]:
        """Give the entries of a tree of fixed sizes."""
        tree = self.tree(name, layout)
        most = layout.most_keys(tree.page_bytes, leaf=True)
        for page in self.leaves(tree):
            content = self.pages.read(name, page * tree.page_bytes, tree.page_bytes).tobytes()
            for number in range(int.from_bytes(content[6:10], "big")):
                key = HEADER + number * layout.key_bytes
                value = HEADER + most * layout.key_bytes + number * layout.value_bytes
                base = page * tree.page_bytes
                yield Entry(
                    page,
                    base + key,
                    base + value,
                    content[key : key + layout.key_bytes],
                    content[value : value + layout.value_bytes],
                )

    def keys(self, rule: str) -> Iterator[Key]:
        """Give the keys of an index of properties, by the name of its rule; not those in pages of their own."""
        name, layout = self.property_index(rule)
        tree = self.tree(name, layout)
        for page in self.leaves(tree):
            base = page * tree.page_bytes
            content = self.pages.read(name, base, tree.page_bytes).tobytes()
            for number in range(int.from_bytes(content[6:10], "big")):
                place = DYNAMIC_HEADER + 2 * number
                at = int.from_bytes(content[place : place + 2], "big")
                length, at = (
                    content[at] & 31 | (content[at + 1] << 5 if content[at] & 64 else 0),
                    at + 1 + content[at] // 64,
                )
                if length < 4096:
                    yield Key(name, page, base + place, base + at, content[at : at + length])

    def token_index(self, entity: str) -> str:
        """Name the file of the token index of nodes or of relationships."""
        if self.pages.size(LEGACY_TOKEN_FILES[entity]) is not None:
            return LEGACY_TOKEN_FILES[entity]
        number = 1 if entity == "NODE" else 2
        return f"schema/index/token-lookup-1.0/{number}/index-{number}"

    def property_index(self, rule: str) -> tuple[str, Layout]:
        """Name the file of an index of properties, by the name of its rule, and its layout."""
        (found,) = (
            one
            for one in self.reader.schema_rules([])
            if one.properties.get("name") == rule and one.properties["schemaRuleType"] == "INDEX"
        )
        legacy = self.pages.size(LEGACY_TOKEN_FILES["NODE"]) is not None
        provider = "native-btree-1.0" if legacy else "range-1.0"
        layout = layout_of(provider, len(found.properties["schemaPropertyIds"]))
        assert layout is not None
        return f"schema/index/{provider}/{found.id}/index-{found.id}", layout

    def label(self, name: str) -> int:
        """Find the number of a label."""
        (number,) = (token for token, own in self.reader.tokens(Store.LABEL).items() if own == name)
        return number

    def type(self, name: str) -> int:
        """Find the number of a type."""
        (number,) = (token for token, own in self.reader.tokens(Store.TYPE).items() if own == name)
        return number


@dataclass(frozen=True)
class TreeBreaking:
    """One way to break a tree; it gives what a check has to find."""

    name: str
    apply: Callable[[TreeBreaker], Expected]


TREE_BREAKINGS: list[TreeBreaking] = []
PAGE = 8192


def tree_breaking(function: Callable[[TreeBreaker], Expected]) -> Callable[[TreeBreaker], Expected]:
    """Note a way, named as its function is."""
    TREE_BREAKINGS.append(TreeBreaking(function.__name__.replace("_", " "), function))
    return function
