"""The gateway hangs, refuses, throttles, or does what was asked and does not say so: nothing twice, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID, uuid4

import pytest

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import AttemptStatus, ChargeStatus
from avtale.domain.errors import GatewayBusy, GatewayRefused, GatewayUnknown
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import EventSubject
from avtale.service.auditing import audit, export
from avtale.service.billing import bill, plan_charges
from avtale.service.checking import check
from avtale.service.ids import new_id
from avtale.service.refunding import refund_charge
from avtale.service.sending import resend
from avtale.service.stopping import stop_agreement
from avtale.service.turning import turn_clock
from avtale.storage import calls, charges, database, drafts, inbox, receipts
from avtale.storage.database import Transaction
from avtale.storage.inbox import Arrival
from avtale.storage.receipts import LedgerEntry

from ..conftest import START
from .conftest import OPERATOR, PHONE, Shop

CREATE = {"operationId": "CreateChargeV3"}
DRAFT = {"operationId": "DraftAgreementV3"}
AFTER_RENEWAL = datetime(2027, 2, 16, 12, tzinfo=UTC)


async def script(shop: Shop, match: dict[str, Any], times: int, **action: Any) -> None:
    await shop.control("POST", "/faults", {"match": match, "times": times, "action": action})


async def test_a_draft_that_took_effect_without_an_answer_is_drafted_anew(shop: Shop) -> None:
    await script(shop, DRAFT, 1, kind="effect-then-hang")
    started = await shop.checkout()
    await shop.approve(started.confirmation_url)
    await shop.poll(started.agreement_id)
    await shop.work()
    assert sorted(a["status"] for a in await shop.theirs()) == ["ACTIVE", "PENDING"]
    await shop.advance_to(AFTER_RENEWAL)
    assert sorted(a["status"] for a in await shop.theirs()) == ["ACTIVE", "EXPIRED"]
    await shop.books()


async def test_two_approved_drafts_are_one_agreement_and_the_other_is_given_back(shop: Shop) -> None:
    await script(shop, DRAFT, 1, kind="effect-then-hang")
    started = await shop.checkout()
    await shop.approve(started.confirmation_url)
    await shop.poll(started.agreement_id)
    lost = next(a for a in await shop.theirs() if a["status"] == "PENDING")
    await shop.control("POST", f"/phone/{PHONE}/agreements/{lost['agreementId']}/approve")
    # Its webhook is what tells us of an agreement whose address we never got.
    async with shop.db.tenant(shop.tenant.id) as tx:
        event = EventSubject("k", "recurring.agreement-activated.v1", lost["agreementId"], lost["externalId"], None)
        await inbox.keep(tx, [Arrival(new_id(), GatewayName.VIPPS, event, b"{}")])
    await shop.work()
    theirs = {a["agreementId"]: a for a in await shop.theirs()}
    assert theirs[lost["agreementId"]]["status"] == "STOPPED"
    (stray,) = theirs[lost["agreementId"]]["charges"]
    assert stray["captured"] == stray["refunded"] == 9900
    view = await shop.see(started.agreement_id)
    assert view.agreement.status is AgreementStatus.ACTIVE
    assert sorted(c.status for c in view.charges) == [ChargeStatus.PAID, ChargeStatus.REFUNDED]
    await shop.books()


async def test_a_draft_that_expires_after_another_one_won_has_ended_too(shop: Shop) -> None:
    await script(shop, DRAFT, 1, kind="effect-then-hang")
    started = await shop.checkout()
    await shop.approve(started.confirmation_url)
    await shop.poll(started.agreement_id)
    lost = next(a for a in await shop.theirs() if a["status"] == "PENDING")
    async with shop.db.tenant(shop.tenant.id) as tx:
        event = EventSubject("k", "recurring.agreement-expired.v1", lost["agreementId"], lost["externalId"], None)
        await inbox.keep(tx, [Arrival(new_id(), GatewayName.VIPPS, event, b"{}")])
    await shop.advance_to(START + timedelta(minutes=15))
    async with shop.db.tenant(shop.tenant.id) as tx:
        ended = await drafts.drafts_of(tx, [started.agreement_id])
    assert sorted(draft.status for draft in ended) == ["dead", "won"]
    await shop.books()


async def test_a_gateway_that_never_answers_is_unknown_with_an_id_to_poll(shop: Shop) -> None:
    await script(shop, DRAFT, 10, kind="hang")
    with pytest.raises(GatewayUnknown) as unknown:
        await shop.checkout()
    agreement_id = unknown.value.facts["agreement_id"]
    await shop.control("DELETE", "/faults")
    assert (await shop.checkout()).agreement_id == UUID(agreement_id)
    await shop.advance_to(START + timedelta(minutes=15))
    assert (await shop.see(UUID(agreement_id))).agreement.status is AgreementStatus.EXPIRED


async def test_a_rejection_is_one_although_an_earlier_draft_was_never_answered(shop: Shop) -> None:
    await script(shop, DRAFT, 1, kind="hang")
    started = await shop.checkout()
    await shop.control("PATCH", f"/people/{PHONE}", {"temperament": "rejects"})
    await shop.control("POST", f"/phone/{PHONE}/open", {"url": started.confirmation_url})
    await shop.advance_to(START + timedelta(minutes=15))
    assert (await shop.see(started.agreement_id)).agreement.status is AgreementStatus.REJECTED


@pytest.mark.parametrize(("status", "raised"), [(400, GatewayRefused), (429, GatewayBusy)])
async def test_a_refused_draft_is_over(shop: Shop, status: int, raised: type[Exception]) -> None:
    await script(shop, DRAFT, 1, kind="status", status=status)
    with pytest.raises(raised):
        await shop.checkout()
    await shop.checkout()


@pytest.mark.parametrize("kind", ["effect-then-hang", "effect-then-close", "hang"])
async def test_a_charge_without_an_answer_is_sent_again_and_taken_once(shop: Shop, kind: str) -> None:
    agreement_id = await shop.subscribe()
    await script(shop, CREATE, 1, kind=kind)
    await shop.advance_to(AFTER_RENEWAL)
    (theirs,) = await shop.theirs()
    assert [c["captured"] for c in theirs["charges"]] == [9900, 9900]
    assert [c.status for c in (await shop.see(agreement_id)).charges] == [ChargeStatus.PAID] * 2
    await shop.books()


@pytest.mark.parametrize("kind", ["effect-then-hang", "status"])
async def test_charges_that_have_no_answer_together_are_each_sent_again_and_taken_once(shop: Shop, kind: str) -> None:
    people = [replace(shop.anna, subject=name) for name in ("anna", "berit", "cecilie")]
    ids = [await shop.subscribe(person) for person in people]
    await script(shop, CREATE, 3, kind=kind, **({"status": 500} if kind == "status" else {}))
    await shop.advance_to(AFTER_RENEWAL)
    assert [[c["captured"] for c in theirs["charges"]] for theirs in await shop.theirs()] == [[9900, 9900]] * 3
    for person, agreement_id in zip(people, ids, strict=True):
        assert [c.status for c in (await shop.see(agreement_id, person)).charges] == [ChargeStatus.PAID] * 2
    await shop.books()


async def test_books_that_are_read_while_money_moves_are_of_one_instant(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.subscribe()
    real, payers = receipts.all_entries, ["berit"]

    async def after_another_payment(tx: Transaction) -> list[LedgerEntry]:
        if payers:
            await shop.subscribe(replace(shop.anna, subject=payers.pop()))
        return await real(tx)

    monkeypatch.setattr(receipts, "all_entries", after_another_payment)
    assert len((await export(shop.db, shop.tenant))["ledger"]) == 1
    payers.append("cecilie")
    assert await audit(shop.db, shop.tenant) == []
    assert len((await export(shop.db, shop.tenant))["ledger"]) == 3


async def test_clocks_that_jump_back_delay_and_double_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    jumped = timedelta()

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + jumped

    monkeypatch.setattr(database, "datetime", Jumping)
    agreement_id = await shop.subscribe()
    await script(shop, CREATE, 1, kind="effect-then-close")
    created = AFTER_RENEWAL - timedelta(days=3)
    await shop.control("POST", "/clock/advance", {"to": created.isoformat()})
    await turn_clock(shop.db, created, running=False)
    while await bill(shop.db, shop.gateways, shop.tenant):
        pass
    jumped = timedelta(hours=-1)
    await turn_clock(shop.db, created - timedelta(days=2), running=False)
    for job in (bill, check, resend):
        assert not await job(shop.db, shop.gateways, shop.tenant)
    assert [c.status for c in (await shop.see(agreement_id)).charges] == [ChargeStatus.PAID, ChargeStatus.OPEN]
    jumped = timedelta(minutes=1)
    await shop.advance_to(AFTER_RENEWAL)
    (theirs,) = await shop.theirs()
    assert [c["captured"] for c in theirs["charges"]] == [9900, 9900]
    assert [c.status for c in (await shop.see(agreement_id)).charges] == [ChargeStatus.PAID] * 2
    await shop.books()


@pytest.mark.parametrize("status", [400, 409])
async def test_a_charge_that_is_there_although_its_repetition_is_refused_is_taken_once(shop: Shop, status: int) -> None:
    agreement_id = await shop.subscribe()
    await script(shop, CREATE, 1, kind="effect-then-hang")
    await script(shop, CREATE, 1, kind="status", status=status)
    await shop.advance_to(AFTER_RENEWAL)
    (theirs,) = await shop.theirs()
    assert [c["captured"] for c in theirs["charges"]] == [9900, 9900]
    assert [c.status for c in (await shop.see(agreement_id)).charges] == [ChargeStatus.PAID] * 2
    await shop.books()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_or_broken_gateway_delays_a_charge(shop: Shop, status: int) -> None:
    await shop.subscribe()
    await script(shop, CREATE, 2, kind="status", status=status, headers={"Retry-After": "1"})
    await shop.advance_to(AFTER_RENEWAL)
    (theirs,) = await shop.theirs()
    assert [c["captured"] for c in theirs["charges"]] == [9900, 9900]


async def test_a_refused_charge_gets_a_new_attempt(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await script(shop, CREATE, 1, kind="status", status=400)
    await shop.advance_to(AFTER_RENEWAL)
    view = await shop.see(agreement_id)
    assert [c.status for c in view.charges] == [ChargeStatus.PAID] * 2
    async with shop.db.tenant(shop.tenant.id) as tx:
        tried = await charges.attempts_of(tx, [view.charges[1].id])
    assert [a.status for a in tried] == [AttemptStatus.REJECTED, AttemptStatus.CAPTURED]


async def test_a_worker_that_dies_before_the_call_loses_nothing(shop: Shop) -> None:
    await shop.subscribe()
    await shop.control("POST", "/clock/advance", {"to": "2027-02-12T00:00:00Z"})
    await turn_clock(shop.db, datetime(2027, 2, 12, tzinfo=UTC), running=False)
    gateway = await shop.gateways.recurring(shop.tenant.id)
    async with shop.db.tenant(shop.tenant.id) as tx:
        written = await plan_charges(tx, shop.tenant, gateway, 10)
        await calls.write_calls(tx, written, lease_seconds_max=0.1)
    assert len(written) == 1
    # Here it dies: the bytes are committed, and whoever comes next sends them.
    await shop.advance_to(AFTER_RENEWAL)
    (theirs,) = await shop.theirs()
    assert [c["chargeId"] for c in theirs["charges"]][1] == str(written[0].request.id)
    assert [c["captured"] for c in theirs["charges"]] == [9900, 9900]
    await shop.books()


@pytest.mark.parametrize("kind", ["effect-then-hang", "hang"])
async def test_a_refund_without_an_answer_is_made_once(shop: Shop, kind: str) -> None:
    agreement_id = await shop.subscribe()
    charge = (await shop.see(agreement_id)).charges[0]
    await script(shop, {"operationId": "RefundChargeV3"}, 1, kind=kind)
    answer = await refund_charge(shop.db, shop.gateways, shop.tenant, charge.id, 2500, "Sorry", OPERATOR)
    assert answer.status == "unknown"
    await shop.work()
    (theirs,) = await shop.theirs()
    assert theirs["charges"][0]["refunded"] == 2500
    books = await shop.books()
    assert [r["amount"] for r in books["receipts"] if r["series"] == "credit_note"] == [2500]


@pytest.mark.parametrize("kind", ["effect-then-hang", "hang"])
async def test_a_stop_without_an_answer_is_made_all_the_same(shop: Shop, kind: str) -> None:
    agreement_id = await shop.subscribe()
    await script(shop, {"operationId": "UpdateAgreementPatchV3"}, 1, kind=kind)
    await stop_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, agreement_id)
    await shop.work()
    assert (await shop.see(agreement_id)).agreement.status is AgreementStatus.STOPPED
    (theirs,) = await shop.theirs()
    assert theirs["status"] == "STOPPED"


async def test_a_refund_made_outside_is_booked_as_one(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    charge = (await shop.see(agreement_id)).charges[0]
    await script(shop, {"operationId": "RefundChargeV3"}, 1, kind="hang")
    gateway = await shop.gateways.recurring(shop.tenant.id)
    (theirs,) = await shop.theirs()
    outside = gateway.write_refund(uuid4(), theirs["agreementId"], theirs["charges"][0]["chargeId"], 1000, "Portal")
    await shop.control("DELETE", "/faults")
    await gateway.refund(outside)
    await refund_charge(shop.db, shop.gateways, shop.tenant, charge.id, 2500, "Sorry", OPERATOR)
    await shop.work()
    books = await shop.books()
    assert sorted(e["amount"] for e in books["ledger"] if e["kind"] == "refund") == [1000, 2500]
