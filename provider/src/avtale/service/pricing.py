"""Change the price of a product for everybody who has it: some thousand agreements a call, each of them once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from avtale.domain.agreement import Terms
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.errors import Conflict, Invalid
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways
from avtale.service import announcing
from avtale.service.change_wishes import ChangeWish, check_day, check_price
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.storage import agreements, changes, checks, drafts, tenants
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

BATCH_COUNT_MAX = 500
#: A call plans so many at most, in so many transactions: what is left is planned by the same call, made again.
BATCHES_COUNT_MAX = 20


@dataclass(frozen=True, slots=True)
class PriceOfAll:
    """What a product is to cost from a day on, and for how many agreements this call planned it, an earlier one had,
    and the next one will."""

    price: Money
    day: date
    noticed_on: date
    planned: int
    planned_before: int
    remaining: int


async def price_product(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    by: Person,
    product_id: str,
    amount: int,
    day: date,
    noticed_on: date | None,
) -> PriceOfAll:
    """Plan another price for every active agreement about a product: what `change_agreement` does with one of them.

    One that has this price planned or done for this day is left alone, so that the same call can be made again: after
    a fault, until nothing remains, or for those who came meanwhile. What was given is not charged and costs nothing.

    Raises Invalid (`product_unknown`, `price_unsuited`, `notice_too_short`, `change_day`) and Conflict
    (`price_varies`).
    """
    async with db.tenant(tenant.id) as tx:
        terms = await tenants.get_product(tx, product_id)
        if not isinstance(terms, Terms):
            raise Invalid(f"there is no subscription {product_id!r} on sale", code="product_unknown")
        if terms.suggested_max is not None:
            raise Conflict("the price of this product varies: say the amounts instead", code="price_varies")
        today = local_date(tx.now, tenant.zone)
        wish = ChangeWish(ChangeKind.PRICE, day=day, amount=amount, noticed_on=noticed_on or today)
        check_day(wish, today)
        check_price(gateways, tenant, terms, wish, today)
        price = replace(terms.price, amount=amount)
        before = await changes.count_priced(tx, product_id, amount, day)
    planned = 0
    for _ in range(BATCHES_COUNT_MAX):
        async with db.tenant(tenant.id) as tx:
            found = await _plan_batch(tx, by, product_id, price, wish)
        planned += found
        if not found:
            break
    async with db.tenant(tenant.id) as tx:
        remaining = await changes.count_unpriced(tx, product_id, price, day)
        if planned:
            about = f"product {product_id}"
            await note(tx, by, "price", about, "", amount=amount, day=day.isoformat(), agreements=planned)
    return PriceOfAll(price, day, wish.noticed_on or today, planned, before, remaining)


async def _plan_batch(tx: Transaction, by: Person, product_id: str, price: Money, wish: ChangeWish) -> int:
    """Plan the price for agreements that do not have it yet; says for how many."""
    if wish.day is None:
        raise RuntimeError("a price holds from a day on")
    locked = await agreements.lock_agreements(
        tx, await changes.unpriced(tx, product_id, price, wish.day, BATCH_COUNT_MAX)
    )
    # What another call planned while this one waited for the locks is seen now.
    still = set(await changes.unpriced(tx, product_id, price, wish.day, BATCH_COUNT_MAX, among=locked))
    owners = [locked[agreement_id] for agreement_id in sorted(still)]
    versions = await changes.last_versions(tx, [owner.id for owner in owners])
    planned = [
        Change(
            id=new_id(),
            agreement_id=owner.id,
            kind=ChangeKind.PRICE,
            status=ChangeStatus.PLANNED,
            version=versions.get(owner.id, 0) + 1,
            requested_by=by.subject,
            created_at=tx.now,
            day=wish.day,
            amount=price.amount,
            noticed_on=wish.noticed_on,
        )
        for owner in owners
    ]
    await changes.insert_changes(tx, planned)
    told = [announcing.changed(owner, change) for owner, change in zip(owners, planned, strict=True)]
    await announcing.announce(tx, told)
    # Where the gateway bills, it is asked for the price when the agreement is read.
    won = await drafts.won_drafts(tx, [owner.id for owner in owners if owner.gateway is GatewayName.STRIPE])
    await checks.ask(tx, CheckKind.DRAFT, [draft.id for draft in won.values()], tx.now)
    return len(owners)
