"""Version 2 of Recurring: the same agreements and charges as in version 3, in the older shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avtale_sandbox.instants import parse_instant

ANNA = "4791234567"
V2 = "/recurring/v2/agreements"
V3 = "/recurring/v3/agreements"


def draft_body(**changes: Any) -> dict[str, Any]:
    body = {
        "currency": "NOK",
        "price": 9900,
        "interval": "MONTH",
        "intervalCount": 1,
        "merchantRedirectUrl": "https://film.example/back?order=7",
        "merchantAgreementUrl": "https://film.example/my-page",
        "productName": "All films",
        "productDescription": "Every film there is",
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


def charge_body(**changes: Any) -> dict[str, Any]:
    body = {"amount": 9900, "currency": "NOK", "description": "February", "due": "2027-02-01", "retryDays": 2}
    return {name: value for name, value in (body | changes).items() if value is not ...}


async def agree(sandbox: Any, **changes: Any) -> str:
    drafted = await sandbox.call("POST", V2, draft_body(**changes))
    assert drafted.status == 201, drafted.body
    agreement_id: str = drafted["agreementId"]
    accepted = await sandbox.call("PATCH", f"{V2}/{agreement_id}/accept", {"customerPhoneNumber": ANNA})
    assert (accepted.status, accepted.body) == (200, {})
    return agreement_id


async def charge(sandbox: Any, agreement_id: str, **changes: Any) -> str:
    created = await sandbox.call("POST", f"{V2}/{agreement_id}/charges", charge_body(**changes))
    assert created.status == 201, created.body
    charge_id: str = created["chargeId"]
    return charge_id


def only_error(reply: Any) -> dict[str, Any]:
    """The one error of an answer, which has exactly the four published fields."""
    assert reply.headers["Content-Type"] == "application/json;charset=UTF-8"
    (error,) = reply.body
    assert set(error) == {"field", "message", "code", "contextId"}
    return dict(error)


@pytest.mark.shows("operation:DraftAgreement")
async def test_a_draft_is_answered_with_its_resource_and_a_confirmation_address(sandbox: Any) -> None:
    drafted = await sandbox.call("POST", V2, draft_body())
    assert drafted.status == 201
    assert set(drafted.body) == {"agreementResource", "agreementId", "vippsConfirmationUrl", "chargeId"}
    assert drafted["agreementResource"] == f"{sandbox.url}{V2}/{drafted['agreementId']}"
    assert drafted["chargeId"] is None
    opened = await sandbox.control("POST", f"/phone/{ANNA}/open", {"url": drafted["vippsConfirmationUrl"]})
    assert opened.status == 200


@pytest.mark.shows("operation:FetchAgreement")
async def test_an_agreement_is_flat_and_its_unset_times_are_null(sandbox: Any) -> None:
    agreement_id = (await sandbox.call("POST", V2, draft_body()))["agreementId"]
    found = await sandbox.call("GET", f"{V2}/{agreement_id}")
    assert (found.status, found.body) == (
        200,
        {
            "id": agreement_id,
            "status": "PENDING",
            "price": 9900,
            "currency": "NOK",
            "interval": "MONTH",
            "intervalCount": 1,
            "productName": "All films",
            "productDescription": "Every film there is",
            "campaign": None,
            "start": None,
            "stop": None,
            "merchantAgreementUrl": "https://film.example/my-page",
            "sub": None,
            "userinfoUrl": None,
        },
    )


async def test_every_draft_is_a_new_agreement_whatever_its_key(sandbox: Any) -> None:
    first = await sandbox.call("POST", V2, draft_body(), key="once")
    second = await sandbox.call("POST", V2, draft_body(), key="once")
    assert (first.status, second.status) == (201, 201)
    assert first["agreementId"] != second["agreementId"]


@pytest.mark.shows("operation:acceptUsingPATCH")
async def test_what_one_version_makes_the_other_shows_and_uses(sandbox: Any) -> None:
    old = await agree(sandbox)
    assert (await sandbox.fetch(old))["pricing"] == {"type": "LEGACY", "currency": "NOK", "amount": 9900}
    new = await sandbox.agree(interval={"unit": "WEEK", "count": 2})
    shown = await sandbox.call("GET", f"{V2}/{new}")
    assert (shown["interval"], shown["intervalCount"], shown["price"]) == ("WEEK", 2, 9900)
    made = await sandbox.charge(new, transactionType="RESERVE_CAPTURE")
    assert (await sandbox.call("GET", f"{V2}/{new}/charges/{made}"))["status"] == "DUE"
    made = await charge(sandbox, old, orderId="made-in-2")
    assert (await sandbox.fetch(old, made))["transactionType"] == "DIRECT_CAPTURE"
    assert {one["id"] for one in (await sandbox.call("GET", V2)).body} == {old, new}


async def test_what_only_version_3_has_shows_as_nothing(sandbox: Any) -> None:
    agreement_id = await sandbox.agree(pricing={"type": "FLEXIBLE", "currency": "NOK"}, interval=...)
    shown = await sandbox.call("GET", f"{V2}/{agreement_id}")
    assert (shown["price"], shown["interval"], shown["intervalCount"]) == (0, None, None)
    assert "variableAmount" not in shown.body


async def test_a_variable_amount_needs_no_price_and_shows_the_payers_limit(sandbox: Any) -> None:
    body = draft_body(price=..., variableAmount={"suggestedMaxAmount": 30000})
    agreement_id = (await sandbox.call("POST", V2, body))["agreementId"]
    waiting = await sandbox.call("GET", f"{V2}/{agreement_id}")
    assert waiting["variableAmount"] == {"suggestedMaxAmount": 30000}
    await sandbox.control("POST", f"/phone/{ANNA}/agreements/{agreement_id}/approve", {"maxAmount": 20000})
    active = await sandbox.call("GET", f"{V2}/{agreement_id}")
    assert active["variableAmount"] == {"suggestedMaxAmount": 30000, "maxAmount": 20000}
    changed = await sandbox.call("PATCH", f"{V2}/{agreement_id}", {"suggestedMaxAmount": 40000})
    assert (changed.status, changed.body) == (200, {"agreementId": agreement_id})
    assert (await sandbox.fetch(agreement_id))["pricing"]["suggestedMaxAmount"] == 40000


async def test_a_campaign_is_drafted_changed_and_read_by_version_3_as_legacy(sandbox: Any) -> None:
    agreement_id = await agree(sandbox, campaign={"campaignPrice": 100, "end": "2027-04-01T00:00:00Z"})
    shown = await sandbox.call("GET", f"{V2}/{agreement_id}")
    assert shown["campaign"] == {
        "campaignPrice": 100,
        "start": "2027-01-15T09:00:00Z",
        "end": "2027-04-01T00:00:00Z",
    }
    later = {"campaign": {"campaignPrice": 0, "end": "2027-05-01T00:00:00Z"}}
    assert (await sandbox.call("PATCH", f"{V2}/{agreement_id}", later)).status == 200
    campaign = (await sandbox.fetch(agreement_id))["campaign"]
    assert (campaign["type"], campaign["price"], campaign["end"]) == ("LEGACY_CAMPAIGN", 0, "2027-05-01T00:00:00Z")
    past = {"campaign": {"campaignPrice": 0, "end": "2026-05-01T00:00:00Z"}}
    refused = await sandbox.call("PATCH", f"{V2}/{agreement_id}", past)
    assert (refused.status, only_error(refused)["field"]) == (400, "campaign.end")
    assert (await sandbox.fetch(agreement_id))["campaign"] == campaign


@pytest.mark.shows("operation:UpdateAgreementPut", "operation:UpdateAgreementPatch")
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_put_and_patch_change_and_stop(sandbox: Any, method: str) -> None:
    agreement_id = await agree(sandbox)
    changes = {"price": 50, "productName": "Some films", "productDescription": None}
    changed = await sandbox.call(method, f"{V2}/{agreement_id}", changes)
    assert (changed.status, changed.body) == (200, {"agreementId": agreement_id})
    shown = await sandbox.call("GET", f"{V2}/{agreement_id}")
    assert (shown["price"], shown["productName"]) == (50, "Some films")
    assert shown["productDescription"] == "Every film there is"
    both = await sandbox.call(method, f"{V2}/{agreement_id}", {"status": "STOPPED", "price": 100})
    assert (both.status, only_error(both)["field"]) == (400, "status")
    assert (await sandbox.call(method, f"{V2}/{agreement_id}", {"status": "STOPPED"})).status == 200
    stopped = await sandbox.call("GET", f"{V2}/{agreement_id}")
    assert (stopped["status"], stopped["stop"]) == ("STOPPED", "2027-01-15T09:00:00Z")


@pytest.mark.shows("operation:ListAgreements")
async def test_agreements_are_listed_by_status_and_age(sandbox: Any) -> None:
    first = await agree(sandbox)
    await sandbox.advance(by="PT1H")
    second = await agree(sandbox)
    assert [one["id"] for one in (await sandbox.call("GET", V2)).body] == [first, second]
    after = parse_instant("2027-01-15T09:30:00Z")
    assert [one["id"] for one in (await sandbox.call("GET", f"{V2}?createdAfter={after}")).body] == [second]
    await sandbox.call("PUT", f"{V2}/{second}", {"status": "STOPPED"})
    assert [one["id"] for one in (await sandbox.call("GET", f"{V2}?status=STOPPED")).body] == [second]
    for query, field in (("status=GONE", "status"), ("createdAfter=soon", "createdAfter")):
        refused = await sandbox.call("GET", f"{V2}?{query}")
        assert (refused.status, only_error(refused)["field"]) == (400, field)


@pytest.mark.shows("operation:CreateCharge", "operation:FetchCharge", "operation:RefundCharge")
async def test_a_charge_is_due_captured_and_partly_refunded(sandbox: Any) -> None:
    agreement_id = await agree(sandbox)
    charge_id = await charge(sandbox, agreement_id)
    path = f"{V2}/{agreement_id}/charges/{charge_id}"
    assert (await sandbox.call("GET", path)).body == {
        "id": charge_id,
        "amount": 9900,
        "amountRefunded": 0,
        "description": "February",
        "due": "2027-02-01T00:00:00Z",
        "status": "DUE",
        "transactionId": (await sandbox.fetch(agreement_id, charge_id))["transactionId"],
        "type": "RECURRING",
        "failureReason": None,
        "failureDescription": None,
    }
    await sandbox.advance_to("2027-02-01T08:00:00Z")
    assert (await sandbox.call("GET", path))["status"] == "CHARGED"
    refunded = await sandbox.call("POST", f"{path}/refund", {"amount": 900, "description": "one film less"})
    assert (refunded.status, refunded.body) == (200, {})
    shown = await sandbox.call("GET", path)
    assert (shown["status"], shown["amountRefunded"]) == ("PARTIALLY_REFUNDED", 900)


@pytest.mark.shows("operation:ListCharges")
async def test_a_failing_charge_says_why_while_it_is_still_tried(sandbox: Any) -> None:
    agreement_id = await agree(sandbox)
    await sandbox.person(ANNA, noFunds=[{"from": "2027-01-20"}])
    charge_id = await charge(sandbox, agreement_id, retryDays=1)
    await sandbox.advance_to("2027-02-01T12:00:00Z")
    path = f"{V2}/{agreement_id}/charges/{charge_id}"
    shown = await sandbox.call("GET", path)
    assert (shown["status"], shown["failureReason"]) == ("DUE", "user_action_required")
    await sandbox.advance_to("2027-02-03T00:00:00Z")
    assert (await sandbox.call("GET", path))["status"] == "FAILED"
    listed = await sandbox.call("GET", f"{V2}/{agreement_id}/charges?chargeStatus=FAILED")
    assert [one["id"] for one in listed.body] == [charge_id]
    assert (await sandbox.call("GET", f"{V2}/{agreement_id}/charges?chargeStatus=DUE")).body == []
    unknown = await sandbox.call("GET", f"{V2}/{agreement_id}/charges?chargeStatus=LATE")
    assert only_error(unknown)["field"] == "chargeStatus"


@pytest.mark.shows("operation:CancelCharge")
async def test_a_cancelled_charge_is_the_answer(sandbox: Any) -> None:
    agreement_id = await agree(sandbox)
    charge_id = await charge(sandbox, agreement_id)
    headers = await sandbox.headers()
    del headers["Idempotency-Key"]
    path = f"{V2}/{agreement_id}/charges/{charge_id}"
    cancelled = await sandbox.raw("DELETE", path, None, headers)
    assert (cancelled.status, cancelled["id"], cancelled["status"]) == (200, charge_id, "CANCELLED")
    again = await sandbox.raw("DELETE", path, None, headers)
    assert (again.status, only_error(again)["code"]) == (400, "cancel.charge.failed")


@pytest.mark.shows("operation:CaptureCharge")
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{"])
async def test_an_initial_reservation_is_captured_whole_and_a_body_does_not_matter(sandbox: Any, body: bytes) -> None:
    initial = {"amount": 5000, "currency": "NOK", "description": "First", "transactionType": "RESERVE_CAPTURE"}
    drafted = await sandbox.call("POST", V2, draft_body(initialCharge=initial))
    agreement_id, charge_id = drafted["agreementId"], drafted["chargeId"]
    path = f"{V2}/{agreement_id}/charges/{charge_id}"
    assert (await sandbox.call("POST", f"{path}/capture")).status == 400
    await sandbox.call("PATCH", f"{V2}/{agreement_id}/accept", {"customerPhoneNumber": ANNA})
    shown = await sandbox.call("GET", path)
    assert (shown["status"], shown["type"]) == ("RESERVED", "INITIAL")
    captured = await sandbox.raw("POST", f"{path}/capture", body, await sandbox.headers())
    assert (captured.status, captured.body) == (200, {})
    assert (await sandbox.fetch(agreement_id, charge_id))["summary"]["captured"] == 5000
    assert (await sandbox.call("GET", path))["status"] == "CHARGED"


async def test_a_charge_under_an_agreement_that_is_not_active(sandbox: Any) -> None:
    agreement_id = (await sandbox.call("POST", V2, draft_body()))["agreementId"]
    refused = await sandbox.call("POST", f"{V2}/{agreement_id}/charges", charge_body())
    assert refused.status == 400
    error = only_error(refused)
    assert (error["field"], error["message"], error["code"]) == (
        "agreement.status",
        "Cannot create a charge for an agreement which is not active.",
        "recurring.core.charges.create.invalid_agreement",
    )


async def test_a_change_of_an_agreement_that_is_not_active(sandbox: Any) -> None:
    agreement_id = (await sandbox.call("POST", V2, draft_body()))["agreementId"]
    for body in ({"price": 100}, {"status": "STOPPED"}):
        refused = await sandbox.call("PATCH", f"{V2}/{agreement_id}", body)
        error = only_error(refused)
        assert (refused.status, error["field"], error["code"]) == (400, "status", "status.notActive")
        assert error["message"] == "Missing message for error: status.notActive"


async def test_an_unknown_agreement_is_a_bad_request(sandbox: Any) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"price": 100}),
        ("PATCH", "/accept", {"customerPhoneNumber": ANNA}),
        ("GET", "/charges", None),
        ("POST", "/charges", charge_body()),
        ("GET", "/charges/c", None),
        ("DELETE", "/charges/c", None),
        ("POST", "/charges/c/capture", None),
        ("POST", "/charges/c/refund", {"amount": 100, "description": "x"}),
    ):
        refused = await sandbox.call(method, f"{V2}/agr_nothing{path}", body)
        error = only_error(refused)
        assert (refused.status, error["field"], error["code"]) == (400, "agreementId", "invalid.agreementId")
    agreement_id = await agree(sandbox)
    refused = await sandbox.call("GET", f"{V2}/{agreement_id}/charges/nothing")
    assert (refused.status, only_error(refused)["code"]) == (400, "invalid.chargeId")


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"merchantAgreementUrl": "localhost/my-page"}, "merchantAgreementUrl", "apacheurlvalidation"),
        ({"merchantRedirectUrl": ...}, "merchantRedirectUrl", "notnull"),
        ({"price": 99}, "price", "min"),
        ({"price": ...}, "price", "notnull"),
        ({"price": "9900"}, "price", "invalid"),
        ({"intervalCount": 32}, "intervalCount", "max"),
        ({"intervalCount": ...}, "intervalCount", "notnull"),
        ({"interval": "FORTNIGHT"}, "interval", "pattern"),
        ({"productName": "x" * 46}, "productName", "size"),
        ({"currency": "DKK"}, "currency", "invalid"),
        ({"currency": "SEK"}, "currency", "pattern"),
        ({"customerPhoneNumber": "+4791234567"}, "customerPhoneNumber", "invalid"),
        ({"variableAmount": {"suggestedMaxAmount": 2000001}}, "variableAmount.suggestedMaxAmount", "max"),
    ],
)
async def test_each_wrong_field_of_a_draft_is_named(sandbox: Any, changes: Any, field: str, code: str) -> None:
    refused = await sandbox.call("POST", V2, draft_body(**changes))
    error = only_error(refused)
    assert (refused.status, error["field"], error["code"]) == (400, field, f"{field.lower()}.{code}")


async def test_all_wrong_fields_are_told_at_once(sandbox: Any) -> None:
    refused = await sandbox.call("POST", V2, {"currency": "NOK"})
    assert {one["field"] for one in refused.body} == {
        "interval",
        "intervalCount",
        "merchantAgreementUrl",
        "merchantRedirectUrl",
        "productName",
    }
    assert len({one["contextId"] for one in refused.body}) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"due": "2027-01-15"}, "charge.due.too.soon"),
        ({"due": "2029-01-16"}, "charge.due.in.too.long"),
        ({"amount": 49501}, "charge.amount.too.high"),
        ({"amount": 99}, "amount.min"),
        ({"currency": "DKK"}, "currency.invalid"),
        ({"currency": ...}, "currency.notnull"),
        ({"retryDays": 15}, "retrydays.max"),
        ({"description": ""}, "description.size"),
        ({"orderId": "a b"}, "orderid.pattern"),
        ({"orderId": "x" * 51}, "orderid.size"),
    ],
)
async def test_a_charge_that_cannot_be(sandbox: Any, changes: Any, code: str) -> None:
    agreement_id = await agree(sandbox)
    refused = await sandbox.call("POST", f"{V2}/{agreement_id}/charges", charge_body(**changes))
    assert (refused.status, only_error(refused)["code"]) == (400, code)
    assert (await sandbox.call("GET", f"{V2}/{agreement_id}/charges")).body == []


@pytest.mark.parametrize("name", ["Idempotency-Key", "Idempotent-Key"])
async def test_money_moves_once_for_each_key_also_under_its_old_name(sandbox: Any, name: str) -> None:
    agreement_id = await agree(sandbox)
    headers = await sandbox.headers()
    del headers["Idempotency-Key"]
    path = f"{V2}/{agreement_id}/charges"
    missing = await sandbox.raw("POST", path, json.dumps(charge_body()), headers)
    assert (missing.status, only_error(missing)["code"]) == (400, "idempotency.key.header")
    keyed = headers | {name: "once"}
    first = await sandbox.raw("POST", path, json.dumps(charge_body()), keyed)
    again = await sandbox.raw("POST", path, json.dumps(charge_body()), keyed)
    assert (again.status, again.body) == (first.status, first.body) == (201, {"chargeId": first["chargeId"]})
    other = await sandbox.raw("POST", path, json.dumps(charge_body(amount=100)), keyed)
    assert (other.status, only_error(other)["code"]) == (409, "idempotentkey.hash.mismatch")
    assert only_error(other)["field"] is None


async def test_a_key_of_version_2_is_used_up_for_version_3(sandbox: Any) -> None:
    agreement_id = await agree(sandbox)
    await sandbox.call("POST", f"{V2}/{agreement_id}/charges", charge_body(), key="k")
    reply = await sandbox.call("POST", f"{V3}/{agreement_id}/charges", sandbox.charge_body(), key="k")
    assert reply.status == 409


async def test_skipping_the_landing_page_is_for_those_who_may(sandbox: Any) -> None:
    body = draft_body(skipLandingPage=True, customerPhoneNumber=ANNA)
    refused = await sandbox.call("POST", V2, body)
    assert (refused.status, only_error(refused)["code"]) == (403, "unsupported.feature")
