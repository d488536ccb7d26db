"""The page of the provider's operations is of today, and none of them is without a test."""

from __future__ import annotations

from stories import operations


def test_the_page_is_of_today() -> None:
    assert operations.PAGE.read_text(encoding="utf-8") == operations.page(), "run `make coverage`"


def test_every_operation_is_shown_by_a_test() -> None:
    assert operations.unshown() == []


def test_no_test_claims_to_show_what_is_not_in_the_contract() -> None:
    assert operations.unknown() == []
