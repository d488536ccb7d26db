"""The strict profile: payments' own limits of calls a minute, each payment for itself."""

from __future__ import annotations

from typing import Any

import pytest

from avtale_sandbox.settings import Settings


@pytest.fixture
def settings() -> Settings:
    return Settings(port=0, clock_running=False, start_at="2027-01-15T09:00:00Z", profile="strict")


@pytest.mark.shows("rule:T17", "error:gateway-429")
async def test_the_sixth_capture_of_a_minute_comes_too_early(till: Any, monkeypatch: Any) -> None:
    now = [1_800_000_000.0 // 60 * 60]
    monkeypatch.setattr(till.sandbox.world.gateway._limits, "_wall", lambda: now[0])
    reference = await till.paid()
    for _ in range(5):
        assert (await till.capture(reference, 100)).status == 200
    reply = await till.capture(reference, 100, key="once-more")
    assert (reply.status, set(reply.body), reply["statusCode"]) == (429, {"statusCode", "message"}, 429)
    assert reply.headers["Retry-After"] == "60"
    assert (await till.sums(reference))[3] == 500
    # Other operations and other payments have counters of their own.
    assert (await till.refund(reference, 100)).status == 200
    assert (await till.capture(await till.paid(), 100)).status == 200
    # All creations that name no reference share one.
    assert [(await till.create(reference=...)).status for _ in range(6)] == [400] * 5 + [429]
    # What came too early was not remembered under its key.
    now[0] += 60
    assert (await till.capture(reference, 100, key="once-more")).status == 200
