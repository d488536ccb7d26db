"""The strict profile: the published limits of calls a minute, and a 429 of the gateway above them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from avtale_sandbox.settings import Settings

ANNA = "4791234567"
V2 = "/recurring/v2/agreements"
V3 = "/recurring/v3/agreements"
NOON = 1_800_000_000.0


@pytest.fixture
def settings() -> Settings:
    return Settings(port=0, clock_running=False, start_at="2027-01-15T09:00:00Z", profile="strict")


@pytest.fixture(autouse=True)
def wall(sandbox: Any, monkeypatch: Any) -> list[float]:
    """The wall clock of the limits, which stands still half a minute before the next one begins."""
    now = [NOON // 60 * 60 + 30]
    monkeypatch.setattr(sandbox.world.gateway._limits, "_wall", lambda: now[0])
    return now


@pytest.mark.shows("rule:T17", "error:gateway-429")
async def test_the_call_above_the_limit_is_turned_away_until_the_minute_is_over(
    sandbox: Any, wall: list[float]
) -> None:
    for _ in range(5):
        assert (await sandbox.call("GET", V3)).status == 200
    refused = await sandbox.call("GET", V3)
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "30"
    assert refused["responseInfo"] == {"responseCode": 429, "responseMessage": "Too Many Requests"}
    wall[0] += 29
    assert (await sandbox.call("GET", V3)).status == 429
    wall[0] += 1
    assert (await sandbox.call("GET", V3)).status == 200


async def test_both_versions_draw_on_the_same_minute(sandbox: Any) -> None:
    for path in (V2, V3, V2, V3, V2):
        assert (await sandbox.call("GET", path)).status == 200
    assert (await sandbox.call("GET", V3)).status == 429
    assert (await sandbox.call("GET", V2)).status == 429


async def test_a_turned_clock_gives_no_new_calls(sandbox: Any) -> None:
    for _ in range(5):
        await sandbox.call("GET", V3)
    await sandbox.advance(by="P1D")
    assert (await sandbox.call("GET", V3)).status == 429


async def test_what_is_turned_away_has_no_effect_and_uses_up_no_key(sandbox: Any, wall: list[float]) -> None:
    agreement_id = await sandbox.agree()
    for number in range(5):
        changed = await sandbox.call("PATCH", f"{V3}/{agreement_id}", {"productName": f"Name {number}"})
        assert changed.status == 204
    refused = await sandbox.call("PATCH", f"{V3}/{agreement_id}", {"productName": "Name 5"}, key="later")
    assert refused.status == 429
    assert (await sandbox.fetch(agreement_id))["productName"] == "Name 4"
    wall[0] += 60
    assert (await sandbox.call("PATCH", f"{V3}/{agreement_id}", {"productName": "Name 5"}, key="later")).status == 204
    assert (await sandbox.fetch(agreement_id))["productName"] == "Name 5"


async def test_what_is_counted_together(sandbox: Any) -> None:
    """Each agreement and each charge has calls of its own, and a repeated creation is told by its key."""
    one, other = await sandbox.agree(), await sandbox.agree()
    path = f"{V3}/{one}/charges"
    same = [await sandbox.call("POST", path, sandbox.charge_body(), key="same") for _ in range(3)]
    assert [reply.status for reply in same] == [201, 201, 429]
    for number in range(4):
        assert (await sandbox.call("POST", path, sandbox.charge_body(), key=f"new-{number}")).status == 201
    charge_id = same[0]["chargeId"]
    statuses = Counter([(await sandbox.fetch(one, charge_id)).status for _ in range(11)])
    assert statuses == {200: 10, 429: 1}
    assert (await sandbox.fetch(other)).status == 200
    statuses = Counter([(await sandbox.call("GET", f"{V3}/{one}/charges")).status for _ in range(11)])
    assert statuses == {200: 10, 429: 1}
    assert (await sandbox.call("GET", f"{V3}/{other}/charges")).status == 200


async def test_a_call_for_many_charges_is_one_of_those_that_create_charges(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    for number in range(499):
        assert (await sandbox.call("POST", f"{V3}/charges", [], key=f"many-{number}")).status == 202
    body = sandbox.charge_body()
    assert (await sandbox.call("POST", f"{V3}/{agreement_id}/charges", body, key="one")).status == 201
    assert (await sandbox.call("POST", f"{V3}/charges", [], key="another")).status == 429
    assert (await sandbox.call("POST", f"{V3}/{agreement_id}/charges", body, key="two")).status == 429


async def test_one_merchants_calls_are_not_anothers(sandbox: Any) -> None:
    other = {
        "clientId": "other-id",
        "clientSecret": "other-secret",
        "subscriptionKey": "other-key",
        "merchantSerialNumber": "654321",
    }
    await sandbox.control("POST", "/merchants", other)
    for _ in range(6):
        await sandbox.call("GET", V3)
    sandbox.keys = {
        "client_id": "other-id",
        "client_secret": "other-secret",
        "Ocp-Apim-Subscription-Key": "other-key",
    }
    sandbox.token = ""
    assert (await sandbox.call("GET", V3)).status == 200


class TestLenient:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(port=0, clock_running=False, start_at="2027-01-15T09:00:00Z")

    async def test_nobody_counts_unless_told_to(self, sandbox: Any) -> None:
        assert {(await sandbox.call("GET", V3)).status for _ in range(20)} == {200}
