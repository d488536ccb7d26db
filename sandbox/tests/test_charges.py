"""Charges: created within the rules, taken, reserved, captured, cancelled, refunded."""

from __future__ import annotations

from typing import Any

import pytest

from avtale_sandbox import clock
from avtale_sandbox.vipps.recurring import pages

ANNA = "4791234567"
V3 = "/recurring/v3/agreements"
RESERVE = {"transactionType": "RESERVE_CAPTURE"}


def problem_id(reply: Any) -> str:
    return str(reply["type"]).rpartition("#")[2]


async def create(sandbox: Any, agreement_id: str, **changes: Any) -> Any:
    return await sandbox.call("POST", f"{V3}/{agreement_id}/charges", sandbox.charge_body(**changes))


async def reserved(sandbox: Any, **changes: Any) -> tuple[str, str]:
    """A charge of 9900 that was reserved on 1 February at nine."""
    agreement_id = await sandbox.agree(**changes)
    charge_id = await sandbox.charge(agreement_id, **RESERVE)
    await sandbox.advance_to("2027-02-01T09:00:00Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "RESERVED"
    return agreement_id, charge_id


async def summary(sandbox: Any, agreement_id: str, charge_id: str) -> tuple[str, int, int, int]:
    charge = await sandbox.fetch(agreement_id, charge_id)
    totals = charge["summary"]
    return charge["status"], totals["captured"], totals["refunded"], totals["cancelled"]


@pytest.mark.shows("operation:CreateChargeV3", "operation:FetchChargeV3", "event:recurring.charge-captured.v1")
async def test_a_charge_is_taken_on_its_day(sandbox: Any, hooked: Any) -> None:
    agreement_id = await sandbox.agree(externalId="deal-1")
    charge_id = await sandbox.charge(agreement_id, orderId="feb-1", externalId="deal-1.2")
    assert charge_id == "feb-1"
    new = await sandbox.fetch(agreement_id, charge_id)
    assert new.body == {
        "id": "feb-1",
        "agreementId": agreement_id,
        "externalId": "deal-1.2",
        "externalAgreementId": "deal-1",
        "amount": 9900,
        "currency": "NOK",
        "description": "February",
        "due": "2027-02-01T00:00:00Z",
        "retryDays": 2,
        "processingMode": "MULTIPLE_ATTEMPTS",
        "status": "DUE",
        "type": "RECURRING",
        "transactionType": "DIRECT_CAPTURE",
        "transactionId": new["transactionId"],
        "failureReason": None,
        "failureDescription": None,
        "summary": {"captured": 0, "refunded": 0, "cancelled": 0},
        "history": new["history"],
    }
    assert new["transactionId"].isdigit()
    await sandbox.advance_to("2027-02-01T07:59:59Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "DUE"
    await sandbox.advance_to("2027-02-01T08:00:00Z")
    assert await summary(sandbox, agreement_id, charge_id) == ("CHARGED", 9900, 0, 0)
    history = (await sandbox.fetch(agreement_id, charge_id))["history"]
    assert [(one["event"], one["occurred"], one["success"]) for one in history] == [
        ("CREATE", "2027-01-15T09:00:00Z", True),
        ("CAPTURE", "2027-02-01T08:00:00Z", True),
    ]
    assert history[1]["idempotencyKey"] == f"feb-1-{agreement_id}-ProcessPayment"
    assert hooked.events == ["recurring.agreement-activated.v1", "recurring.charge-captured.v1"]
    told = hooked.got[1]
    assert told == {
        "agreementId": agreement_id,
        "chargeId": "feb-1",
        "chargeExternalId": "deal-1.2",
        "eventType": "recurring.charge-captured.v1",
        "occurred": "2027-02-01T08:00:00Z",
        "amount": 9900,
        "currency": "NOK",
        "chargeType": "RECURRING",
        "amountCaptured": 9900,
        "amountCanceled": 0,
        "amountRefunded": 0,
        "transactionId": new["transactionId"],
        "msn": "123456",
    }


@pytest.mark.shows("operation:FetchChargeByIdV3")
async def test_a_charge_without_order_id_gets_an_id_and_is_found_by_it_alone(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    assert charge_id.startswith("chr-")
    assert len(charge_id) == 11
    alone = await sandbox.call("GET", f"/recurring/v3/charges/{charge_id}")
    assert alone.body == (await sandbox.fetch(agreement_id, charge_id)).body
    assert (await sandbox.call("GET", "/recurring/v3/charges/chr-nothing")).status == 404


@pytest.mark.shows("error:conflict")
async def test_an_order_id_is_used_once_in_a_sales_unit(sandbox: Any) -> None:
    one, other = await sandbox.agree(), await sandbox.agree()
    await sandbox.charge(one, orderId="same")
    reply = await create(sandbox, other, orderId="same")
    assert (reply.status, problem_id(reply)) == (409, "conflict")
    assert (await sandbox.call("GET", f"{V3}/{other}/charges")).body == []


@pytest.mark.shows("error:charge-due-too-soon", "error:charge-due-in-too-long", "error:charge-amount-too-high")
@pytest.mark.parametrize(
    ("change", "problem", "field"),
    [
        ({"amount": 99}, "validation-error", "amount"),
        ({"amount": 49501}, "charge-amount-too-high", "amount"),
        ({"due": "2027-01-15"}, "charge-due-too-soon", "due"),
        ({"due": "2029-01-16"}, "charge-due-in-too-long", "due"),
        ({"due": "2027-02-30"}, "validation-error", "due"),
        ({"due": "2027-02-01T00:00:00Z"}, "validation-error", "due"),
        ({"due": ...}, "validation-error", "due"),
        ({"retryDays": ...}, "validation-error", "retryDays"),
        ({"retryDays": 15}, "validation-error", "retryDays"),
        ({"retryDays": -1}, "validation-error", "retryDays"),
        ({"processingMode": "SINGLE_ATTEMPT"}, "validation-error", "retryDays"),
        ({"description": ""}, "validation-error", "description"),
        ({"description": "x" * 101}, "validation-error", "description"),
        ({"transactionType": ...}, "validation-error", "transactionType"),
        ({"type": "INITIAL"}, "validation-error", "type"),
        ({"orderId": "x" * 65}, "validation-error", "orderId"),
        ({"orderId": "a_b"}, "validation-error", "orderId"),
        ({"orderId": "a/b"}, "validation-error", "orderId"),
    ],
)
async def test_a_wrong_charge_is_not_made(sandbox: Any, change: dict[str, Any], problem: str, field: str) -> None:
    agreement_id = await sandbox.agree()
    reply = await create(sandbox, agreement_id, **change)
    assert (reply.status, problem_id(reply)) == (400, problem)
    assert [one["name"] for one in reply["extraDetails"]] == [field]
    assert (await sandbox.call("GET", f"{V3}/{agreement_id}/charges")).body == []


@pytest.mark.shows("rule:T4", "rule:T5")
@pytest.mark.parametrize("due", ["2027-01-16", "2029-01-15"])
async def test_the_edges_of_the_due_window_are_inside(sandbox: Any, due: str) -> None:
    agreement_id = await sandbox.agree()
    assert (await create(sandbox, agreement_id, due=due, amount=49500)).status == 201


async def test_today_is_the_markets_today(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.advance_to("2027-01-15T22:59:59Z")
    assert (await create(sandbox, agreement_id, due="2027-01-16")).status == 201
    await sandbox.advance_to("2027-01-15T23:00:00Z")
    assert problem_id(await create(sandbox, agreement_id, due="2027-01-16")) == "charge-due-too-soon"


@pytest.mark.shows("error:charge-creation-failed")
@pytest.mark.parametrize("status", ["PENDING", "STOPPED", "EXPIRED"])
async def test_only_an_active_agreement_can_be_charged(sandbox: Any, status: str) -> None:
    if status == "STOPPED":
        agreement_id = await sandbox.agree()
        await sandbox.call("PATCH", f"{V3}/{agreement_id}", {"status": "STOPPED"})
    else:
        agreement_id = (await sandbox.draft())["agreementId"]
        if status == "EXPIRED":
            await sandbox.advance(by="PT10M")
    reply = await create(sandbox, agreement_id)
    assert (reply.status, problem_id(reply)) == (400, "charge-creation-failed")


async def test_the_ceiling_follows_the_price(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.call("PATCH", f"{V3}/{agreement_id}", {"pricing": {"amount": 20000}})
    assert (await create(sandbox, agreement_id, amount=100000)).status == 201
    assert (await create(sandbox, agreement_id, amount=100001)).status == 400


async def test_a_variable_charge_above_the_payers_limit_waits_for_the_payer(sandbox: Any) -> None:
    pricing = {"type": "VARIABLE", "suggestedMaxAmount": 30000, "currency": "NOK"}
    agreement_id = (await sandbox.draft(pricing=pricing))["agreementId"]
    on = f"/phone/{ANNA}/agreements/{agreement_id}"
    await sandbox.control("POST", f"{on}/approve", {"maxAmount": 10000})
    assert (await create(sandbox, agreement_id, amount=30001)).status == 400
    raised = await sandbox.charge(agreement_id, amount=20000)
    never = await sandbox.charge(agreement_id, amount=30000, retryDays=0)
    await sandbox.advance_to("2027-02-01T12:00:00Z")
    waiting = await sandbox.fetch(agreement_id, raised)
    assert (waiting["status"], waiting["failureReason"]) == ("DUE", "charge_amount_too_high")
    await sandbox.control("POST", f"{on}/limit", {"maxAmount": 25000})
    await sandbox.advance_to("2027-02-01T16:00:00Z")
    paid = await sandbox.fetch(agreement_id, raised)
    assert (paid["status"], paid["failureReason"]) == ("CHARGED", None)
    failed = await sandbox.fetch(agreement_id, never)
    assert (failed["status"], failed["failureReason"]) == ("FAILED", "charge_amount_too_high")


async def test_flexible_pricing_has_no_ceiling(sandbox: Any) -> None:
    agreement_id = await sandbox.agree(pricing={"type": "FLEXIBLE", "currency": "NOK"})
    assert (await create(sandbox, agreement_id, amount=2_000_000_000)).status == 201


@pytest.mark.shows("operation:CaptureChargeV3", "error:charge-capture-failed")
async def test_partial_captures_until_the_reservation_is_used(sandbox: Any, hooked: Any, quiet: Any) -> None:
    agreement_id, charge_id = await reserved(sandbox)
    assert (await sandbox.on_charge("capture", agreement_id, charge_id, 4000)).status == 204
    assert await summary(sandbox, agreement_id, charge_id) == ("PARTIALLY_CAPTURED", 4000, 0, 0)
    reply = await sandbox.on_charge("capture", agreement_id, charge_id, 5901)
    assert (reply.status, problem_id(reply)) == (400, "charge-capture-failed")
    assert "higher than the remaining capturable amount" in reply["detail"]
    assert (await sandbox.on_charge("capture", agreement_id, charge_id, 5900)).status == 204
    assert await summary(sandbox, agreement_id, charge_id) == ("CHARGED", 9900, 0, 0)
    reply = await sandbox.on_charge("capture", agreement_id, charge_id, 100)
    assert reply.status == 400
    assert "CHARGED" in reply["detail"]
    await quiet()
    assert [one.get("amountCaptured") for one in hooked.got[1:]] == [0, 4000, 9900]


@pytest.mark.shows("event:recurring.charge-canceled.v1", "event:recurring.charge-refunded.v1")
async def test_a_part_is_captured_and_the_rest_released(sandbox: Any, hooked: Any, quiet: Any) -> None:
    agreement_id, charge_id = await reserved(sandbox)
    await sandbox.on_charge("capture", agreement_id, charge_id, 4000)
    assert (await sandbox.on_charge("cancel", agreement_id, charge_id)).status == 204
    assert await summary(sandbox, agreement_id, charge_id) == ("CHARGED", 4000, 0, 5900)
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 4000)).status == 204
    assert await summary(sandbox, agreement_id, charge_id) == ("REFUNDED", 4000, 4000, 5900)
    await quiet()
    assert hooked.events[-2:] == ["recurring.charge-canceled.v1", "recurring.charge-refunded.v1"]


@pytest.mark.shows("operation:RefundChargeV3", "error:operation-failed")
async def test_refunds_in_parts_up_to_what_was_captured(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    reply = await sandbox.on_charge("refund", agreement_id, charge_id, 100)
    assert reply.status == 400
    assert "DUE" in reply["detail"]
    await sandbox.advance_to("2027-02-01T09:00:00Z")
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 3000)).status == 204
    assert await summary(sandbox, agreement_id, charge_id) == ("PARTIALLY_REFUNDED", 9900, 3000, 0)
    reply = await sandbox.on_charge("refund", agreement_id, charge_id, 6901)
    assert (reply.status, problem_id(reply)) == (400, "operation-failed")
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 6900)).status == 204
    assert await summary(sandbox, agreement_id, charge_id) == ("REFUNDED", 9900, 9900, 0)
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 100)).status == 400


async def test_the_smallest_refund_is_one_krone_unless_less_is_left(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    await sandbox.advance_to("2027-02-01T09:00:00Z")
    for amount in (99, 0, -100):
        assert (await sandbox.on_charge("refund", agreement_id, charge_id, amount)).status == 400
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 9850)).status == 204
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 50)).status == 204


@pytest.mark.shows("operation:CancelChargeV3")
@pytest.mark.parametrize("lead", ["2027-02-01", "2027-09-01"])
async def test_a_charge_is_cancelled_before_it_is_taken(sandbox: Any, lead: str) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id, due=lead)
    assert (await sandbox.on_charge("cancel", agreement_id, charge_id)).status == 204
    assert await summary(sandbox, agreement_id, charge_id) == ("CANCELLED", 0, 0, 9900)
    await sandbox.advance_to("2027-10-01T00:00:00Z")
    assert await summary(sandbox, agreement_id, charge_id) == ("CANCELLED", 0, 0, 9900)
    for verb in ("cancel", "capture", "refund"):
        reply = await sandbox.on_charge(verb, agreement_id, charge_id, 100)
        assert reply.status == 400
        assert "CANCELLED" in reply["detail"]


async def test_a_direct_charge_can_be_neither_captured_nor_cancelled_once_taken(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    assert (await sandbox.on_charge("capture", agreement_id, charge_id, 9900)).status == 400
    await sandbox.advance_to("2027-02-01T09:00:00Z")
    for verb in ("capture", "cancel"):
        assert (await sandbox.on_charge(verb, agreement_id, charge_id, 9900)).status == 400
    assert await summary(sandbox, agreement_id, charge_id) == ("CHARGED", 9900, 0, 0)


@pytest.mark.shows("error:cancel-charge-failed")
async def test_a_waiting_initial_charge_cannot_be_cancelled(sandbox: Any) -> None:
    initial = {"amount": 100, "description": "First", "transactionType": "DIRECT_CAPTURE"}
    draft = await sandbox.draft(initialCharge=initial)
    reply = await sandbox.on_charge("cancel", draft["agreementId"], draft["chargeId"])
    assert (reply.status, problem_id(reply)) == (400, "cancel-charge-failed")


@pytest.mark.shows("rule:T10")
async def test_unscheduled_charges_need_permission_and_are_tried_at_once(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    unscheduled = {"type": "UNSCHEDULED", "due": ..., "retryDays": ...}
    reply = await create(sandbox, agreement_id, **unscheduled)
    assert (reply.status, reply["detail"]) == (400, "Cannot create a charge with type 'UNSCHEDULED'")
    merchant = (await sandbox.control("GET", "/merchants"))["merchants"][0]
    await sandbox.control("POST", "/merchants", merchant | {"unscheduledAllowed": True})
    assert (await create(sandbox, agreement_id, **unscheduled | {"due": "2027-02-01"})).status == 400
    assert (await create(sandbox, agreement_id, **unscheduled | {"retryDays": 1})).status == 400
    assert (await create(sandbox, agreement_id, **unscheduled, processingMode="SINGLE_ATTEMPT")).status == 400
    charge_id = (await create(sandbox, agreement_id, **unscheduled))["chargeId"]
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "CHARGED"
    await sandbox.person(ANNA, noFunds=[{"from": "2027-01-01"}])
    charge_id = (await create(sandbox, agreement_id, **unscheduled))["chargeId"]
    failed = await sandbox.fetch(agreement_id, charge_id)
    assert (failed["status"], failed["failureReason"]) == ("FAILED", "user_action_required")


@pytest.mark.shows("operation:CreateChargeAsyncV3", "event:recurring.charge-creation-failed.v1")
async def test_many_charges_in_one_call_each_stand_or_fall_alone(sandbox: Any, hooked: Any, quiet: Any) -> None:
    agreement_id = await sandbox.agree()
    waiting = (await sandbox.draft())["agreementId"]
    good = sandbox.charge_body(agreementId=agreement_id, orderId="good")
    body = [
        good,
        good | {"orderId": "late", "due": "2027-01-15"},
        {name: value for name, value in good.items() if name != "orderId"},
        good,
        good | {"orderId": "inactive", "agreementId": waiting},
        good | {"orderId": "unknown", "agreementId": "agr_nothing"},
        good | {"orderId": "high", "amount": 1_000_000},
        "not even an object",
    ]
    reply = await sandbox.call("POST", f"{V3}/charges", body)
    assert reply.status == 202
    assert reply["validCharges"] == ["good", "inactive", "unknown", "high"]
    assert [one["chargeBatchItemDto"].get("orderId") for one in reply["invalidCharges"]] == [
        "late",
        None,
        "good",
        None,
    ]
    assert all(one["errors"] for one in reply["invalidCharges"])
    charges = (await sandbox.call("GET", f"{V3}/{agreement_id}/charges")).body
    assert [one["id"] for one in charges] == ["good"]
    await quiet()
    refused = [one for one in hooked.got if one["eventType"] == "recurring.charge-creation-failed.v1"]
    assert sorted(one["chargeId"] for one in refused) == ["high", "inactive", "unknown"]
    # The same call again is answered the same, and a call of its own finds the order there: that is told later.
    told = len(refused)
    again = await sandbox.call("POST", f"{V3}/charges", [good | {"orderId": "twice"}], key="of-many")
    assert (
        await sandbox.call("POST", f"{V3}/charges", [good | {"orderId": "twice"}], key="of-many")
    ).body == again.body
    assert (await sandbox.call("POST", f"{V3}/charges", [good | {"orderId": "twice"}]))["validCharges"] == ["twice"]
    await quiet()
    refused = [one for one in hooked.got if one["eventType"] == "recurring.charge-creation-failed.v1"]
    assert [one["chargeId"] for one in refused[told:]] == ["twice"]
    assert len((await sandbox.call("GET", f"{V3}/{agreement_id}/charges")).body) == 2
    assert (await sandbox.call("POST", f"{V3}/charges", [good] * 2001)).status == 400
    assert (await sandbox.call("POST", f"{V3}/charges", good)).status == 400


@pytest.mark.shows("rule:T19")
async def test_a_long_list_goes_on_with_a_token_for_some_minutes(sandbox: Any, monkeypatch: Any) -> None:
    agreement_id = await sandbox.agree()
    batch = [sandbox.charge_body(agreementId=agreement_id, orderId=f"n-{n}", amount=100) for n in range(501)]
    assert (await sandbox.call("POST", f"{V3}/charges", batch)).status == 202
    path = f"{V3}/{agreement_id}/charges"
    first = await sandbox.call("GET", path)
    assert [one["id"] for one in first.body][:2] == ["n-500", "n-499"]
    assert len(first.body) == 500
    token = first.headers["continuation-token"]
    rest = await sandbox.raw("GET", path, None, await sandbox.headers() | {"Continuation-Token": token})
    assert [one["id"] for one in rest.body] == ["n-0"]
    assert "continuation-token" not in rest.headers
    other = await sandbox.agree()
    for wrong_path, wrong in ((f"{V3}/{other}/charges", token), (path, "made-up"), (path + "?status=DUE", token)):
        headers = await sandbox.headers() | {"Continuation-Token": wrong}
        assert (await sandbox.raw("GET", wrong_path, None, headers)).status == 400
    headers = await sandbox.headers() | {"Continuation-Token": token}
    for seconds, status in ((590, 200), (601, 400)):
        monkeypatch.setattr(pages, "wall_now", lambda seconds=seconds: clock.wall_now() + seconds * 1000)
        assert (await sandbox.raw("GET", path, None, headers)).status == status


async def test_a_charge_is_found_under_its_own_agreement_only(sandbox: Any) -> None:
    one, other = await sandbox.agree(), await sandbox.agree()
    charge_id = await sandbox.charge(one)
    reply = await sandbox.fetch(other, charge_id)
    assert (reply.status, reply["detail"]) == (404, "Charge not found.")
    for verb in ("cancel", "capture", "refund"):
        assert (await sandbox.on_charge(verb, other, charge_id, 100)).status == 404
    assert (await sandbox.fetch(one, charge_id))["status"] == "DUE"


@pytest.mark.shows("operation:ListChargesV3")
async def test_charges_are_listed_by_status(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    near, far = await sandbox.charge(agreement_id), await sandbox.charge(agreement_id, due="2027-06-01")
    for query, expected in (("", [far, near]), ("?status=PENDING", [far]), ("?status=DUE", [near])):
        found = await sandbox.call("GET", f"{V3}/{agreement_id}/charges{query}")
        assert [one["id"] for one in found.body] == expected
    assert (await sandbox.call("GET", f"{V3}/{agreement_id}/charges?status=PAID")).status == 400


async def test_a_person_who_deleted_their_profile_cannot_be_charged(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id, retryDays=0)
    assert (await sandbox.control("DELETE", f"/people/{ANNA}")).status == 204
    await sandbox.advance_to("2027-02-02T00:00:00Z")
    failed = await sandbox.fetch(agreement_id, charge_id)
    assert (failed["status"], failed["failureReason"]) == ("FAILED", "non_technical_error")
