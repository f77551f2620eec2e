"""How many examples of a property are tried, and which of many cases the quick part takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _pytest.mark import ParameterSet


def examples(most: int, *without: HealthCheck) -> settings:
    """Settings of a property that is tried with so many examples; in the quick part with a few, as each costs much."""
    if settings.get_current_profile_name() == "quick":
        most = min(settings.get_profile("quick").max_examples, max(3, most // 30))
    return settings(max_examples=most, suppress_health_check=without)


def one_of(many: int, cases: Sequence[Any]) -> list[ParameterSet]:
    """Give the same cases as parameters of tests, of which the quick part takes one of so many."""
    return [
        pytest.param(*(one if isinstance(one, tuple) else [one]), marks=[pytest.mark.slow] if at % many else [])
        for at, one in enumerate(cases)
    ]
