"""A test in any language says what it expects, and hears whether it holds and why not."""

from __future__ import annotations

from typing import Any

import pytest

CAPTURED = "recurring.charge-captured.v1"


async def expect(sandbox: Any, **expected: Any) -> tuple[int, list[str]]:
    reply = await sandbox.control("POST", "/expect", {"expect": [expected]})
    assert reply["holds"] == (reply.status == 200)
    return reply.status, [one["why"] for one in reply["results"]]


async def test_a_charge_was_captured_once(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id, orderId="feb")
    once = {"id": "feb", "status": "CHARGED", "captured": 9900, "captures": 1, "tries": 1}
    status, why = await expect(sandbox, charge=once)
    assert status == 417
    assert "charge feb: status is 'DUE', and not 'CHARGED'" in why[0]
    await sandbox.advance_to("2027-02-02T00:00:00Z")
    assert (await expect(sandbox, charge=once))[0] == 200
    assert (await expect(sandbox, charge={"id": "feb", "captures": 2}))[0] == 417


async def test_nobody_was_charged_twice_for_a_day(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id, orderId="feb")
    due = {"agreementId": agreement_id, "due": "2027-02-01"}
    assert (await expect(sandbox, charge=due))[0] == 200
    await sandbox.charge(agreement_id, orderId="feb-again")
    assert await expect(sandbox, charge=due) == (417, ["2 charges are like that, and not 1"])
    assert (await expect(sandbox, charge={"id": "nothing", "count": 0}))[0] == 200


async def test_agreements_events_deliveries_and_calls(sandbox: Any, hooked: Any) -> None:
    agreement_id = await sandbox.agree(externalId="deal")
    await sandbox.charge(agreement_id, orderId="feb")
    await sandbox.advance_to("2027-02-02T00:00:00Z")
    deal = {"externalId": "deal", "status": "ACTIVE", "charges": 1, "captured": 9900, "refunded": 0}
    event = {"event": CAPTURED, "about": "feb", "count": 1}
    call = {"operationId": "CreateChargeV3", "about": agreement_id, "status": "201", "count": 1}
    expected = [{"agreement": deal}, {"event": event}, {"delivery": event}, {"request": call}]
    reply = await sandbox.control("POST", "/expect", {"expect": expected})
    assert (reply.status, [one["holds"] for one in reply["results"]]) == (200, [True] * 4)
    wrong = [
        {"agreement": deal | {"captured": 1}},
        {"event": event | {"count": 2}},
        {"delivery": event | {"state": "dropped", "count": None}},
        {"request": call | {"status": "5xx"}},
    ]
    reply = await sandbox.control("POST", "/expect", {"expect": wrong})
    assert (reply.status, [one["holds"] for one in reply["results"]]) == (417, [False] * 4)


@pytest.mark.parametrize(
    "expected",
    [{}, {"charge": {}}, {"agreement": {}}, {"event": {}}, {"charge": {"id": "a", "colour": 1}}, {"wish": {}}],
)
async def test_an_expectation_that_means_nothing(sandbox: Any, expected: dict[str, Any]) -> None:
    assert (await sandbox.control("POST", "/expect", {"expect": [expected]})).status == 400


async def test_two_things_are_two_expectations(sandbox: Any) -> None:
    both = {"charge": {"id": "a"}, "agreement": {"id": "b"}}
    assert (await sandbox.control("POST", "/expect", {"expect": [both]})).status == 400
    assert (await sandbox.control("POST", "/expect", {"expect": [{"request": {}}] * 1001})).status == 400
