"""What operators look for, what they do about things that wait, and the log that says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import ChargeStatus, Refund
from avtale.domain.errors import Conflict, GatewayRefused, Invalid
from avtale.service import browsing, mending
from avtale.service.checkout import Person
from avtale.service.noting import list_acts, said_why
from avtale.service.overseeing import oversee
from avtale.service.refunding import refund_charge
from avtale.service.stopping import stop_agreement
from avtale.storage import tables as t

from .conftest import OPERATOR, PHONE, Shop

BERIT = Person("https://id.example", "phone|4791234567")


async def test_lists_are_searched_and_an_agreement_has_one_line_of_time(shop: Shop) -> None:
    mine, other = await shop.subscribe(), await shop.subscribe(BERIT)
    await shop.advance_to(datetime(2027, 2, 16, tzinfo=UTC))
    (first, _) = (await shop.see(mine)).charges
    await refund_charge(shop.db, shop.gateways, shop.tenant, first.id, 900, "A dark evening", by=OPERATOR)
    await shop.work()
    await stop_agreement(shop.db, shop.gateways, shop.tenant, None, mine, by=OPERATOR, why="moved away")

    async def found(said: str, status: AgreementStatus | None = None) -> list[object]:
        return [row.id for row in await browsing.search_agreements(shop.db, shop.tenant, said, status, None)]

    assert await found("") == [other, mine]
    assert await found("ANNA") == [mine] == await found(str(mine)) == await found("", AgreementStatus.STOPPED)
    assert await found("1234567") == [other]
    assert await found("nobody") == await found(str(first.id)) == []
    behind = await browsing.search_agreements(shop.db, shop.tenant, "", None, other)
    assert [row.id for row in behind] == [mine]

    owed = await browsing.search_charges(shop.db, shop.tenant, "anna", None, None)
    assert [(row.period, row.status) for row in owed] == [
        (2, ChargeStatus.PAID),
        (1, ChargeStatus.PARTIALLY_REFUNDED),
    ]
    assert len(await browsing.search_charges(shop.db, shop.tenant, str(other), "paid", owed[0].id)) <= 2
    documents = await browsing.search_receipts(shop.db, shop.tenant, "1", None)
    assert sorted(row.kind.value for row in documents) == ["credit_note", "receipt"]
    assert len(await browsing.search_receipts(shop.db, shop.tenant, "", documents[0].id)) <= 4

    opened = await browsing.open_file(shop.db, shop.tenant, mine)
    told = [moment.what for moment in opened.history]
    assert told[0] == "checkout"
    assert told.count("charge.paid") == told.count("receipt") == 2
    assert [moment.what for moment in opened.history if moment.kind == "act"] == ["refund", "stop"]
    assert [moment.at for moment in opened.history] == sorted(moment.at for moment in opened.history)
    acts = await list_acts(shop.db, shop.tenant)
    assert [(act.act, act.why, act.actor_subject) for act in acts] == [
        ("stop", "moved away", "op"),
        ("refund", "A dark evening", "op"),
    ]
    assert acts[1].details == {"amount": 900}


async def test_figures_count_what_comes_and_goes_and_what_was_recovered(shop: Shop) -> None:
    mine = await shop.subscribe()
    other = await shop.subscribe(BERIT)
    span = {"from": "2027-02-15", "until": "2027-02-17T12:00:00Z"}
    await shop.control("PATCH", f"/people/{PHONE}", {"noFunds": [span]})
    await shop.advance_to(datetime(2027, 3, 1, tzinfo=UTC))
    await stop_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, mine)
    await shop.work()
    seen = await browsing.show_figures(shop.db, shop.tenant)
    assert [(m.month.month, m.began, m.ended, m.active, m.revenue) for m in seen.months[-3:]] == [
        (1, 2, 0, 2, 19800),
        (2, 0, 0, 2, 19800),
        (3, 0, 1, 1, 9900),
    ]
    assert [(m.recovered, m.failed) for m in seen.months[-3:]] == [(0, 0), (2, 0), (0, 0)]
    assert {(one.reason, one.recovered) for one in seen.outcomes} == {("user_action_required", True)}
    assert (await shop.see(other, BERIT)).agreement.status is AgreementStatus.ACTIVE


async def test_a_parked_agreement_is_billed_when_an_operator_says_so(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    with pytest.raises(Conflict):
        await mending.resume_billing(shop.db, shop.tenant, agreement_id, OPERATOR, "why not")
    async with shop.db.tenant(shop.tenant.id) as tx:
        await tx.conn.execute(update(t.agreements).values(parked_reason="late_periods"))
    await shop.advance_to(datetime(2027, 2, 20, tzinfo=UTC))
    assert len((await shop.see(agreement_id)).charges) == 1
    waits = await browsing.what_waits(shop.db, shop.tenant)
    assert [row.id for row in waits.agreements] == [agreement_id]
    await mending.resume_billing(shop.db, shop.tenant, agreement_id, OPERATOR, "asked the customer")
    await shop.advance_to(datetime(2027, 2, 25, tzinfo=UTC))
    assert [c.status for c in (await shop.see(agreement_id)).charges] == [ChargeStatus.PAID, ChargeStatus.PAID]


@pytest.mark.parametrize("verb", ["again", "give up"])
async def test_a_charge_that_vipps_refused_is_tried_again_or_given_up(shop: Shop, verb: str) -> None:
    agreement_id = await shop.subscribe()
    fault = {"match": {"operationId": "CreateChargeV3"}, "times": 3, "action": {"kind": "status", "status": 400}}
    await shop.control("POST", "/faults", fault)
    await shop.advance_to(datetime(2027, 2, 13, tzinfo=UTC))
    (parked,) = (await browsing.what_waits(shop.db, shop.tenant)).charges
    assert parked.agreement_id == agreement_id
    mend = mending.try_charge_again if verb == "again" else mending.give_charge_up
    await mend(shop.db, shop.tenant, parked.id, OPERATOR, "Vipps says that it is mended")
    with pytest.raises(Conflict):
        await mend(shop.db, shop.tenant, parked.id, OPERATOR, "once more")
    await shop.advance_to(datetime(2027, 2, 17, tzinfo=UTC))
    wanted = ChargeStatus.PAID if verb == "again" else ChargeStatus.CANCELLED
    assert (await shop.see(agreement_id)).charges[1].status is wanted
    assert (await browsing.what_waits(shop.db, shop.tenant)).charges == ()
    await shop.books()


async def test_calls_and_readings_are_hastened(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await mending.read_again(shop.db, shop.tenant, agreement_id, OPERATOR, "the customer says otherwise")
    assert await mending.send_again(shop.db, shop.tenant, OPERATOR, "Vipps is back") == 0
    await shop.work()
    await shop.books()


@pytest.mark.parametrize("text", ["", "  ", "x" * 201])
def test_nothing_is_done_without_a_reason(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        said_why(text)
    assert refused.value.code == "why_needed"


async def test_a_refund_that_came_to_nothing_is_made_once_more_or_let_be(shop: Shop) -> None:
    (first,) = (await shop.see(await shop.subscribe())).charges
    fault = {"match": {"operationId": "RefundChargeV3"}, "times": 3, "action": {"kind": "status", "status": 400}}
    await shop.control("POST", "/faults", fault)
    for _ in range(2):
        with pytest.raises(GatewayRefused):
            await refund_charge(shop.db, shop.gateways, shop.tenant, first.id, 900, "A dark evening", by=OPERATOR)
    ((refused,), stuck) = await waiting_refunds(shop)
    assert (refused.amount, stuck) == (900, 1)
    # Again in vain: the new one is what waits then.
    with pytest.raises(GatewayRefused):
        await mending.refund_again(shop.db, shop.gateways, shop.tenant, refused.id, OPERATOR, "they may have slept")
    ((second,), _) = await waiting_refunds(shop)
    assert second.id != refused.id
    for verb in (
        mending.refund_again(shop.db, shop.gateways, shop.tenant, refused.id, OPERATOR, "again"),
        mending.let_refund_be(shop.db, shop.tenant, refused.id, OPERATOR, "again"),
    ):
        with pytest.raises(Conflict) as seen_to:
            await verb
        assert seen_to.value.code == "refund_not_failed"
    await mending.let_refund_be(shop.db, shop.tenant, second.id, OPERATOR, "paid by hand")
    assert await waiting_refunds(shop) == ([], 0)
    acts = await list_acts(shop.db, shop.tenant)
    assert [(act.act, act.why) for act in acts][:2] == [
        ("let be", "paid by hand"),
        ("refund", "A dark evening; they may have slept"),
    ]


async def waiting_refunds(shop: Shop) -> tuple[list[Refund], int]:
    """The refunds that need a look, and how many the first page says there are."""
    waits = (await browsing.what_waits(shop.db, shop.tenant)).refunds
    seen = (await oversee(shop.db, shop.tenant)).stuck
    return [one.refund for one in waits], sum(one.count for one in seen if one.kind == "refund_failed")
