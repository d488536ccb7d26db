"""What people are like: too young, unwilling to share, careful with money, gone; and charges that fail by order."""

from __future__ import annotations

from typing import Any

import pytest

ANNA = "4791234567"
KARI = "4790000001"
FIRST = {"amount": 4900, "description": "First", "transactionType": "DIRECT_CAPTURE"}


async def opened(sandbox: Any, number: str, **changes: Any) -> tuple[str, Any]:
    """A draft, opened on the person's telephone; gives its id and what was decided."""
    draft = await sandbox.draft(**changes)
    decision = await sandbox.control("POST", f"/phone/{number}/open", {"url": draft["vippsConfirmationUrl"]})
    return draft["agreementId"], decision


@pytest.mark.parametrize(
    ("born", "decision", "status"),
    [("2009-01-16", "expired", "EXPIRED"), ("2009-01-15", "approved", "ACTIVE"), ("1931-02-28", "approved", "ACTIVE")],
)
async def test_who_is_not_eighteen_cannot_approve(
    sandbox: Any, hooked: Any, quiet: Any, born: str, decision: str, status: str
) -> None:
    await sandbox.person(KARI, temperament="approves", birthDate=born)
    agreement_id, told = await opened(sandbox, KARI, initialCharge=FIRST)
    assert (told["decision"], told["status"]) == (decision, status)
    await quiet()
    assert ("recurring.agreement-expired.v1" in hooked.events) == (status == "EXPIRED")
    charge = (await sandbox.call("GET", f"/recurring/v3/agreements/{agreement_id}/charges")).body[0]
    assert charge["summary"]["captured"] == (0 if status == "EXPIRED" else 4900)
    assert (await sandbox.fetch(agreement_id))["status"] == status


async def test_who_does_not_share_rejects_what_asks_for_it_and_nothing_else(
    sandbox: Any, hooked: Any, quiet: Any
) -> None:
    await sandbox.person(KARI, temperament="approves", shares=False)
    asking, refused = await opened(sandbox, KARI, scope="name email", initialCharge=FIRST)
    assert (refused["decision"], refused["status"]) == ("rejected", "STOPPED")
    await quiet()
    assert hooked.events == ["recurring.agreement-rejected.v1"]
    assert (await sandbox.fetch(asking))["sub"] is None
    _, plain = await opened(sandbox, KARI)
    assert plain["decision"] == "approved"


async def test_who_is_careful_sets_a_limit_that_a_charge_may_exceed(sandbox: Any) -> None:
    await sandbox.person(KARI, temperament="approves", maxAmount=10000)
    pricing = {"type": "VARIABLE", "suggestedMaxAmount": 30000, "currency": "NOK"}
    agreement_id, _ = await opened(sandbox, KARI, pricing=pricing)
    assert (await sandbox.fetch(agreement_id))["pricing"]["maxAmount"] == 10000
    charge_id = await sandbox.charge(agreement_id, amount=20000, retryDays=0)
    await sandbox.advance_to("2027-02-02T00:00:00Z")
    failed = await sandbox.fetch(agreement_id, charge_id)
    assert (failed["status"], failed["failureReason"]) == ("FAILED", "charge_amount_too_high")


async def test_a_deleted_profile_stops_its_agreements_and_leaves_reservations(
    sandbox: Any, hooked: Any, quiet: Any
) -> None:
    reserved = FIRST | {"transactionType": "RESERVE_CAPTURE", "orderId": "first"}
    agreement_id = await sandbox.agree(initialCharge=reserved)
    await sandbox.charge(agreement_id, orderId="feb")
    await quiet()
    hooked.got.clear()
    assert (await sandbox.control("POST", f"/people/{ANNA}/delete-profile")).status == 204
    assert (await sandbox.control("POST", f"/people/{ANNA}/delete-profile")).status == 404
    await quiet()
    stopped = next(one for one in hooked.got if one["eventType"] == "recurring.agreement-stopped.v1")
    assert (stopped["agreementId"], stopped["actor"]) == (agreement_id, "ADMIN")
    statuses = [(await sandbox.fetch(agreement_id, charge_id))["status"] for charge_id in ("first", "feb")]
    assert statuses == ["RESERVED", "CANCELLED"]


@pytest.mark.parametrize("traits", [{"birthDate": "yesterday"}, {"birthDate": "2027-02-30"}, {"maxAmount": 0}])
async def test_traits_that_cannot_be(sandbox: Any, traits: dict[str, Any]) -> None:
    assert (await sandbox.control("POST", "/people", {"phoneNumber": KARI, **traits})).status == 400


async def test_a_charge_fails_three_tries_and_then_succeeds(sandbox: Any) -> None:
    order = {"chargeId": "feb", "tries": 3, "reason": "technical_error"}
    assert (await sandbox.control("POST", "/failures", order)).status == 201
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id, orderId="feb", retryDays=5)
    await sandbox.charge(agreement_id, orderId="other", retryDays=5)
    await sandbox.advance_to("2027-02-10T00:00:00Z")
    tries = (await sandbox.exported_charge("feb"))["tries"]
    assert [one["reason"] for one in tries] == ["technical_error"] * 3 + [None]
    assert len((await sandbox.exported_charge("other"))["tries"]) == 1
    assert (await sandbox.fetch(agreement_id, "feb"))["status"] == "CHARGED"


@pytest.mark.parametrize("reason", ["user_action_required", "non_technical_error", "technical_error"])
@pytest.mark.parametrize("named", ["chargeId", "agreementId", "phoneNumber"])
async def test_a_charge_fails_for_good_with_its_reason(sandbox: Any, reason: str, named: str) -> None:
    agreement_id = await sandbox.agree()
    names = {"chargeId": "feb", "agreementId": agreement_id, "phoneNumber": ANNA}
    await sandbox.control("POST", "/failures", {named: names[named], "reason": reason})
    await sandbox.charge(agreement_id, orderId="feb", retryDays=1)
    await sandbox.advance_to("2027-02-03T00:00:00Z")
    failed = await sandbox.fetch(agreement_id, "feb")
    assert (failed["status"], failed["failureReason"]) == ("FAILED", reason)


async def test_orders_for_failure_are_listed_and_taken_back(sandbox: Any) -> None:
    first = (await sandbox.control("POST", "/failures", {"chargeId": "a", "tries": 1}))["id"]
    await sandbox.control("POST", "/failures", {"id": "mine", "phoneNumber": ANNA})
    listed = (await sandbox.control("GET", "/failures"))["failures"]
    assert [(one["id"], one["tries"]) for one in listed] == [(first, 1), ("mine", None)]
    assert (await sandbox.control("DELETE", f"/failures/{first}")).status == 204
    assert (await sandbox.control("DELETE", f"/failures/{first}")).status == 404
    assert (await sandbox.control("DELETE", "/failures")).status == 204
    assert (await sandbox.control("GET", "/failures"))["failures"] == []
    for wrong in ({}, {"tries": 2}, {"chargeId": "a", "tries": 0}, {"chargeId": "a", "reason": "bored"}):
        assert (await sandbox.control("POST", "/failures", wrong)).status == 400
