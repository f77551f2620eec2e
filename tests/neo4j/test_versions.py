"""Versions of programs and kernels: parsing, ordering, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.errors import SourceError
from neokeep.neo4j.versions import (
    KERNEL_VERSIONS,
    Neo4jVersion,
    kernel_version_introduced,
    kernel_version_name,
    require_kernel_version,
    require_version,
)


@pytest.mark.parametrize(
    ("text", "family"),
    [("4.4.48", "4.4"), ("5.26.30", "5"), ("2025.06.2", "calendar"), ("2026.08.1", "calendar")],
)
def test_a_released_version_survives_parsing_and_has_its_family(text: str, family: str) -> None:
    version = Neo4jVersion.parse(text)
    assert str(version) == text
    assert version.family == family
    assert version.supported
    require_version(version, "lib")


@pytest.mark.parametrize("text", ["3.5.34", "4.3.0", "6.0.0", "2024.1.0", "2027.01.0"])
def test_an_unknown_version_is_refused_by_name(text: str) -> None:
    with pytest.raises(SourceError, match=rf"Neo4j {text} \(lib\) is not supported") as caught:
        require_version(Neo4jVersion.parse(text), "lib")
    assert caught.value.remedy


def test_versions_are_ordered_across_families() -> None:
    texts = ["4.4.9", "4.4.48", "5.9.0", "5.26.30", "2025.04.0", "2026.08.1", "2026.10.0"]
    versions = [Neo4jVersion.parse(text) for text in texts]
    assert all(older < newer for older, newer in pairwise(versions))


def test_a_suffix_and_a_missing_patch_number_are_accepted() -> None:
    assert Neo4jVersion.parse("5.26.0-SNAPSHOT") == Neo4jVersion(5, 26, 0)
    assert Neo4jVersion.parse("5.26") == Neo4jVersion(5, 26, 0)


@given(st.text(max_size=20))
def test_any_text_is_a_version_or_a_source_error(text: str) -> None:
    with suppress(SourceError):
        assert Neo4jVersion.parse(text) >= Neo4jVersion(0, 0, 0)


def test_kernel_versions_grow_with_the_programs_that_introduced_them() -> None:
    introduced = [kernel_version_introduced(number) for number in sorted(KERNEL_VERSIONS) if number >= 2]
    assert introduced == sorted(introduced)
    assert kernel_version_introduced(20) == Neo4jVersion(5, 25, 0)
    assert kernel_version_introduced(3) < kernel_version_introduced(4) == Neo4jVersion(4, 4, 0)


@pytest.mark.parametrize("number", [0, 1, 33, 127, -1])
def test_a_kernel_version_outside_the_table_is_refused(number: int) -> None:
    with pytest.raises(SourceError, match="kernel version"):
        require_kernel_version(number, "neostore.transaction.db.0")


def test_an_unknown_kernel_version_still_has_a_name_for_messages() -> None:
    assert kernel_version_name(32) == "2026.08"
    assert kernel_version_name(77) == "unknown (77)"
