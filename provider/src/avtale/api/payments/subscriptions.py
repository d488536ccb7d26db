"""Tag Subscriptions: what owners and merchants change in a running agreement."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, PersonDoor, Routes, TheHouse, TheVisit, Visit
from avtale.api.house import House
from avtale.api.payments.life_shapes import (
    AmountRequest,
    Change,
    ChangeAnswer,
    Changes,
    ChargeDayRequest,
    Dunning,
    Dunnings,
    OneOffRequest,
    PauseRequest,
    PlanRequest,
    PriceOfAll,
    PriceRequest,
    ResumeRequest,
)
from avtale.api.payments.paths import AgreementId, IdempotencyKey, ProductIdPath, parse_id
from avtale.api.payments.shapes import Agreement, Charge
from avtale.domain.change import ChangeKind
from avtale.domain.dunning import DunningStatus
from avtale.service.change_wishes import ChangeWish
from avtale.service.changing import change_agreement, list_changes, say_amount
from avtale.service.charging_once import charge_once
from avtale.service.dunning import list_dunning
from avtale.service.pricing import price_product
from avtale.service.reading import get_agreement
from avtale.service.repeating import bind_key
from avtale.service.withdrawing import withdraw

routes = Routes("Subscriptions", PersonDoor, acts=True)
admin_routes = Routes("Subscriptions", AdminDoor)

_CHANGED = refusals(400, 401, 404, 408, 409, 413, 415, 500, 502, 503, 504)
_CHANGED_BY_ADMIN = refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 502, 503, 504)


@routes.get(
    "/api/v1/agreements/{agreementId}/changes",
    operation_id="listV1AgreementsChanges",
    summary="List the changes of an agreement",
    responses=refusals(401, 404, 500, 503),
)
async def changes(agreement_id: AgreementId, visit: TheVisit, house: TheHouse) -> Changes:
    """What was changed, or is to be, oldest first."""
    wanted = parse_id(agreement_id, "agreement")
    owner = None if visit.caller.is_admin else visit.caller.person
    found = await list_changes(house.db, visit.tenant, owner, wanted)
    view = await get_agreement(house.db, visit.tenant, owner, wanted)
    currency = view.agreement.terms.price.currency
    return Changes(changes=[Change.of(one, currency) for one in found])


@routes.post(
    "/api/v1/agreements/{agreementId}/pause",
    operation_id="postV1AgreementsPause",
    summary="Pause an agreement",
    responses=_CHANGED,
)
async def pause(
    agreement_id: AgreementId,
    wish: PauseRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> ChangeAnswer:
    """Charge nothing after the period that is paid, until a day or until it is resumed.

    A charge that is created for a period which has not begun is cancelled; if it was captured meanwhile the pause
    begins after its period, and the answer says `deferred`. Invoices of Stripe's for the time of a pause are void.
    """
    return await _changed(house, visit, agreement_id, ChangeWish(ChangeKind.PAUSE, day=wish.until), idempotency_key)


@routes.post(
    "/api/v1/agreements/{agreementId}/resume",
    operation_id="postV1AgreementsResume",
    summary="Resume a paused agreement",
    responses=_CHANGED,
)
async def resume(
    agreement_id: AgreementId,
    wish: ResumeRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> ChangeAnswer:
    """Go on today or on a later day, or when what is paid ends if that is later still.

    Vipps charges tomorrow at the earliest: a period that begins today is paid a day late. Stripe's periods begin at
    noon of their day.
    """
    return await _changed(house, visit, agreement_id, ChangeWish(ChangeKind.RESUME, day=wish.on), idempotency_key)


@routes.post(
    "/api/v1/agreements/{agreementId}/charge-day",
    operation_id="postV1AgreementsChargeDay",
    summary="Charge an agreement on another day of the month",
    responses=_CHANGED,
)
async def charge_day(
    agreement_id: AgreementId,
    wish: ChargeDayRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> ChangeAnswer:
    """The days between what is paid and the new day are one short period, at its share of the price.

    Vipps charges the share when that period begins; a share below its least is given. Stripe takes it at once, together
    with the change: a card that declines leaves everything as it was (`dropped`).
    """
    said = ChangeWish(ChangeKind.CHARGE_DAY, charge_day=wish.day)
    return await _changed(house, visit, agreement_id, said, idempotency_key)


@routes.post(
    "/api/v1/agreements/{agreementId}/plan",
    operation_id="postV1AgreementsPlan",
    summary="Go on with another product",
    responses=_CHANGED,
)
async def plan(
    agreement_id: AgreementId,
    wish: PlanRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> ChangeAnswer:
    """From the next period on the agreement is about another product, at its price and by its interval.

    What is paid gives access to what it was paid for. The person is not asked by Vipps or Stripe, and not told: tell
    them.
    """
    said = ChangeWish(ChangeKind.PLAN, product_id=wish.product_id)
    return await _changed(house, visit, agreement_id, said, idempotency_key)


@routes.post(
    "/api/v1/agreements/{agreementId}/withdraw",
    operation_id="postV1AgreementsWithdraw",
    summary="Withdraw from an agreement within fourteen days",
    responses=refusals(400, 401, 404, 409, 500, 503),
)
async def withdrawal(
    agreement_id: AgreementId, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> Agreement:
    """The agreement and its access end now, and what was paid is given back: all of it, or, where its person asked at
    checkout for it to begin at once, what falls on the days after today. Withdrawing again changes nothing.
    """
    wanted = parse_id(agreement_id, "agreement")
    by = visit.caller.person
    owner = None if visit.caller.is_admin else by
    await bind_key(house.db, visit.tenant, by, "withdraw", idempotency_key, wanted)
    await withdraw(house.db, house.gateways, visit.tenant, owner, by, wanted)
    return Agreement.of(await get_agreement(house.db, visit.tenant, owner, wanted))


@admin_routes.post(
    "/api/v1/agreements/{agreementId}/charges",
    operation_id="postV1AgreementsCharges",
    summary="Charge an agreement once, besides its periods (admin)",
    responses=_CHANGED_BY_ADMIN,
)
async def one_off(
    agreement_id: AgreementId,
    wish: OneOffRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> Charge:
    """At most five times the price, or the suggested limit where the price may vary. Vipps tries it as it tries a
    period's; Stripe takes it at once, from what pays the agreement, or not at all: then it is `failed`, and says why.
    Nothing else ends if it fails.
    """
    wanted = parse_id(agreement_id, "agreement")
    made = await charge_once(
        house.db,
        house.gateways,
        visit.tenant,
        visit.caller.person,
        wanted,
        wish.amount,
        wish.description,
        wish.due_date,
        idempotency_key,
    )
    view = await get_agreement(house.db, visit.tenant, None, wanted)
    return Charge.of(next(charge for charge in view.charges if charge.id == made))


@admin_routes.post(
    "/api/v1/agreements/{agreementId}/price",
    operation_id="postV1AgreementsPrice",
    summary="Change the price of an agreement (admin)",
    responses=_CHANGED_BY_ADMIN,
)
async def price(
    agreement_id: AgreementId,
    wish: PriceRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> ChangeAnswer:
    """Periods that begin on a day or later cost another sum; one that is charged already costs what it did.

    Between the notice and that day lie at least the days that the tenant's policy says. Neither Vipps nor Stripe tells
    the person: the merchant does.
    """
    said = ChangeWish(ChangeKind.PRICE, day=wish.effective_date, amount=wish.amount, noticed_on=wish.notice_date)
    return await _changed(house, visit, agreement_id, said, idempotency_key)


@admin_routes.post(
    "/api/v1/products/{productId}/price",
    operation_id="postV1ProductsPrice",
    summary="Change the price of every agreement about a product (admin)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
)
async def price_of_all(
    product_id: ProductIdPath,
    wish: PriceRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> PriceOfAll:
    """As the change of the price of one agreement, for each that is active, some thousand a call: while `remaining` is
    not 0, make the same call again. No agreement gets the same price for the same day twice.

    What new customers pay is said in the tenants file. Neither Vipps nor Stripe tells anybody: the merchant does, with
    the notice that the tenant's policy says at least.
    """
    by = visit.caller.person
    await bind_key(house.db, visit.tenant, by, "price_of_all", idempotency_key, (product_id, wish.model_dump_json()))
    planned = await price_product(
        house.db,
        house.gateways,
        visit.tenant,
        by,
        product_id,
        wish.amount,
        wish.effective_date,
        wish.notice_date,
    )
    return PriceOfAll.of(product_id, planned)


@admin_routes.post(
    "/api/v1/agreements/{agreementId}/amount",
    operation_id="postV1AgreementsAmount",
    summary="Say what the next period costs, where the price may vary (admin)",
    responses=_CHANGED_BY_ADMIN,
)
async def amount(
    agreement_id: AgreementId,
    wish: AmountRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> Agreement:
    """At most the suggested limit; the last word before the period is charged counts."""
    wanted = parse_id(agreement_id, "agreement")
    await bind_key(house.db, visit.tenant, visit.caller.person, "amount", idempotency_key, (wanted, wish.amount))
    await say_amount(house.db, house.gateways, visit.tenant, visit.caller.person, wanted, wish.amount)
    return Agreement.of(await get_agreement(house.db, visit.tenant, None, wanted))


@admin_routes.get(
    "/api/v1/dunning",
    operation_id="listV1Dunning",
    summary="List the agreements in dunning, and why (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def dunning(
    visit: TheVisit,
    house: TheHouse,
    status: Annotated[DunningStatus, Query(description="those that are, were recovered, or were lost")] = (
        DunningStatus.OPEN
    ),
    after: Annotated[UUID | None, Query(description="the `chargeId` to go on after")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Dunnings:
    """Each charge whose first try has failed: the gateway's reason, what to do about it, and what comes next."""
    found = await list_dunning(house.db, visit.tenant, status, after, limit)
    return Dunnings(dunnings=[Dunning.of(view) for view in found])


async def _changed(house: House, visit: Visit, agreement_id: str, wish: ChangeWish, key: str | None) -> ChangeAnswer:
    """Owners change what is theirs, an administrator anybody's."""
    wanted = parse_id(agreement_id, "agreement")
    by = visit.caller.person
    owner = None if visit.caller.is_admin else by
    made = await change_agreement(house.db, house.gateways, visit.tenant, owner, by, wanted, wish, key)
    return ChangeAnswer.of(made, await get_agreement(house.db, visit.tenant, owner, wanted))
