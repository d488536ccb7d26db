"""Vipps takes so many calls a minute: the fleet together keeps to it, whoever of it comes first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
from uuid import uuid4

import pytest
from sqlalchemy import update

from avtale.domain.charge import ChargeStatus
from avtale.domain.pace import Pace
from avtale.domain.wishes import WrittenRequest
from avtale.service import budgeting
from avtale.service.billing import bill
from avtale.service.overseeing import oversee
from avtale.service.sending import resend
from avtale.service.turning import turn_clock
from avtale.storage import budgets, calls, database
from avtale.storage import tables as t
from avtale.storage.calls import Call, CallKind
from avtale.storage.database import Database
from avtale.storage.home import Home

from .conftest import Shop
from .test_faults import AFTER_RENEWAL, CREATE, script

MINUTE = timedelta(minutes=1)


def a_call(kind: CallKind = CallKind.CHARGE) -> Call:
    return Call(WrittenRequest(uuid4(), "POST", "/recurring/v3/agreements/a/charges", b"{}"), kind, uuid4())


async def test_workers_that_claim_at_once_keep_to_one_budget(
    shop: Shop, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = datetime.now(UTC)

    class Fake(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return wall

    monkeypatch.setattr(database, "datetime", Fake)
    pace, tenant_id = Pace(60), shop.tenant.id
    async with shop.db.tenant(tenant_id) as tx:
        await calls.write_calls(tx, [a_call() for _ in range(400)], lease_seconds_max=0)
        await calls.write_calls(tx, [a_call(CallKind.STOP) for _ in range(3)], lease_seconds_max=0)
    workers = [Database(home.url, virtual_clock=True, pool_size=2) for _ in range(2)]

    async def claim(db: Database) -> list[tuple[Call, datetime]]:
        async with db.tenant(tenant_id) as tx:
            claimed = await budgeting.claim_unsent(tx, pace, 200, lambda count: 9_999.0)
            return [(c, tx.wall + timedelta(seconds=(c.leave_at or tx.began) - tx.began)) for c in claimed]

    claimed: list[tuple[Call, datetime]] = []
    for _ in range(150):
        claimed += [one for some in await asyncio.gather(*map(claim, workers)) for one in some]
        wall += timedelta(seconds=2)
    for worker in workers:
        await worker.close()
    assert sum(call.kind is CallKind.STOP for call, _ in claimed) == 3, "what no budget counts does not wait"
    leaving = sorted(at for call, at in claimed if call.kind is CallKind.CHARGE)
    assert len({call.request.id for call, _ in claimed}) == len(claimed), "no call is claimed twice"
    assert all(after - before >= MINUTE for before, after in zip(leaving, leaving[60:], strict=False))
    assert len(leaving) > 0.9 * 5 * 60
    async with shop.db.tenant(tenant_id) as tx:
        queue = await budgeting.look(tx, pace)
    assert queue.count == 400 - len(leaving)
    assert queue.done_wall - wall == pytest.approx(pace.interval * queue.count, abs=timedelta(seconds=8))


async def test_a_charge_that_the_budget_has_no_room_for_waits_and_is_taken_once(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    created = AFTER_RENEWAL - timedelta(days=3)
    await shop.control("POST", "/clock/advance", {"to": created.isoformat()})
    await turn_clock(shop.db, created, running=False)
    async with shop.db.tenant(shop.tenant.id) as tx:
        await budgets.look(tx, lock=True)
        await budgets.give_away(tx, tx.wall + timedelta(seconds=30))
    for job in (bill, resend):
        assert not await job(shop.db, shop.gateways, shop.tenant)
    (theirs,) = await shop.theirs()
    assert len(theirs["charges"]) == 1
    queue = (await oversee(shop.db, shop.tenant)).queue
    assert queue is not None
    assert (queue.count, queue.calls_per_minute_max) == (1, 500)
    assert 25 < (queue.done_wall - datetime.now(UTC)).total_seconds() < 31
    async with shop.db.tenant(shop.tenant.id) as tx:
        await budgets.give_away(tx, tx.wall)
    await shop.advance_to(AFTER_RENEWAL)
    (theirs,) = await shop.theirs()
    assert [c["captured"] for c in theirs["charges"]] == [9900, 9900]
    assert [c.status for c in (await shop.see(agreement_id)).charges] == [ChargeStatus.PAID] * 2
    assert (await oversee(shop.db, shop.tenant)).queue is None
    await shop.books()


async def test_a_gateway_that_asks_for_patience_gets_it_from_everybody(shop: Shop) -> None:
    await shop.subscribe()
    await script(shop, CREATE, 1, kind="status", status=429, headers={"Retry-After": "20"})
    created = AFTER_RENEWAL - timedelta(days=3)
    await shop.control("POST", "/clock/advance", {"to": created.isoformat()})
    await turn_clock(shop.db, created, running=False)
    await bill(shop.db, shop.gateways, shop.tenant)
    async with shop.db.tenant(shop.tenant.id) as tx:
        # Whoever else has something to send does not try either.
        await tx.conn.execute(update(t.calls).where(t.calls.c.send_wall.is_not(None)).values(send_wall=tx.wall))
        assert await budgeting.claim_unsent(tx, Pace(500), 200, lambda count: 9.0) == []
        spent = await budgets.look(tx)
        assert spent.closed_until is not None
        assert 15 < (spent.closed_until - tx.wall).total_seconds() <= 20


async def test_a_call_that_is_late_for_its_instant_does_not_leave(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    gateway = await shop.gateways.recurring(shop.tenant.id)
    (theirs,) = await shop.theirs()
    request = gateway.write_stop(uuid4(), theirs["agreementId"])
    told = await gateway.create_charge(request, leave_by=0.0)
    assert getattr(told, "retry_after_seconds", None) == 0
    assert (await shop.poll(agreement_id)).agreement.stopped_at is None
    assert [one["status"] for one in await shop.theirs()] == ["ACTIVE"]
