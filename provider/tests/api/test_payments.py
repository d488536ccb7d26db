"""The operations as their owner, a stranger and an administrator use them, on the real sandbox."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from .conftest import World

CHECKOUT = "/api/v1/pay/vipps/checkout"
WISH = {"productId": "film-month", "returnUrl": "https://film.example/back"}
DRAFT = "DraftAgreementV3"


def poll_path(agreement: dict[str, Any]) -> str:
    return f"/api/v1/pay/vipps/recurring/agreements/{agreement['agreementId']}"


def refund_path(agreement: dict[str, Any]) -> str:
    return f"/api/v1/charges/{agreement['charges'][0]['chargeId']}/refunds"


async def ids(world: World, token: str, query: str = "") -> list[str]:
    answer = await world.call("GET", f"/api/v1/agreements{query}", token=token)
    assert answer.status == 200, answer.body
    return [one["agreementId"] for one in answer.json["agreements"]]


async def test_a_checkout_drafts_an_agreement_at_vipps(world: World) -> None:
    drafted = await world.draft(phoneNumber="4791234567", isApp=False)
    assert drafted["status"] == "pending"
    assert drafted["expiresAt"] == "2027-01-15T09:10:00Z"
    assert drafted["confirmationUrl"].startswith("http")
    assert str(UUID(drafted["agreementId"])) == drafted["agreementId"]
    (theirs,) = (await world.control("GET", "/export"))["agreements"]
    assert theirs["status"] == "PENDING"


@pytest.mark.shows(
    "payments:postV1PayVippsCheckout",
    "payments:getV1PayVippsRecurringAgreements",
    "payments:listV1Receipt",
    "payments:getV1Receipt",
)
async def test_from_checkout_to_a_paid_period_with_a_receipt(world: World) -> None:
    agreement = await world.paid()
    (charge,) = agreement.pop("charges")
    assert charge.pop("chargeId")
    assert charge == {
        "period": 1,
        "periodStart": "2027-01-15",
        "periodEnd": "2027-02-15",
        "dueDate": "2027-01-15",
        "amount": {"amount": 9900, "currency": "NOK"},
        "status": "paid",
        "captured": 9900,
        "refunded": 0,
        "failureReason": None,
    }
    assert agreement.pop("agreementId")
    assert agreement == {
        "provider": "vipps",
        "productId": "film-month",
        "status": "active",
        "price": {"amount": 9900, "currency": "NOK"},
        "interval": {"unit": "month", "count": 1},
        "askedAtStripe": None,
        "campaign": None,
        "voucher": None,
        "variablePrice": None,
        "pause": None,
        "withdrawal": {"until": "2027-01-29T23:00:00Z", "consentedAt": None, "withdrawnAt": None},
        "beginsOn": None,
        "createdAt": "2027-01-15T09:00:00Z",
        "activatedAt": "2027-01-15T09:00:00Z",
        "stoppedAt": None,
        "stopComment": None,
        "accessUntil": "2027-02-20T23:00:00Z",
        "nextChargeDate": "2027-02-15",
    }
    answer = await world.call("GET", "/api/v1/receipt", token=world.anna())
    (receipt,) = answer.json["receipts"]
    one = await world.call("GET", f"/api/v1/receipt/{receipt['receiptId']}", token=world.anna())
    assert one.json == receipt
    assert receipt["number"] == 1
    assert receipt["kind"] == "receipt"
    assert receipt["amount"] == {"amount": 9900, "currency": "NOK"}
    assert receipt["vat"] == {"amount": 1980, "currency": "NOK", "rateBasisPoints": 2500}
    assert receipt["seller"]["organization_number"] == "999999999"
    assert receipt["correctsReceiptId"] is None


@pytest.mark.shows("payments:listV1Agreements")
async def test_a_list_has_drafts_only_when_asked(world: World) -> None:
    drafted = await world.draft()
    for query in ("", "?includeDrafts=false", "?includeDrafts=0", "?includeDrafts=FALSE"):
        assert await ids(world, world.anna(), query) == []
    for query in (
        "?includeDrafts=true",
        "?includeDrafts=1",
        "?includeDrafts",
        "?includeDrafts=",
        "?includeDrafts=True",
    ):
        assert await ids(world, world.anna(), query) == [drafted["agreementId"]]
    answer = await world.call("GET", "/api/v1/agreements?includeDrafts=maybe", token=world.anna())
    assert answer.status == 400
    assert answer.code == "invalid_request"
    assert answer.json["errors"][0]["pointer"] == "/includeDrafts"


@pytest.mark.shows(
    "payments:listV1Agreements",
    "payments:postV1AgreementsStop",
    "payments:listV1Receipt",
    "payments:getV1Receipt",
    "payments:getV1PayVippsRecurringAgreements",
)
async def test_a_stranger_sees_and_changes_nothing(world: World) -> None:
    agreement = await world.paid()
    (receipt,) = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    stranger = world.bjorn()
    assert await ids(world, stranger, "?includeDrafts") == []
    assert (await world.call("GET", "/api/v1/receipt", token=stranger)).json == {"receipts": []}
    for method, path, code in (
        ("GET", poll_path(agreement), "agreement_not_found"),
        ("POST", f"/api/v1/agreements/{agreement['agreementId']}/stop", "agreement_not_found"),
        ("GET", f"/api/v1/receipt/{receipt['receiptId']}", "receipt_not_found"),
    ):
        answer = await world.call(method, path, token=stranger)
        assert (answer.status, answer.code) == (404, code)
    assert (await world.call("GET", poll_path(agreement), token=world.anna())).json["status"] == "active"


async def test_the_same_subject_of_another_issuer_is_a_stranger(world: World) -> None:
    agreement = await world.subscribe()
    # At the other tenant the same token is worthless; with one made for that tenant, its rows are other rows.
    assert (await world.call("GET", poll_path(agreement), token=world.anna(), host="avis.localhost")).status == 401
    there = world.anna(aud="avis")
    assert (await world.call("GET", poll_path(agreement), token=there, host="avis.localhost")).status == 404
    assert (await world.call("GET", poll_path(agreement), token=there)).status == 401


async def test_the_administrator_of_another_tenant_finds_nothing(world: World) -> None:
    agreement = await world.paid()
    admin = world.admin(aud="avis")
    wish = {"amount": 100, "reason": "Wrong house"}
    stop = f"/api/v1/agreements/{agreement['agreementId']}/stop"
    for path, body in ((refund_path(agreement), wish), (stop, None)):
        answer = await world.call("POST", path, token=admin, json=body, host="avis.localhost")
        assert answer.status == 404, answer.body
    books = (await world.call("GET", "/api/v1/audit/export", token=admin, host="avis.localhost")).json
    assert books["agreements"] == books["ledger"] == books["receipts"] == []
    assert (await world.call("GET", poll_path(agreement), token=world.anna())).json["status"] == "active"


@pytest.mark.shows("payments:postV1AgreementsStop")
async def test_an_owner_stops_and_stops_again(world: World) -> None:
    agreement = await world.paid()
    path = f"/api/v1/agreements/{agreement['agreementId']}/stop"
    bad = await world.call("POST", f"{path}?reason=%20", token=world.anna())
    assert (bad.status, bad.code) == (400, "why_needed")
    for said in ("?reason=No%20time%20for%20films", "?reason=Something%20else", ""):
        answer = await world.call("POST", path + said, token=world.anna())
        assert answer.status == 200
        assert answer.json["status"] == "stopped"
        assert answer.json["nextChargeDate"] is None
        assert answer.json["stopComment"] == "No time for films"
    events = (await world.call("GET", "/api/v1/events", token=world.admin())).json["events"]
    (told,) = [one["data"] for one in events if one["type"] == "agreement.stopped"]
    assert (told["reason"], told["comment"]) == ("stopped_by_person", "No time for films")
    (theirs,) = (await world.control("GET", "/export"))["agreements"]
    assert theirs["status"] == "STOPPED"


async def test_a_draft_cannot_be_stopped(world: World) -> None:
    drafted = await world.draft()
    answer = await world.call("POST", f"/api/v1/agreements/{drafted['agreementId']}/stop", token=world.anna())
    assert (answer.status, answer.code) == (409, "illegal_step")


async def test_what_is_no_id_names_nothing(world: World) -> None:
    wish = {"amount": 1, "reason": "x"}
    for name in ["nothing", "%00", "..%2f..", "{id}", "agr_5kSeqz", "ffffffffffffffffffffffffffffffff"]:
        for method, path, body in (
            ("GET", f"/api/v1/pay/vipps/recurring/agreements/{name}", None),
            ("POST", f"/api/v1/agreements/{name}/stop", None),
            ("GET", f"/api/v1/receipt/{name}", None),
            ("POST", f"/api/v1/charges/{name}/refunds", wish),
        ):
            assert (await world.call(method, path, token=world.admin(), json=body)).status == 404


async def test_a_repeated_checkout_answers_the_same_agreement(world: World) -> None:
    first = await world.draft()
    assert await world.draft() == first
    drafted = await asyncio.gather(*(world.draft(world.bjorn()) for _ in range(6)))
    assert len({one["agreementId"] for one in drafted}) == 1


@pytest.mark.shows("payments:postV1PayVippsCheckout")
async def test_an_idempotency_key_stands_for_one_request(world: World) -> None:
    key = {"Idempotency-Key": "from the shop: 17"}

    async def ask(wish: dict[str, Any], token: str) -> Any:
        return await world.call("POST", CHECKOUT, token=token, json=wish, headers=key)

    first = await ask(WISH, world.anna())
    assert (await ask(WISH, world.anna())).json == first.json
    other = await ask(WISH | {"returnUrl": "https://film.example/elsewhere"}, world.anna())
    assert (other.status, other.code) == (409, "idempotency_conflict")
    assert (await ask(WISH, world.bjorn())).json["agreementId"] != first.json["agreementId"], "a key is its person's"


async def test_a_key_that_is_no_key_is_refused(world: World) -> None:
    for key in ["", "x" * 256, "bjørn", "tab\there"]:
        headers = {"Idempotency-Key": key}
        answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH, headers=headers)
        assert (answer.status, answer.code) == (400, "invalid_request"), key
        assert answer.json["errors"][0]["in"] == "header"


async def test_one_product_is_subscribed_to_once(world: World) -> None:
    agreement = await world.subscribe()
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH)
    assert (answer.status, answer.code) == (409, "agreement_active")
    assert answer.json["agreementId"] == agreement["agreementId"]


async def test_an_unknown_product_is_refused(world: World) -> None:
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH | {"productId": "film-year"})
    assert (answer.status, answer.code) == (400, "product_unknown")


async def test_a_gateway_that_hangs_is_unknown_with_an_id_to_poll(world: World) -> None:
    await world.script(DRAFT, 2, kind="hang")
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH)
    assert (answer.status, answer.code) == (504, "gateway_unknown")
    polled = await world.call("GET", poll_path(answer.json), token=world.anna())
    assert polled.json["status"] == "pending"
    assert (await world.draft())["agreementId"] == answer.json["agreementId"]


async def test_a_draft_that_took_effect_unseen_is_drafted_anew(world: World) -> None:
    await world.script(DRAFT, 1, kind="effect-then-hang")
    await world.draft()


async def test_a_gateway_that_refuses(world: World) -> None:
    await world.script(DRAFT, 1, kind="status", status=400)
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH)
    assert (answer.status, answer.code) == (502, "gateway_refused")


async def test_a_gateway_that_is_busy_says_when(world: World) -> None:
    await world.script(DRAFT, 1, kind="status", status=429, headers={"Retry-After": "7"})
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH)
    assert (answer.status, answer.code) == (503, "gateway_busy")
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.shows("payments:getV1PayVippsRecurringAgreements")
async def test_a_status_is_told_while_vipps_is_down(world: World) -> None:
    drafted = await world.draft()
    await world.script("FetchAgreementV3", 5, kind="status", status=500)
    answer = await world.call("GET", poll_path(drafted), token=world.anna())
    assert answer.json["status"] == "pending"


async def test_a_stop_without_an_answer_is_stopping(world: World) -> None:
    agreement = await world.subscribe()
    await world.script("UpdateAgreementPatchV3", 1, kind="hang")
    path = f"/api/v1/agreements/{agreement['agreementId']}/stop"
    answer = await world.call("POST", path, token=world.anna())
    assert (answer.status, answer.json["status"]) == (200, "stopping")


@pytest.mark.shows("payments:postV1ChargesRefunds")
async def test_an_administrator_refunds_in_parts_and_never_too_much(world: World) -> None:
    agreement = await world.paid()
    path = refund_path(agreement)

    async def refund(amount: int) -> Any:
        wish = {"amount": amount, "reason": "Filmen hakket"}
        return await world.call("POST", path, token=world.admin(), json=wish)

    answer = await refund(4000)
    assert answer.status == 200
    assert answer.json == {"refundId": answer.json["refundId"], "status": "accepted", "amount": 4000}
    too_much = await refund(6000)
    assert (too_much.status, too_much.code) == (409, "refund_exceeds_captured")
    answers = await asyncio.gather(*(refund(3000) for _ in range(4)))
    assert sorted(one.status for one in answers) == [200, 409, 409, 409]
    await world.settle()
    documents = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    notes = [one for one in documents if one["kind"] == "credit_note"]
    assert [one["amount"]["amount"] for one in reversed(notes)] == [4000, 3000]
    (receipt,) = (one for one in documents if one["kind"] == "receipt")
    assert {one["correctsReceiptId"] for one in notes} == {receipt["receiptId"]}
    polled = await world.call("GET", poll_path(agreement), token=world.anna())
    assert polled.json["charges"][0]["status"] == "partially_refunded"
    assert polled.json["charges"][0]["refunded"] == 7000


async def test_a_refund_without_an_answer_is_unknown(world: World) -> None:
    agreement = await world.paid()
    await world.script("RefundChargeV3", 1, kind="hang")
    wish = {"amount": 100, "reason": "Hakket"}
    answer = await world.call("POST", refund_path(agreement), token=world.admin(), json=wish)
    assert (answer.status, answer.json["status"]) == (200, "unknown")


@pytest.mark.shows("payments:postV1ChargesRefunds")
async def test_a_refund_that_is_none(world: World) -> None:
    for wish in (
        {"amount": 0, "reason": "x"},
        {"amount": -1, "reason": "x"},
        {"amount": 1.0, "reason": "x"},
        {"amount": "100", "reason": "x"},
        {"amount": True, "reason": "x"},
        {"amount": 2**40, "reason": "x"},
        {"amount": 10**400, "reason": "x"},
        {"amount": 100},
        {"amount": 100, "reason": ""},
        {"amount": 100, "reason": "  "},
        {"amount": 100, "reason": "a\nb"},
        {"amount": 100, "reason": "a\u0000b"},
        {"amount": 100, "reason": "x" * 101},
        {"amount": 100, "reason": "x", "currency": "NOK"},
    ):
        path = f"/api/v1/charges/{uuid4()}/refunds"
        answer = await world.call("POST", path, token=world.admin(), json=wish)
        assert (answer.status, answer.code) == (400, "invalid_request"), wish


@pytest.mark.shows("payments:postV1ChargesRefunds", "payments:exportV1Audit")
async def test_only_administrators_refund_and_export(world: World) -> None:
    agreement = await world.paid()
    wish = {"amount": 100, "reason": "Please"}
    for method, path, body in (
        ("POST", refund_path(agreement), wish),
        ("GET", "/api/v1/audit/export", None),
    ):
        answer = await world.call(method, path, token=world.anna(), json=body)
        assert (answer.status, answer.code) == (403, "admin_only")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    books = (await world.call("GET", "/api/v1/audit/export", token=world.admin())).json
    assert books["tenant"] == "nordlys/film"
    assert [one["status"] for one in books["agreements"]] == ["active"]
    assert [(one["kind"], one["amount"]) for one in books["ledger"]] == [("capture", 9900)]


async def test_an_administrator_stops_anybodys_agreement(world: World) -> None:
    agreement = await world.subscribe()
    path = f"/api/v1/agreements/{agreement['agreementId']}/stop"
    assert (await world.call("POST", path, token=world.admin())).json["status"] == "stopped"
