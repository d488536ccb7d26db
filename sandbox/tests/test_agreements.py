"""Agreements: drafted, approved, rejected, expired, changed, stopped, listed."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

ANNA = "4791234567"
V3 = "/recurring/v3/agreements"


def problem_id(reply: Any) -> str:
    return str(reply["type"]).rpartition("#")[2]


def reasons(reply: Any) -> dict[str, str]:
    return {one["name"]: one["reason"] for one in reply["extraDetails"]}


@pytest.mark.shows("operation:DraftAgreementV3", "operation:FetchAgreementV3", "rule:T2")
async def test_a_draft_waits_and_carries_a_link_for_ten_minutes(sandbox: Any) -> None:
    draft = await sandbox.draft()
    assert draft["agreementId"].startswith("agr_")
    assert draft["chargeId"] is None
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", draft["uuid"])
    url = draft["vippsConfirmationUrl"]
    start, _, token = url.partition("&token=")
    assert start == f"{sandbox.url}/dwo-api-application/v1/deeplink/vippsgateway?v=2"
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] - claims["iat"] == 600
    fetched = await sandbox.fetch(draft["agreementId"])
    assert fetched["status"] == "PENDING"
    assert fetched["created"] == "2027-01-15T09:00:00Z"
    assert fetched["vippsConfirmationUrl"] == url
    assert fetched["pricing"] == {"type": "LEGACY", "currency": "NOK", "amount": 9900}
    assert fetched["interval"] == {"unit": "MONTH", "count": 1, "text": "every month"}
    for name in ("start", "stop", "campaign", "sub", "userinfoUrl", "externalId", "productDescription"):
        assert fetched[name] is None
    assert fetched["countryCode"] == "NO"


@pytest.mark.shows("rule:T21")
async def test_an_approved_agreement_is_active_from_then_on(sandbox: Any) -> None:
    draft = await sandbox.draft(scope="name email", externalId="our-17")
    await sandbox.advance(by="PT5M")
    await sandbox.person(ANNA, temperament="approves")
    opened = await sandbox.control("POST", f"/phone/{ANNA}/open", {"url": draft["vippsConfirmationUrl"]})
    assert opened["decision"] == "approved"
    assert opened["redirectUrl"] == "https://film.example/back?order=7"
    await sandbox.advance(by="P1M")
    fetched = await sandbox.fetch(draft["agreementId"])
    assert (fetched["status"], fetched["start"]) == ("ACTIVE", "2027-01-15T09:05:00Z")
    assert fetched["userinfoUrl"] == f"{sandbox.url}/vipps-userinfo-api/userinfo/{fetched['sub']}"
    assert fetched["externalId"] == "our-17"


@pytest.mark.shows("event:recurring.agreement-rejected.v1")
async def test_a_rejection_is_a_stop(sandbox: Any, hooked: Any, quiet: Any) -> None:
    draft = await sandbox.draft(
        initialCharge={"amount": 100, "description": "First", "transactionType": "DIRECT_CAPTURE"}
    )
    await sandbox.person(ANNA, temperament="rejects")
    opened = await sandbox.control("POST", f"/phone/{ANNA}/open", {"url": draft["vippsConfirmationUrl"]})
    assert (opened["decision"], opened["redirectUrl"]) == ("rejected", "https://film.example/back?order=7")
    assert (await sandbox.fetch(draft["agreementId"]))["status"] == "STOPPED"
    assert (await sandbox.fetch(draft["agreementId"], draft["chargeId"]))["status"] == "CANCELLED"
    await quiet()
    assert hooked.events == ["recurring.agreement-rejected.v1"]
    assert hooked.got[0]["actor"] is None


@pytest.mark.shows("event:recurring.agreement-expired.v1", "rule:T1", "rule:T2")
async def test_a_draft_expires_after_ten_minutes_to_the_second(sandbox: Any, hooked: Any) -> None:
    draft = await sandbox.draft()
    await sandbox.advance_to("2027-01-15T09:09:59Z")
    assert (await sandbox.fetch(draft["agreementId"]))["status"] == "PENDING"
    await sandbox.advance_to("2027-01-15T09:10:00Z")
    assert (await sandbox.fetch(draft["agreementId"]))["status"] == "EXPIRED"
    assert hooked.events == ["recurring.agreement-expired.v1"]
    assert hooked.got[0]["occurred"] == "2027-01-15T09:10:00Z"
    late = await sandbox.control("POST", f"/phone/{ANNA}/open", {"url": draft["vippsConfirmationUrl"]})
    assert late.status == 409


async def test_waiting_and_asking_people_decide_nothing(sandbox: Any) -> None:
    for number, temperament in (("4790000001", "waits"), ("4790000002", "asks")):
        draft = await sandbox.draft()
        await sandbox.person(number, temperament=temperament)
        opened = await sandbox.control("POST", f"/phone/{number}/open", {"url": draft["vippsConfirmationUrl"]})
        assert (opened["decision"], opened["redirectUrl"]) == (temperament, None)
        assert (await sandbox.fetch(draft["agreementId"]))["status"] == "PENDING"


@pytest.mark.shows("event:recurring.agreement-activated.v1")
async def test_the_initial_charge_is_told_before_the_activation(sandbox: Any, hooked: Any, quiet: Any) -> None:
    initial = {"amount": 4900, "description": "First", "transactionType": "DIRECT_CAPTURE", "orderId": "first-1"}
    agreement_id = await sandbox.agree(initialCharge=initial)
    await quiet()
    assert hooked.events == ["recurring.charge-captured.v1", "recurring.agreement-activated.v1"]
    assert hooked.got[0]["chargeType"] == "INITIAL"
    charge = await sandbox.fetch(agreement_id, "first-1")
    assert (charge["status"], charge["type"], charge["summary"]["captured"]) == ("CHARGED", "INITIAL", 4900)


@pytest.mark.shows("event:recurring.charge-reserved.v1")
async def test_an_initial_charge_may_fail_once_and_then_work(sandbox: Any, hooked: Any, quiet: Any) -> None:
    initial = {"amount": 4900, "description": "First", "transactionType": "RESERVE_CAPTURE"}
    draft = await sandbox.draft(initialCharge=initial)
    await sandbox.person(ANNA, noFunds=[{"until": "2027-01-15T09:05:00Z"}])
    approve = f"/phone/{ANNA}/agreements/{draft['agreementId']}/approve"
    assert (await sandbox.control("POST", approve))["decision"] == "failed"
    assert (await sandbox.fetch(draft["agreementId"]))["status"] == "PENDING"
    failed = await sandbox.fetch(draft["agreementId"], draft["chargeId"])
    assert (failed["status"], failed["failureReason"]) == ("FAILED", "user_action_required")
    await sandbox.advance(by="PT6M")
    assert (await sandbox.control("POST", approve))["decision"] == "approved"
    charge = await sandbox.fetch(draft["agreementId"], draft["chargeId"])
    assert (charge["status"], charge["failureReason"]) == ("RESERVED", None)
    await quiet()
    assert hooked.events == ["recurring.charge-reserved.v1", "recurring.agreement-activated.v1"]


async def test_an_initial_charge_that_never_works_expires_with_its_agreement(sandbox: Any, hooked: Any) -> None:
    initial = {"amount": 4900, "description": "First", "transactionType": "DIRECT_CAPTURE"}
    draft = await sandbox.draft(initialCharge=initial)
    await sandbox.person(ANNA, noFunds=[{"from": "2027-01-01"}])
    await sandbox.control("POST", f"/phone/{ANNA}/agreements/{draft['agreementId']}/approve")
    await sandbox.advance(by="PT10M")
    assert (await sandbox.fetch(draft["agreementId"]))["status"] == "EXPIRED"
    assert hooked.events == ["recurring.charge-failed.v1", "recurring.agreement-expired.v1"]


@pytest.mark.shows("error:illegal-agreement-update")
@pytest.mark.parametrize("how", ["PENDING", "STOPPED", "EXPIRED"])
async def test_only_an_active_agreement_can_be_changed_or_stopped(sandbox: Any, how: str) -> None:
    if how == "STOPPED":
        agreement_id = await sandbox.agree()
        await sandbox.call("PATCH", f"{V3}/{agreement_id}", {"status": "STOPPED"})
    else:
        agreement_id = (await sandbox.draft())["agreementId"]
        if how == "EXPIRED":
            await sandbox.advance(by="PT10M")
    for change in ({"status": "STOPPED"}, {"productName": "More films"}):
        reply = await sandbox.call("PATCH", f"{V3}/{agreement_id}", change)
        assert (reply.status, problem_id(reply)) == (400, "illegal-agreement-update")
        assert reasons(reply) == {"status": "Cannot modify an agreement which is not active."}
    assert (await sandbox.fetch(agreement_id))["status"] == how


@pytest.mark.shows("operation:UpdateAgreementPatchV3")
async def test_several_fields_change_at_once_and_it_stays_active(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    change = {
        "productName": "More films",
        "productDescription": "All of them",
        "merchantAgreementUrl": "https://film.example/new",
        "externalId": "x-1",
        "pricing": {"amount": 14900},
        "interval": {"type": "RECURRING", "period": {"unit": "WEEK", "count": 2}},
    }
    reply = await sandbox.call("PATCH", f"{V3}/{agreement_id}", change)
    assert (reply.status, reply.body) == (204, b"")
    fetched = await sandbox.fetch(agreement_id)
    assert fetched["status"] == "ACTIVE"
    assert fetched["pricing"]["amount"] == 14900
    assert fetched["interval"]["text"] == "every 2 weeks"
    assert (fetched["productName"], fetched["externalId"]) == ("More films", "x-1")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "STOPPED", "productName": "x"}, "status"),
        ({"status": "ACTIVE"}, "status"),
        ({"pricing": {"type": "VARIABLE"}}, "pricing.type"),
        ({"pricing": {"suggestedMaxAmount": 5000}}, "pricing.suggestedMaxAmount"),
        ({"pricing": {"amount": 99}}, "pricing.amount"),
        ({"interval": {"type": "RECURRING"}}, "interval.period"),
        ({"interval": {"type": "FLEXIBLE", "period": {"unit": "DAY", "count": 1}}}, "interval.period"),
        ({"productName": "x" * 46}, "productName"),
        ({"merchantAgreementUrl": "film"}, "merchantAgreementUrl"),
    ],
)
async def test_illegal_changes_change_nothing(sandbox: Any, change: dict[str, Any], field: str) -> None:
    agreement_id = await sandbox.agree()
    before = (await sandbox.fetch(agreement_id)).body
    reply = await sandbox.call("PATCH", f"{V3}/{agreement_id}", change)
    assert reply.status == 400
    assert field in reasons(reply)
    assert (await sandbox.fetch(agreement_id)).body == before


@pytest.mark.shows("event:recurring.agreement-stopped.v1")
async def test_a_merchants_stop_takes_reservations_with_it_and_a_payers_does_not(
    sandbox: Any, hooked: Any, quiet: Any
) -> None:
    initial = {"amount": 4900, "description": "First", "transactionType": "RESERVE_CAPTURE", "orderId": "a-1"}
    by_merchant = await sandbox.agree(initialCharge=initial)
    by_payer = await sandbox.agree(initialCharge=initial | {"orderId": "b-1"})
    for agreement_id, name in ((by_merchant, "a"), (by_payer, "b")):
        await sandbox.charge(agreement_id, orderId=f"{name}-2")
        await sandbox.charge(agreement_id, orderId=f"{name}-3", due="2027-09-01")
    await quiet()
    hooked.got.clear()
    assert (await sandbox.call("PATCH", f"{V3}/{by_merchant}", {"status": "STOPPED"})).status == 204
    stopped = await sandbox.control("POST", f"/phone/{ANNA}/agreements/{by_payer}/stop")
    assert (stopped["decision"], stopped["status"]) == ("stopped", "STOPPED")
    for charge_id in ("a-1", "a-2", "a-3"):
        assert (await sandbox.fetch(by_merchant, charge_id))["status"] == "CANCELLED"
    assert [(await sandbox.fetch(by_payer, f"b-{n}"))["status"] for n in (1, 2, 3)] == [
        "RESERVED",
        "CANCELLED",
        "CANCELLED",
    ]
    assert (await sandbox.on_charge("capture", by_payer, "b-1", 4900)).status == 204
    await quiet()
    actors = {one["agreementId"]: one["actor"] for one in hooked.got if "actor" in one}
    assert actors == {by_merchant: "MERCHANT", by_payer: "USER"}
    assert (await sandbox.fetch(by_payer))["stop"] == "2027-01-15T09:00:00Z"


@pytest.mark.shows("operation:acceptUsingPATCHV3")
async def test_force_accept(sandbox: Any) -> None:
    draft = await sandbox.draft()
    reply = await sandbox.call("PATCH", f"{V3}/{draft['agreementId']}/accept", {"phoneNumber": "4790000009"})
    assert (reply.status, reply.body) == (204, b"")
    assert (await sandbox.fetch(draft["agreementId"]))["status"] == "ACTIVE"
    app = await sandbox.control("GET", "/phone/4790000009")
    assert [one["agreementId"] for one in app["agreements"]] == [draft["agreementId"]]


@pytest.mark.shows("operation:ListAgreementsV3")
async def test_lists_have_one_status_and_pages(sandbox: Any) -> None:
    active = [await sandbox.agree() for _ in range(3)]
    waiting = (await sandbox.draft())["agreementId"]

    async def ids(query: str) -> list[str]:
        reply = await sandbox.call("GET", V3 + query)
        assert reply.status == 200, reply.body
        return [one["id"] for one in reply.body]

    assert await ids("") == active
    assert await ids("?status=PENDING") == [waiting]
    assert await ids("?status=STOPPED") == []
    assert await ids("?pageNumber=2&pageSize=2") == active[2:]
    created = 1_800_003_600_000
    assert await ids(f"?createdAfter={created - 1}") == active
    assert await ids(f"?createdAfter={created}") == []
    for query in ("?status=ALL", "?pageSize=5", "?pageNumber=0", "?pageNumber=1&pageSize=2001", "?createdAfter=x"):
        assert (await sandbox.call("GET", V3 + query)).status == 400


async def test_the_list_is_in_the_same_order_after_everything_is_loaded_anew(sandbox: Any) -> None:
    drafts = [(await sandbox.draft())["agreementId"] for _ in range(3)]
    for agreement_id in reversed(drafts):
        await sandbox.advance(by="PT1S")
        await sandbox.control("POST", f"/phone/{ANNA}/agreements/{agreement_id}/approve")
    before = [one["id"] for one in (await sandbox.call("GET", V3)).body]
    sandbox.world.recurring.shelf.load()
    assert [one["id"] for one in (await sandbox.call("GET", V3)).body] == before == drafts[::-1]


async def test_variable_pricing_has_the_payers_limit(sandbox: Any) -> None:
    pricing = {"type": "VARIABLE", "suggestedMaxAmount": 30000, "currency": "NOK"}
    draft = await sandbox.draft(pricing=pricing)
    assert (await sandbox.fetch(draft["agreementId"]))["pricing"] == pricing
    on = f"/phone/{ANNA}/agreements/{draft['agreementId']}"
    await sandbox.control("POST", f"{on}/approve", {"maxAmount": 20000})
    assert (await sandbox.fetch(draft["agreementId"]))["pricing"]["maxAmount"] == 20000
    assert (await sandbox.control("POST", f"{on}/limit", {"maxAmount": 50000})).status == 200
    assert (await sandbox.fetch(draft["agreementId"]))["pricing"]["maxAmount"] == 50000
    assert (await sandbox.control("POST", f"{on}/limit", {"maxAmount": 0})).status == 400


def initial(**changes: Any) -> dict[str, Any]:
    return {"initialCharge": {"amount": 100, "description": "x", "transactionType": "DIRECT_CAPTURE"} | changes}


def campaign(kind: str, **changes: Any) -> dict[str, Any]:
    return {"campaign": {"type": f"{kind}_CAMPAIGN", "price": 100} | changes}


@pytest.mark.shows("error:validation-error")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pricing": {"type": "LEGACY", "currency": "NOK"}}, "pricing.amount"),
        ({"pricing": {"amount": 99, "currency": "NOK"}}, "pricing.amount"),
        ({"pricing": {"amount": 9900}}, "pricing.currency"),
        ({"pricing": {"amount": 9900, "currency": "DKK"}}, "pricing.currency"),
        ({"pricing": {"amount": "9900", "currency": "NOK"}}, "pricing.amount"),
        ({"pricing": {"amount": True, "currency": "NOK"}}, "pricing.amount"),
        ({"pricing": {"amount": 99.5, "currency": "NOK"}}, "pricing.amount"),
        ({"pricing": {"amount": 2**31, "currency": "NOK"}}, "pricing.amount"),
        ({"pricing": {"type": "OTHER", "amount": 9900, "currency": "NOK"}}, "pricing.type"),
        ({"pricing": []}, "pricing"),
        ({"pricing": {"type": "VARIABLE", "currency": "NOK"}}, "pricing.suggestedMaxAmount"),
        (
            {"pricing": {"type": "VARIABLE", "currency": "NOK", "suggestedMaxAmount": 2_000_001}},
            "pricing.suggestedMaxAmount",
        ),
        ({"interval": {"unit": "MONTH", "count": 32}}, "interval.count"),
        ({"interval": {"unit": "DECADE", "count": 1}}, "interval.unit"),
        ({"merchantRedirectUrl": ...}, "merchantRedirectUrl"),
        ({"merchantRedirectUrl": "nowhere"}, "merchantRedirectUrl"),
        ({"merchantAgreementUrl": ...}, "merchantAgreementUrl"),
        ({"merchantAgreementUrl": "ftp://film.example"}, "merchantAgreementUrl"),
        ({"productName": ""}, "productName"),
        ({"productName": "x" * 46}, "productName"),
        ({"productDescription": "x" * 101}, "productDescription"),
        ({"phoneNumber": "+4791234567"}, "phoneNumber"),
        ({"scope": "name shoeSize"}, "scope"),
        ({"externalId": "x" * 65}, "externalId"),
        (initial(amount=99), "initialCharge.amount"),
        (initial(description=""), "initialCharge.description"),
        (initial(transactionType="LATER"), "initialCharge.transactionType"),
        (initial(orderId="a b"), "initialCharge.orderId"),
        (campaign("PRICE", end="2027-01-15T08:59:59Z"), "campaign.end"),
        (campaign("PRICE", end="soon"), "campaign.end"),
        (campaign("PERIOD"), "campaign.period"),
        (campaign("EVENT", eventDate="2027-12-24T00:00:00Z", eventText="x" * 16), "campaign.eventText"),
        (campaign("OTHER"), "campaign.type"),
        (
            campaign("PRICE", end="2028-01-01T00:00:00Z") | {"pricing": {"type": "FLEXIBLE", "currency": "NOK"}},
            "campaign",
        ),
    ],
)
async def test_a_wrong_draft_is_told_which_field(sandbox: Any, change: dict[str, Any], field: str) -> None:
    reply = await sandbox.call("POST", V3, sandbox.draft_body(**change))
    assert reply.status == 400, reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert field in reasons(reply)
    assert (await sandbox.control("GET", "/export"))["agreements"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"interval": ...},
        {"pricing": {"type": "FLEXIBLE", "currency": "NOK"}},
        {"pricing": {"amount": 9900, "currency": "NOK"}},
        {"merchantRedirectUrl": "myApp://home"},
        {"merchantRedirectUrl": "http://localhost:3000/back", "merchantAgreementUrl": "http://localhost:3000"},
        {"unknownField": {"deep": [1, 2]}, "campaign": None, "initialCharge": None, "phoneNumber": None},
        {"countryCode": "NO"},
        {"initialCharge": {"amount": 100, "currency": "NOK", "description": "x", "transactionType": "DIRECT_CAPTURE"}},
        {"isApp": True, "merchantRedirectUrl": "whatever"},
    ],
)
async def test_what_the_real_host_lets_pass(sandbox: Any, change: dict[str, Any]) -> None:
    draft = await sandbox.draft(**change)
    assert (await sandbox.fetch(draft["agreementId"])).status == 200


async def test_an_app_gets_a_deep_link(sandbox: Any) -> None:
    draft = await sandbox.draft(isApp=True)
    assert draft["vippsConfirmationUrl"].startswith("vipps://?token=")
    opened = await sandbox.control("POST", f"/phone/{ANNA}/open", {"url": draft["vippsConfirmationUrl"]})
    assert opened["agreementId"] == draft["agreementId"]


@pytest.mark.shows("error:unsupported-feature")
async def test_the_landing_page_is_skipped_by_permission_only(sandbox: Any) -> None:
    body = sandbox.draft_body(skipLandingPage=True, phoneNumber=ANNA)
    reply = await sandbox.call("POST", V3, body)
    assert (reply.status, problem_id(reply)) == (403, "unsupported-feature")
    merchant = (await sandbox.control("GET", "/merchants"))["merchants"][0]
    await sandbox.control("POST", "/merchants", merchant | {"skipLandingPageAllowed": True})
    reply = await sandbox.call("POST", V3, body)
    assert reply.status == 201
    app = await sandbox.control("GET", f"/phone/{ANNA}")
    assert [one["agreementId"] for one in app["agreements"]] == [reply["agreementId"]]
    # Nobody has to open anything: who decides at once does so now, and who does not has ten minutes.
    decided = []
    for temperament in ("asks", "approves", "rejects"):
        await sandbox.control("PATCH", f"/people/{ANNA}", {"temperament": temperament})
        decided.append((await sandbox.call("POST", V3, body))["agreementId"])
    assert [(await sandbox.fetch(one))["status"] for one in decided] == ["PENDING", "ACTIVE", "STOPPED"]
    await sandbox.advance(by="PT9M59S")
    assert (await sandbox.fetch(decided[0]))["status"] == "PENDING"
    await sandbox.advance(by="PT1S")
    assert (await sandbox.fetch(decided[0]))["status"] == "EXPIRED"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (
            {"type": "PRICE_CAMPAIGN", "price": 0, "end": "2027-06-01T00:00:00Z"},
            {"end": "2027-06-01T00:00:00Z", "explanation": "Ordinary price 99 kr starts 1/6/2027"},
        ),
        (
            {"type": "PERIOD_CAMPAIGN", "price": 100, "period": {"unit": "MONTH", "count": 1}},
            {"end": "2027-02-15T09:00:00Z", "period": {"unit": "MONTH", "count": 1}},
        ),
        (
            {"type": "EVENT_CAMPAIGN", "price": 1, "eventDate": "2027-12-24T00:00:00Z", "eventText": "until Christmas"},
            {"eventDate": "2027-12-24T00:00:00Z", "eventText": "until Christmas"},
        ),
    ],
)
async def test_campaigns(sandbox: Any, asked: dict[str, Any], shown: dict[str, Any]) -> None:
    draft = await sandbox.draft(campaign=asked)
    fetched = (await sandbox.fetch(draft["agreementId"]))["campaign"]
    assert fetched["type"] == asked["type"]
    assert fetched["price"] == asked["price"]
    assert fetched.items() >= shown.items()


async def test_a_campaign_with_an_interval_of_its_own_is_for_those_who_may(sandbox: Any) -> None:
    week = {"unit": "WEEK", "count": 2}
    campaign = {"type": "FULL_FLEX_CAMPAIGN", "price": 100, "interval": week, "end": "2027-06-01T00:00:00Z"}
    refused = await sandbox.call("POST", V3, sandbox.draft_body(campaign=campaign))
    assert (refused.status, refused["type"].rpartition("#")[2]) == (403, "unsupported-feature")
    merchant = (await sandbox.control("GET", "/merchants"))["merchants"][0]
    await sandbox.control("POST", "/merchants", merchant | {"fullFlexAllowed": True})
    shown = (await sandbox.fetch((await sandbox.draft(campaign=campaign))["agreementId"]))["campaign"]
    assert shown["interval"] == week
    assert (shown["type"], shown["price"], shown["end"]) == ("FULL_FLEX_CAMPAIGN", 100, "2027-06-01T00:00:00Z")


@pytest.mark.shows("error:not-found")
async def test_an_unknown_agreement_is_not_found(sandbox: Any) -> None:
    for method, path, body in (
        ("GET", f"{V3}/agr_nothing", None),
        ("PATCH", f"{V3}/agr_nothing", {"status": "STOPPED"}),
        ("PATCH", f"{V3}/agr_nothing/accept", {"phoneNumber": ANNA}),
        ("GET", f"{V3}/agr_nothing/charges", None),
        ("POST", f"{V3}/agr_nothing/charges", sandbox.charge_body()),
    ):
        reply = await sandbox.call(method, path, body)
        assert (reply.status, reply["detail"], reply["type"]) == (404, "Agreement not found.", "about:blank")
        assert reply["instance"] == "/vipps-recurring-merchant-api" + path.removeprefix("/recurring")
        assert "extraDetails" not in reply.body


@pytest.mark.shows("error:invalid-suggested-max-amount")
async def test_a_suggested_limit_above_the_markets_is_refused(sandbox: Any) -> None:
    pricing = {"type": "VARIABLE", "currency": "NOK", "suggestedMaxAmount": 2_000_001}
    reply = await sandbox.call("POST", V3, sandbox.draft_body(pricing=pricing))
    assert (reply.status, problem_id(reply)) == (400, "invalid-suggested-max-amount")


@pytest.mark.shows("rule:T20")
async def test_a_campaign_that_ended_changes_no_charge(sandbox: Any) -> None:
    campaign = {"type": "PRICE_CAMPAIGN", "price": 100, "end": "2027-02-01T00:00:00Z"}
    agreement_id = await sandbox.agree(campaign=campaign)
    during = await sandbox.charge(agreement_id, due="2027-01-20")
    after = await sandbox.charge(agreement_id, due="2027-02-10")
    await sandbox.advance_to("2027-02-10T12:00:00Z")
    amounts = [(await sandbox.fetch(agreement_id, charge_id))["summary"]["captured"] for charge_id in (during, after)]
    assert amounts == [9900, 9900]
    assert (await sandbox.fetch(agreement_id))["pricing"]["amount"] == 9900
