"""All ways to break a store, each with what a check has to find."""

from __future__ import annotations

from helpers import (
    breakings_of_chains,
    breakings_of_tokens,
    breakings_of_trees,
    breakings_of_values,
)
from helpers.breaking import BREAKINGS, Breaking
from helpers.breaking_trees import TREE_BREAKINGS, TreeBreaking

__all__ = [
    "BREAKINGS",
    "TREE_BREAKINGS",
    "WAYS",
    "Breaking",
    "TreeBreaking",
    "breakings_of_chains",
    "breakings_of_tokens",
    "breakings_of_trees",
    "breakings_of_values",
]

WAYS: list[Breaking | TreeBreaking] = [*BREAKINGS, *TREE_BREAKINGS]
