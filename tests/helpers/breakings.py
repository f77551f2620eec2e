"""All ways to break a store, each with what a check has to find."""

from __future__ import annotations

from helpers import breakings_of_chains, breakings_of_trees, breakings_of_values
from helpers.breaking import BREAKINGS, Breaking

__all__ = ["BREAKINGS", "Breaking", "breakings_of_chains", "breakings_of_trees", "breakings_of_values"]
