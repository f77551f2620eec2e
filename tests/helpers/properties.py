"""How many examples of a property are tried."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def examples(most: int, *without: HealthCheck) -> settings:
    """Settings of a property that is tried with so many examples; in the quick part with as few as any other."""
    if settings.get_current_profile_name() == "quick":
        most = min(most, settings.get_profile("quick").max_examples)
    return settings(max_examples=most, suppress_health_check=without)
