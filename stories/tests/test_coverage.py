"""The page of what is shown by which test is of today, and names every operation that is claimed."""

from __future__ import annotations

import pytest

from stories import coverage

#: APIs whose every operation a test must show. Whoever finishes another one adds it.
WHOLE = ("accesstoken", "epayment", "login", "recurring-v2", "recurring-v3", "userinfo", "webhooks")


def test_the_page_is_of_today() -> None:
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(), "run `make coverage`"


def test_no_test_claims_to_show_what_is_not_there() -> None:
    assert coverage.unknown() == []


@pytest.mark.parametrize("name", WHOLE)
def test_every_operation_is_shown(name: str) -> None:
    shown = {mark for test in coverage.tests() for mark in test.shows}
    assert set(coverage.subjects()[f"Operations: {name}"]) <= shown


def test_events_errors_and_rules_are_found_in_the_sources() -> None:
    subjects = coverage.subjects()
    assert "event:recurring.charge-captured.v1" in subjects["Events"]
    assert "event:epayments.payment.created.v1" in subjects["Events"]
    assert {"error:charge-due-too-soon", "error:validation-error"} <= set(subjects["Errors"])
    assert len(subjects["Time rules"]) == 28
