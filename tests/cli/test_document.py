from __future__ import annotations

from pathlib import Path

import pytest

from neokeep.cli.document import PAGES, pages
from neokeep.options import OPTIONS, Option

CHECKOUT = Path(__file__).parents[2]
MADE = pages(CHECKOUT / "tests" / "cli" / "golden")


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_on_disk_is_up_to_date(page: str) -> None:
    on_disk = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    assert on_disk == MADE[page], "write it anew with: python -m neokeep.cli.document"


@pytest.mark.parametrize("option", OPTIONS, ids=[option.name for option in OPTIONS])
def test_every_option_is_in_the_reference(option: Option) -> None:
    assert f"`{option.flag}" in MADE["reference.md"]


def test_no_page_names_a_path_of_the_machine_that_made_it() -> None:
    assert not any(str(CHECKOUT) in text or str(Path.home()) + "/" in text for text in MADE.values())
