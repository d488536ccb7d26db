"""What administrators do beyond reading: access that ends now, access that is given, and drafts that tests force."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from avtale.api.payments.people import encode_subject
from avtale.service.auditing import audit
from avtale.service.billing import bill
from avtale.service.noting import list_acts
from avtale.service.turning import turn_clock
from avtale.storage import tables

from ..conftest import START
from .conftest import World, serving

ANNA = encode_subject("auth0|anna")
CREATE = "/api/v1/agreements/admin/create"
GIFT = {"subject": "auth0|anna", "productId": "film-month", "reason": "complimentary", "end": "2027-02-01"}


def stop_path(agreement: dict[str, Any], *, immediate: str = "?immediateStop=true") -> str:
    return f"/api/v1/agreements/admin/{ANNA}/{agreement['agreementId']}/stop{immediate}"


async def give(world: World, key: str | None = None, **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else None
    wish = {name: value for name, value in (GIFT | more).items() if value is not None}
    return await world.call("POST", CREATE, token=world.admin(), json=wish, headers=headers)


async def listed(world: World) -> list[dict[str, Any]]:
    return list((await world.call("GET", "/api/v1/agreements", token=world.anna())).json["agreements"])


@pytest.mark.shows("payments:postV1AgreementsAdminStop")
async def test_access_can_end_at_once_and_nothing_is_given_back(world: World) -> None:
    agreement = await world.paid()
    stopped = (await world.call("POST", stop_path(agreement), token=world.admin())).json
    assert (stopped["status"], stopped["accessUntil"]) == ("stopped", "2027-01-15T09:00:00Z")
    await world.settle()
    (later,) = await listed(world)
    assert later["accessUntil"] == "2027-01-15T09:00:00Z"
    assert (later["charges"][0]["status"], later["charges"][0]["refunded"]) == ("paid", 0)
    assert await audit(world.db, world.film) == []


@pytest.mark.shows("payments:postV1AgreementsAdminStop")
async def test_access_can_end_at_once_after_an_ordinary_stop(world: World) -> None:
    agreement = await world.paid()
    later = (await world.call("POST", stop_path(agreement, immediate=""), token=world.admin())).json
    assert later["accessUntil"] == "2027-02-14T23:00:00Z"
    now = (await world.call("POST", stop_path(agreement, immediate="?immediateStop"), token=world.admin())).json
    assert now["accessUntil"] == "2027-01-15T09:00:00Z"


async def test_an_administrator_may_say_why_and_it_is_found_again(world: World) -> None:
    agreement = await world.paid()
    pause = f"/api/v1/agreements/{agreement['agreementId']}/pause?reason=Ill%20for%20a%20month"
    assert (await world.call("POST", pause, token=world.admin(), json={})).status == 200
    nothing = await world.call("POST", f"{stop_path(agreement)}&reason=%20", token=world.admin())
    assert (nothing.status, nothing.code) == (400, "why_needed")
    why = "&reason=Asked%20on%20the%20telephone"
    assert (await world.call("POST", stop_path(agreement) + why, token=world.admin())).status == 200
    acts = await list_acts(world.db, world.film)
    assert [(one.act, one.why) for one in acts] == [
        ("stop", "Asked on the telephone"),
        ("change: pause", "Ill for a month"),
    ]
    assert await list_acts(world.db, world.film, said="ILL FOR") == acts[1:]


async def test_a_person_cannot_end_access_at_once(world: World) -> None:
    agreement = await world.paid()
    own = f"/api/v1/agreements/{agreement['agreementId']}/stop?immediateStop=true"
    assert (await world.call("POST", own, token=world.anna())).json["accessUntil"] == "2027-02-14T23:00:00Z"
    assert (await world.call("POST", stop_path(agreement), token=world.anna())).status == 403


@pytest.mark.shows("payments:postV1AgreementsAdminCreate")
async def test_an_administrator_gives_access_that_ends_by_itself(world: World) -> None:
    answer = await give(world)
    assert answer.status == 200, answer.body
    given = answer.json
    assert (given["provider"], given["status"], given["price"]["amount"]) == ("none", "active", 0)
    assert given["accessUntil"] == "2027-01-31T23:00:00Z"
    assert given["nextChargeDate"] is None
    assert [charge["status"] for charge in given["charges"]] == ["waived"]
    assert await listed(world) == [given]
    refused = await world.call(
        "POST",
        "/api/v1/pay/vipps/checkout",
        token=world.anna(),
        json={"productId": "film-month", "returnUrl": "https://film.example/"},
    )
    assert (refused.status, refused.code) == (409, "agreement_active")

    await turn_clock(world.db, datetime.fromisoformat("2027-01-31T23:00:00Z"), running=False)
    await bill(world.db, world.house.gateways, world.film)
    (ended,) = await listed(world)
    assert (ended["status"], ended["stoppedAt"]) == ("stopped", "2027-01-31T23:00:00Z")
    assert await audit(world.db, world.film) == []
    await world.draft()


@pytest.mark.shows("payments:postV1AgreementsAdminCreate", "payments:postV1AgreementsStop")
async def test_what_was_given_can_be_stopped(world: World) -> None:
    given = (await give(world)).json
    stopped = (await world.call("POST", f"/api/v1/agreements/{given['agreementId']}/stop", token=world.anna())).json
    assert (stopped["status"], stopped["accessUntil"]) == ("stopped", "2027-01-31T23:00:00Z")
    cut = (await world.call("POST", stop_path(given), token=world.admin())).json
    assert cut["accessUntil"] == "2027-01-15T09:00:00Z"


@pytest.mark.shows("payments:postV1AgreementsAdminCreate", "payments:postV1AgreementsStop")
async def test_a_gift_may_begin_later_and_gives_nothing_before(world: World) -> None:
    async def turn(instant: str) -> None:
        await turn_clock(world.db, datetime.fromisoformat(instant), running=False)
        await bill(world.db, world.house.gateways, world.film)

    given = (await give(world, start="2027-01-20")).json
    assert (given["status"], given["beginsOn"], given["accessUntil"]) == ("pending", "2027-01-20", None)
    assert await listed(world) == [given]
    await turn("2027-01-19T22:59:59Z")
    assert await listed(world) == [given]
    await turn("2027-01-19T23:00:00Z")
    (begun,) = await listed(world)
    assert (begun["status"], begun["accessUntil"]) == ("active", "2027-01-31T23:00:00Z")
    assert [charge["status"] for charge in begun["charges"]] == ["waived"]

    other = (await give(world, subject="auth0|bjørn", start="2027-01-25")).json
    taken_back = (await world.call("POST", stop_path(other), token=world.bjorn())).status
    assert taken_back == 403
    path = f"/api/v1/agreements/{other['agreementId']}/stop"
    assert (await world.call("POST", path, token=world.bjorn())).json["status"] == "expired"
    await turn("2027-01-31T23:00:00Z")
    (ended,) = await listed(world)
    assert (ended["status"], ended["accessUntil"]) == ("stopped", "2027-01-31T23:00:00Z")
    assert await audit(world.db, world.film) == []


async def test_a_gift_whose_person_has_subscribed_meanwhile_comes_to_nothing(world: World) -> None:
    given = (await give(world, start="2027-01-20")).json
    await world.subscribe()
    await turn_clock(world.db, datetime.fromisoformat("2027-01-20T09:00:00Z"), running=False)
    await bill(world.db, world.house.gateways, world.film)
    agreements = await listed(world)
    assert [one["status"] for one in agreements] == ["active"]
    assert given["agreementId"] not in [one["agreementId"] for one in agreements]


async def test_a_gift_is_given_once_for_a_key(world: World) -> None:
    first = await give(world, key="gift-1")
    again = await give(world, key="gift-1")
    assert first.json == again.json
    other = await give(world, key="gift-1", end="2027-03-01")
    assert (other.status, other.code) == (409, "idempotency_conflict")
    without = await give(world)
    assert (without.status, without.code) == (409, "agreement_active")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"end": "2027-01-15"}, "gift_dates"),
        ({"end": "2040-01-15"}, "gift_dates"),
        ({"start": "2027-02-01"}, "gift_dates"),
        ({"start": "2047-01-16", "end": "2047-02-01"}, "gift_dates"),
        ({"start": "2026-12-01", "end": "2027-01-01"}, "gift_dates"),
        ({"issuer": "https://id.example"}, "issuer_unknown"),
        ({"productId": "nothing"}, "product_unknown"),
        ({"productId": "a b"}, "invalid_request"),
        ({"reason": "bribe"}, "invalid_request"),
        ({"end": None}, "invalid_request"),
        ({"end": "soon"}, "invalid_request"),
        ({"end": 5}, "invalid_request"),
        ({"subject": ""}, "invalid_request"),
        ({"subject": "a\u0000b"}, "invalid_request"),
        ({"price": 1}, "invalid_request"),
    ],
)
async def test_a_gift_that_is_none(world: World, more: dict[str, Any], code: str) -> None:
    answer = await give(world, **more)
    assert (answer.status, answer.code) == (400, code)


async def test_a_repair_reaches_back(world: World) -> None:
    given = (await give(world, start="2026-12-20", reason="repair")).json
    assert given["charges"][0]["periodStart"] == "2026-12-20"


@pytest.mark.shows("payments:patchV1AgreementsVippsForceaccept")
async def test_a_test_forces_a_draft_to_be_approved(world: World) -> None:
    drafted = await world.draft()
    phone = f"47{uuid4().int % 10**8:08}"
    await world.control("POST", "/people", {"phoneNumber": phone, "name": "Anna"})
    path = f"/api/v1/agreements/vipps/{drafted['agreementId']}/force-accept"
    for _ in range(2):
        answer = await world.call("PATCH", path, token=world.admin(), json={"phoneNumber": phone})
        assert (answer.status, answer.json["status"]) == (200, "active"), answer.body
    await world.settle()
    assert [charge["status"] for charge in (await listed(world))[0]["charges"]] == ["paid"]


async def test_what_cannot_be_forced(world: World) -> None:
    given = (await give(world)).json
    stopped = f"/api/v1/agreements/{given['agreementId']}/stop"
    await world.call("POST", stopped, token=world.anna())
    for agreement_id, status, code in (
        (given["agreementId"], 409, "agreement_not_pending"),
        (str(uuid4()), 404, "agreement_not_found"),
        ("x", 404, "agreement_not_found"),
    ):
        path = f"/api/v1/agreements/vipps/{agreement_id}/force-accept"
        answer = await world.call("PATCH", path, token=world.admin(), json={"phoneNumber": "4791234567"})
        assert (answer.status, answer.code) == (status, code)
    path = f"/api/v1/agreements/vipps/{(await world.draft())['agreementId']}/force-accept"
    assert (await world.call("PATCH", path, token=world.admin(), json={"phoneNumber": "me"})).status == 400


@pytest.mark.shows("payments:deleteV1AgreementsVippsForcedelete")
async def test_a_test_makes_an_agreement_disappear_and_the_books_keep_it(world: World) -> None:
    agreement = await world.paid()
    path = f"/api/v1/agreements/vipps/{agreement['agreementId']}/force-delete"
    answer = await world.call("DELETE", path, token=world.admin())
    assert (answer.status, answer.json) == (200, {"agreementId": agreement["agreementId"], "deleted": True})
    assert await listed(world) == []
    assert (await world.call("DELETE", path, token=world.admin())).code == "agreement_not_found"
    polled = f"/api/v1/pay/vipps/recurring/agreements/{agreement['agreementId']}"
    assert (await world.call("GET", polled, token=world.anna())).code == "agreement_not_found"
    (receipt,) = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    assert receipt["agreementId"] == agreement["agreementId"]
    assert await audit(world.db, world.film) == []
    again = await world.paid()
    assert again["agreementId"] != agreement["agreementId"]


@pytest.mark.shows("payments:deleteV1AgreementsVippsForcedelete")
async def test_a_deleted_draft_that_is_approved_after_all_is_stopped_and_given_back(world: World) -> None:
    phone = f"47{uuid4().int % 10**8:08}"
    await world.control("POST", "/people", {"phoneNumber": phone, "name": "Anna", "temperament": "approves"})
    drafted = await world.draft()
    path = f"/api/v1/agreements/vipps/{drafted['agreementId']}/force-delete"
    assert (await world.call("DELETE", path, token=world.admin())).status == 200
    opened = await world.control("POST", f"/phone/{phone}/open", {"url": drafted["confirmationUrl"]})
    assert opened["decision"] == "approved"
    await turn_clock(world.db, START.replace(minute=30), running=False)
    for _ in range(4):
        await world.settle()
        await turn_clock(world.db, START.replace(minute=50), running=False)
    async with world.db.tenant(world.film.id) as tx:
        (row,) = (await tx.conn.execute(tables.charges.select())).all()
    assert (row.kind, row.captured, row.refunded) == ("stray", 9900, 9900)
    assert await listed(world) == []


async def test_production_has_no_test_endpoints(world: World) -> None:
    agreement = await world.paid()
    async with world.db.routing() as tx:
        await tx.conn.execute(tables.tenants.update().values(environment="production"))
    async with serving(world.house) as world.url:  # a process that has not seen the tenant as it was
        for method, name in (("PATCH", "force-accept"), ("DELETE", "force-delete")):
            path = f"/api/v1/agreements/vipps/{agreement['agreementId']}/{name}"
            answer = await world.call(method, path, token=world.admin(), json={"phoneNumber": "4791234567"})
            assert (answer.status, answer.code) == (404, "route_unknown")
        assert (await listed(world))[0]["status"] == "active"


@pytest.mark.shows("payments:postV1ChargesRefunds")
async def test_a_refund_is_made_once_for_a_key(world: World) -> None:
    agreement = await world.paid()
    path = f"/api/v1/charges/{agreement['charges'][0]['chargeId']}/refunds"
    wish = {"amount": 900, "reason": "Hakket"}
    headers = {"Idempotency-Key": "r1"}
    first, again = [await world.call("POST", path, token=world.admin(), json=wish, headers=headers) for _ in range(2)]
    assert first.json["refundId"] == again.json["refundId"]
    other = await world.call("POST", path, token=world.admin(), json=wish | {"amount": 1}, headers=headers)
    assert (other.status, other.code) == (409, "idempotency_conflict")
    await world.settle()
    assert (await listed(world))[0]["charges"][0]["refunded"] == 900


async def test_a_key_of_one_operation_is_free_for_another_and_for_somebody_else(world: World) -> None:
    agreement = await world.paid()
    mine = f"/api/v1/agreements/{agreement['agreementId']}/stop"
    headers = {"Idempotency-Key": "k"}
    assert (await give(world, key="k", subject="auth0|carl")).status == 200
    assert (await world.call("POST", mine, token=world.anna(), headers=headers)).status == 200
    assert (await world.call("POST", mine, token=world.anna(), headers=headers)).status == 200
    other = f"/api/v1/agreements/{uuid4()}/stop"
    assert (await world.call("POST", other, token=world.anna(), headers=headers)).code == "idempotency_conflict"


async def test_a_gift_is_no_agreement_with_vipps(world: World) -> None:
    assert (await give(world)).status == 200
    answer = await world.call("GET", "/v1/customer/payment/vipps/agreement", token=world.anna())
    assert (answer.status, answer.json) == (200, {"recurringAgreements": []})
