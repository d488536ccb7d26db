"""An operator's first page says how many charges wait for Vipps' budget, and until about when."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from avtale.console.look.page import Pages
from avtale.console.look.words import Words
from avtale.domain.settlement import BookingKind
from avtale.service.budgeting import Queue
from avtale.service.overseeing import Overview

NOON = datetime(2027, 1, 15, 11, tzinfo=UTC)


@pytest.mark.parametrize("queue", [None, Queue(9421, 500, datetime(2027, 1, 15, 11, 20, tzinfo=UTC))])
def test_what_waits_for_its_turn_is_said_with_its_end(queue: Queue | None) -> None:
    nothing = {kind.value: [] for kind in BookingKind}
    values = {
        "seen": Overview(NOON, (), (), (), (), {}, {}, date(2026, 2, 1), (), (), (), queue),
        "now": NOON,
        "today": nothing,
        "lately": nothing,
        "plot": "",
        "words": Words(ZoneInfo("Europe/Oslo")),
        "tenant": SimpleNamespace(rules=SimpleNamespace(retry_days=5)),
    }
    page = Pages().render("operator/front_live.html", values)
    assert ("9421 · Charges that wait for their turn" in page) == (queue is not None)
    assert ("At most 500 calls a minute" in page and "at about 12:20" in page) == (queue is not None)
