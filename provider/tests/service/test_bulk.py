"""Renewals of many are created in one call: whatever becomes of it, each is taken once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import AttemptStatus, ChargeStatus
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import EventSubject, ManyCreated
from avtale.domain.outcome import Answered, Refused
from avtale.service.billing import bill, plan_charges
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.sending import record
from avtale.service.turning import turn_clock
from avtale.storage import calls, charges, inbox
from avtale.storage.calls import Call
from avtale.storage.database import Job
from avtale.storage.due import refresh_due
from avtale.storage.inbox import NOT_CREATED, Arrival

from .conftest import PHONE, Shop
from .test_faults import AFTER_RENEWAL, script

CREATE_MANY = {"operationId": "CreateChargeAsyncV3"}
CREATED_AT = AFTER_RENEWAL - timedelta(days=3)
PEOPLE = [Person("https://id.example", name) for name in ("anna", "berit")]
PAID = [ChargeStatus.PAID] * 2


@pytest.fixture
def entry_of_shop(entry_of_shop: dict[str, Any]) -> dict[str, Any]:
    entry_of_shop["vipps"]["charges_per_call_max"] = 2000
    return entry_of_shop


@pytest.fixture
async def subscribed(shop: Shop) -> list[UUID]:
    """Agreements whose next charges are created on the same day."""
    return [await shop.subscribe(person) for person in PEOPLE]


async def turn(shop: Shop, to: datetime) -> None:
    await shop.control("POST", "/clock/advance", {"to": to.isoformat()})
    await turn_clock(shop.db, to, running=False)


async def planned(shop: Shop) -> Call:
    """The one call for all renewals, written and not sent."""
    await turn(shop, CREATED_AT)
    gateway = await shop.gateways.recurring(shop.tenant.id)
    async with shop.db.tenant(shop.tenant.id) as tx:
        [call] = await plan_charges(tx, shop.tenant, gateway, 100)
        await calls.write_calls(tx, [call], lease_seconds_max=60)
    return call


async def answered(shop: Shop, call: Call, told: ManyCreated) -> None:
    """Vipps has said so of the call for many."""
    gateway = await shop.gateways.recurring(shop.tenant.id)
    async with shop.db.tenant(shop.tenant.id) as tx:
        await record(tx, shop.tenant, gateway, [(call, Answered(told))])
    async with shop.db.tenant(shop.tenant.id) as tx:
        await refresh_due(tx, Job.SEND)


async def all_taken_once(shop: Shop, subscribed: list[UUID]) -> None:
    assert [[c["captured"] for c in theirs["charges"]] for theirs in await shop.theirs()] == [[9900, 9900]] * len(
        PEOPLE
    )
    for agreement_id, person in zip(subscribed, PEOPLE, strict=True):
        assert [c.status for c in (await shop.see(agreement_id, person)).charges] == PAID
    await shop.books()


async def attempts_of(shop: Shop, agreement_id: UUID, person: Person) -> list[AttemptStatus]:
    renewal = (await shop.see(agreement_id, person)).charges[1]
    async with shop.db.tenant(shop.tenant.id) as tx:
        return [attempt.status for attempt in await charges.attempts_of(tx, [renewal.id])]


async def test_the_renewals_of_a_day_are_one_call(shop: Shop, subscribed: list[UUID]) -> None:
    await turn(shop, CREATED_AT)
    await bill(shop.db, shop.gateways, shop.tenant)
    assert [len(theirs["charges"]) for theirs in await shop.theirs()] == [2] * len(PEOPLE)
    async with shop.db.tenant(shop.tenant.id) as tx:
        sent = await tx.conn.exec_driver_sql("SELECT status, sends FROM calls WHERE kind LIKE 'charge%%'")
        assert [tuple(row) for row in sent] == [("accepted", 1)]
    await shop.advance_to(AFTER_RENEWAL)
    await all_taken_once(shop, subscribed)


@pytest.mark.parametrize(
    "faults",
    [
        [{"kind": "effect-then-close"}],
        [
            {"kind": "effect-then-status", "status": 500},
            {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
        ],
        [{"kind": "effect-then-close"}, {"kind": "status", "status": 400}],
        [{"kind": "status", "status": 404}],
    ],
    ids=["lost", "lost-twice", "lost-then-refused", "refused"],
)
async def test_a_call_for_many_that_goes_wrong_takes_nothing_twice(
    shop: Shop, subscribed: list[UUID], faults: list[dict[str, Any]]
) -> None:
    for fault in faults:
        await script(shop, CREATE_MANY, 1, **fault)
    await shop.advance_to(AFTER_RENEWAL)
    await all_taken_once(shop, subscribed)


async def test_a_worker_that_dies_with_a_call_for_many_loses_nothing(shop: Shop, subscribed: list[UUID]) -> None:
    call = await planned(shop)
    await shop.books()  # what waits in a call with others is not stranded
    async with shop.db.tenant(shop.tenant.id) as tx:
        await calls.keep_calls(tx, [(call.request.id, 0.0)], "written")
    await shop.advance_to(AFTER_RENEWAL)
    await all_taken_once(shop, subscribed)


@pytest.mark.parametrize("sends", [1, 2])
async def test_one_that_is_refused_among_many_stands_alone(shop: Shop, subscribed: list[UUID], sends: int) -> None:
    call = await planned(shop)
    gateway = await shop.gateways.recurring(shop.tenant.id)
    orders = {order.id: order for order in gateway.orders_in(call.request)}
    *there, refused = orders
    # At the second answer the order may be there, whatever that says: an earlier sending made it.
    for order in orders if sends == 2 else there:
        assert isinstance(await gateway.create_charge(orders[order]), Answered)
    told = ManyCreated(frozenset(there), {refused: Refused(400, "invalid-charge", "no")})
    sent = Call(call.request, call.kind, call.subject_id, sends=sends)
    await answered(shop, sent, told)
    await shop.advance_to(AFTER_RENEWAL)
    await all_taken_once(shop, subscribed)
    last = await attempts_of(shop, subscribed[-1], PEOPLE[-1])
    assert last == [AttemptStatus.CAPTURED] if sends == 2 else [AttemptStatus.REJECTED, AttemptStatus.CAPTURED]


async def test_one_that_was_accepted_and_is_not_there_when_it_is_due_is_ordered_again(
    shop: Shop, subscribed: list[UUID]
) -> None:
    call = await planned(shop)
    gateway = await shop.gateways.recurring(shop.tenant.id)
    *there, gone = (order.id for order in gateway.orders_in(call.request))
    for order in gateway.orders_in(call.request):
        if order.id != gone:
            await gateway.create_charge(order)
    await answered(shop, call, ManyCreated(frozenset({*there, gone}), {}))
    await shop.advance_to(datetime.fromisoformat("2027-02-15T10:00:00Z"))
    assert await attempts_of(shop, subscribed[-1], PEOPLE[-1]) == [AttemptStatus.ACCEPTED], "it may yet come"
    await shop.advance_to(AFTER_RENEWAL)
    assert await attempts_of(shop, subscribed[-1], PEOPLE[-1]) == [AttemptStatus.REJECTED, AttemptStatus.CAPTURED]
    await all_taken_once(shop, subscribed)


async def test_one_that_could_not_be_created_ends_with_its_agreement(shop: Shop, subscribed: list[UUID]) -> None:
    theirs = (await shop.theirs())[-1]
    await shop.control("POST", f"/phone/{PHONE}/agreements/{theirs['agreementId']}/stop")
    await turn(shop, CREATED_AT)
    await bill(shop.db, shop.gateways, shop.tenant)
    assert await attempts_of(shop, subscribed[-1], PEOPLE[-1]) == [AttemptStatus.ACCEPTED]
    renewal = (await shop.see(subscribed[-1], PEOPLE[-1])).charges[1]
    async with shop.db.tenant(shop.tenant.id) as tx:
        [attempt] = await charges.attempts_of(tx, [renewal.id])
        event = EventSubject("k", NOT_CREATED, theirs["agreementId"], None, str(attempt.id))
        await inbox.keep(tx, [Arrival(new_id(), GatewayName.VIPPS, event, b"{}")])
    await shop.advance_to(CREATED_AT + timedelta(minutes=5))
    view = await shop.see(subscribed[-1], PEOPLE[-1])
    assert view.agreement.status is AgreementStatus.STOPPED
    assert view.charges[1].status is ChargeStatus.CANCELLED
    assert await attempts_of(shop, subscribed[-1], PEOPLE[-1]) == [AttemptStatus.REJECTED]
    await shop.advance_to(AFTER_RENEWAL)
    assert [[c["captured"] for c in one["charges"]] for one in await shop.theirs()] == [[9900] * 2, [9900]]
    await shop.books()
