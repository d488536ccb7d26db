"""The control room: health, people, merchants, telephones, reset."""

from __future__ import annotations

from typing import Any

import pytest

ANNA = "4791234567"
V3 = "/recurring/v3/agreements"


async def test_health(sandbox: Any) -> None:
    assert (await sandbox.control("GET", "/health")).body == {"status": "ok"}


async def test_a_newcomer_finds_a_merchant_and_a_person(sandbox: Any) -> None:
    merchants = (await sandbox.control("GET", "/merchants"))["merchants"]
    assert [(one["merchantSerialNumber"], one["clientId"], one["market"]) for one in merchants] == [
        ("123456", "dev-client-id", "NO")
    ]
    people = (await sandbox.control("GET", "/people"))["people"]
    assert [(one["phoneNumber"], one["temperament"]) for one in people] == [(ANNA, "asks")]


async def test_people_come_change_and_go(sandbox: Any) -> None:
    added = await sandbox.control("POST", "/people", {"phoneNumber": "4790000001", "name": "Ola"})
    assert (added.status, added["noFunds"]) == (201, [])
    change = {"temperament": "rejects", "noFunds": [{"from": "2027-03-01", "until": "2027-03-02T12:00:00Z"}]}
    changed = await sandbox.control("PATCH", "/people/4790000001", change)
    assert changed.body == added.body | change
    assert (await sandbox.control("GET", "/people/4790000001")).body == changed.body
    assert (await sandbox.control("DELETE", "/people/4790000001")).status == 204
    for method in ("GET", "DELETE", "PATCH"):
        assert (await sandbox.control(method, "/people/4790000001", {})).status == 404


@pytest.mark.parametrize(
    "person",
    [
        {},
        {"phoneNumber": "123"},
        {"phoneNumber": "+4791234567"},
        {"phoneNumber": "4791234567", "temperament": "shy"},
        {"phoneNumber": "4791234567", "noFunds": [{"from": "tomorrow"}]},
        {"phoneNumber": "4791234567", "noFunds": [{"from": "2027-03-05", "until": "2027-03-01"}]},
    ],
)
async def test_a_person_that_cannot_be(sandbox: Any, person: dict[str, Any]) -> None:
    assert (await sandbox.control("POST", "/people", person)).status == 400


async def test_a_phone_number_stays_with_its_owner(sandbox: Any) -> None:
    assert (await sandbox.control("PATCH", f"/people/{ANNA}", {"phoneNumber": "4790000001"})).status == 400
    assert (await sandbox.control("PATCH", f"/people/{ANNA}", {"shoeSize": 41})).status == 400


async def test_an_unknown_number_becomes_a_person_on_first_use(sandbox: Any) -> None:
    draft = await sandbox.draft()
    opened = await sandbox.control("POST", "/phone/4790000005/open", {"url": draft["vippsConfirmationUrl"]})
    assert opened["decision"] == "asks"
    assert (await sandbox.control("GET", "/people/4790000005")).status == 200
    app = await sandbox.control("GET", "/phone/4790000005")
    assert [(one["agreementId"], one["status"]) for one in app["agreements"]] == [(draft["agreementId"], "PENDING")]


async def test_a_request_opened_on_two_telephones_is_in_the_last_ones_app(sandbox: Any) -> None:
    draft = await sandbox.draft()
    for number in ("4790000005", "4790000006"):
        await sandbox.control("POST", f"/phone/{number}/open", {"url": draft["vippsConfirmationUrl"]})
    assert (await sandbox.control("GET", "/phone/4790000005"))["agreements"] == []
    assert len((await sandbox.control("GET", "/phone/4790000006"))["agreements"]) == 1


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://elsewhere.example/?token=a.b.c", 404),
        ("https://elsewhere.example/", 400),
        ("nothing", 400),
        ("http://[broken?token=x", 400),
        ("vipps://?token=", 400),
    ],
)
async def test_an_address_that_asks_for_nothing(sandbox: Any, url: str, status: int) -> None:
    assert (await sandbox.control("POST", f"/phone/{ANNA}/open", {"url": url})).status == status


async def test_a_telephone_cannot_stop_what_is_not_its_owners(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    reply = await sandbox.control("POST", f"/phone/4790000001/agreements/{agreement_id}/stop")
    assert reply.status == 404
    assert (await sandbox.fetch(agreement_id))["status"] == "ACTIVE"


async def test_a_danish_merchant_has_its_own_rules(sandbox: Any) -> None:
    danish = {
        "clientId": "dk-id",
        "clientSecret": "dk-secret",
        "subscriptionKey": "dk-key",
        "merchantSerialNumber": "700700",
        "market": "DK",
    }
    assert (await sandbox.control("POST", "/merchants", danish)).status == 201
    sandbox.keys = {"client_id": "dk-id", "client_secret": "dk-secret", "Ocp-Apim-Subscription-Key": "dk-key"}
    sandbox.token = ""
    pricing = {"amount": 50, "currency": "DKK"}
    agreement_id = await sandbox.agree(pricing=pricing, merchantAgreementUrl=...)
    fetched = await sandbox.fetch(agreement_id)
    assert (fetched["countryCode"], fetched["pricing"]["currency"]) == ("DK", "DKK")
    charge_id = await sandbox.charge(agreement_id, amount=50, transactionType="RESERVE_CAPTURE")
    await sandbox.advance_to("2027-02-01T02:00:00Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "RESERVED"
    await sandbox.advance_to("2027-02-15T02:00:00Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "CANCELLED"


@pytest.mark.parametrize(
    "change",
    [
        {"merchantSerialNumber": "12"},
        {"merchantSerialNumber": "12345x"},
        {"clientSecret": ""},
        {"market": "SE"},
        {"clientId": ...},
    ],
)
async def test_a_merchant_that_cannot_be(sandbox: Any, change: dict[str, Any]) -> None:
    merchant = {
        "clientId": "a",
        "clientSecret": "b",
        "subscriptionKey": "c",
        "merchantSerialNumber": "654321",
    }
    body = {name: value for name, value in (merchant | change).items() if value is not ...}
    assert (await sandbox.control("POST", "/merchants", body)).status == 400


async def test_a_client_id_belongs_to_one_merchant(sandbox: Any) -> None:
    merchant = (await sandbox.control("GET", "/merchants"))["merchants"][0]
    taken = merchant | {"merchantSerialNumber": "654321"}
    assert (await sandbox.control("POST", "/merchants", taken)).status == 409


async def test_a_reset_leaves_configuration_and_time(sandbox: Any, hooked: Any) -> None:
    merchant = {"clientId": "a", "clientSecret": "b", "subscriptionKey": "c", "merchantSerialNumber": "654321"}
    await sandbox.control("POST", "/merchants", merchant)
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id)
    await sandbox.person("4790000001")
    await sandbox.advance(by="P1D")
    await sandbox.control("POST", "/faults", {"match": {}, "action": {"kind": "hang"}, "times": 3})
    assert (await sandbox.control("POST", "/reset")).status == 204
    assert (await sandbox.fetch(agreement_id)).status == 404
    assert (await sandbox.control("GET", "/export"))["agreements"] == []
    assert (await sandbox.call("GET", "/webhooks/v1/webhooks"))["webhooks"] == []
    assert (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"] == []
    assert (await sandbox.control("GET", "/faults"))["faults"] == []
    assert [one["phoneNumber"] for one in (await sandbox.control("GET", "/people"))["people"]] == [ANNA]
    assert len((await sandbox.control("GET", "/merchants"))["merchants"]) == 2
    clock = await sandbox.control("GET", "/clock")
    assert (clock["now"], clock["next"]) == ("2027-01-16T09:00:00Z", None)
    assert (await sandbox.call("POST", V3, sandbox.draft_body(), key="key-1")).status == 201


async def test_the_pages_of_the_other_rooms_are_there(sandbox: Any) -> None:
    draft = await sandbox.draft()
    path = draft["vippsConfirmationUrl"].removeprefix(sandbox.url)
    for page in ("/phone/", "/identity/.well-known/openid-configuration", path):
        assert (await sandbox.raw("GET", page)).status == 200, page


async def test_a_token_for_a_person_is_minted(sandbox: Any) -> None:
    reply = await sandbox.control("POST", "/identity/tokens", {"subject": "anna"})
    assert reply.status == 200
    assert reply["accessToken"].count(".") == 2


@pytest.mark.parametrize(
    "said", [{"Origin": "https://attacker.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_the_page_of_another_site_commands_nothing(sandbox: Any, said: dict[str, str]) -> None:
    refused = await sandbox.raw("POST", "/_sandbox/reset", None, said)
    assert refused.status == 403
    assert (await sandbox.raw("GET", "/_sandbox/health", None, said)).status == 200
    own = {"Origin": sandbox.url, "Sec-Fetch-Site": "same-origin"}
    assert (await sandbox.raw("POST", "/_sandbox/tokens/expire", None, own)).status == 204


async def test_a_planted_past_is_over_and_what_waits_is_seen_like_any_other_charge(sandbox: Any) -> None:
    past = {"phoneNumber": "4790000003", "amount": 9900, "start": "2026-06-01"}
    for wrong in ({"start": "2027-01-16"}, {"charged": ["2026-05-01"]}, {"waiting": ["2027-01-14"]}):
        reply = await sandbox.control("POST", "/past-agreements", {"agreements": [past, past | wrong]})
        assert (reply.status, "today is 2027-01-15" in reply["detail"]) == (400, True)
    assert (await sandbox.control("GET", "/export"))["agreements"] == []
    days = {"charged": ["2027-01-01"], "waiting": ["2027-02-01", "2027-03-01"]}
    (made,) = (await sandbox.control("POST", "/past-agreements", {"agreements": [past | days]}))["agreementIds"]
    path = f"/recurring/v3/agreements/{made}/charges"
    seen = [(one["due"][:10], one["status"]) for one in (await sandbox.call("GET", path)).body]
    assert seen == [("2027-03-01", "PENDING"), ("2027-02-01", "DUE"), ("2027-01-01", "CHARGED")]
    assert [len(one["transactionId"] or "") for one in (await sandbox.call("GET", path)).body] == [0, 10, 10]
    await sandbox.advance_to("2027-03-01T08:00:00Z")
    told = (await sandbox.control("GET", "/export"))["agreements"][0]["charges"]
    assert [[one["at"] for one in charge["tries"]] for charge in told[1:]] == [
        ["2027-02-01T08:00:00Z"],
        ["2027-03-01T08:00:00Z"],
    ]
