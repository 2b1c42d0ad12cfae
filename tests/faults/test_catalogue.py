"""Each fault of the catalogue has its tests, and the page about them says what the catalogue says."""

from __future__ import annotations

import pytest

from tests.faults import catalogue

ROWS = catalogue.rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}: {row.fault}")
def test_each_row_says_all_and_has_tests_that_exist(row: catalogue.Row) -> None:
    assert row.kind
    assert row.fault
    assert row.inject
    assert row.outcome
    assert row.tests
    assert [test for test in row.tests if not catalogue.exists(test)] == []


def test_no_fault_stands_twice() -> None:
    named = [(row.kind, row.fault) for row in ROWS]
    assert len(named) == len(set(named))


def test_a_test_that_there_is_not_is_noticed() -> None:
    assert not catalogue.exists("tests/faults/test_catalogue.py::test_of_nothing")
    assert not catalogue.exists("tests/faults/test_of_nothing.py::test_a_test_that_there_is_not_is_noticed")


def test_the_page_is_what_the_catalogue_says() -> None:
    assert catalogue.PAGE.read_text("utf-8") == catalogue.page(), "run python -m tests.faults.catalogue"
