from __future__ import annotations

import inspect

import pytest

from neokeep import errors


def test_every_error_is_in_the_list() -> None:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.NeokeepError)]
    assert set(classes) == set(errors.ERRORS)


def test_kinds_and_exit_statuses_are_unique() -> None:
    assert len({error.kind for error in errors.ERRORS}) == len(errors.ERRORS)
    assert len({error.exit_status for error in errors.ERRORS}) == len(errors.ERRORS)


@pytest.mark.parametrize("error", errors.ERRORS)
def test_an_error_carries_what_happened_and_what_to_do(error: type[errors.NeokeepError]) -> None:
    raised = error("it happened", remedy="do this")
    assert (str(raised), raised.message, raised.remedy) == ("it happened", "it happened", "do this")
    assert error.meaning


@pytest.mark.parametrize("error", errors.ERRORS)
def test_exit_statuses_do_not_collide_with_those_of_the_shell(error: type[errors.NeokeepError]) -> None:
    assert 1 < error.exit_status <= 130
    assert error.exit_status not in {126, 127}
