"""What a person may use: the object that an identity provider makes the claim of entitlements from, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from avtale.domain.agreement import Agreement
from avtale.domain.purchase import Purchase
from avtale.service.announcing import end_access
from avtale.service.checkout import Person
from avtale.storage import agreements, entitlements, purchases
from avtale.storage.database import Database, Job
from avtale.storage.due import refresh_due
from avtale.storage.entitlements import Entitlement
from avtale.storage.tenants import Tenant


@dataclass(frozen=True, slots=True)
class EntitlementObject:
    """A person's entitlements, and since when there is an object for them."""

    person: Person
    created_at: datetime
    entitlements: tuple[Entitlement, ...]


async def set_up_entitlements(db: Database, tenant: Tenant, person: Person) -> EntitlementObject:
    """Have an object for a person's entitlements; asking again, and what is there already, change nothing."""
    async with db.tenant(tenant.id) as tx:
        created = await entitlements.set_up(tx, person.issuer, person.subject)
        found = await entitlements.entitlements_of_person(tx, person.issuer, person.subject)
        return EntitlementObject(person, created, tuple(one for one in found if one.access_until > tx.now))


async def end_due_access(db: Database, tenant: Tenant, batch_count_max: int = 500) -> bool:
    """Tell of access that has come to its end by itself; True when there may be more."""
    async with db.tenant(tenant.id) as tx:
        over = await entitlements.ending(tx, None, batch_count_max)
        owners: dict[UUID, Agreement | Purchase] = {}
        bought = [access.purchase_id for access in over if access.purchase_id]
        owners |= await purchases.get_purchases(tx, bought, lock=True)
        owners |= await agreements.lock_agreements(tx, [a.agreement_id for a in over if a.agreement_id])
        still = {access.id for access in await entitlements.ending(tx, owners, batch_count_max)}
        await end_access(tx, {owner_id: owner for owner_id, owner in owners.items() if owner_id in still})
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.ACCESS)
    return len(over) == batch_count_max


@dataclass(frozen=True, slots=True)
class Claim:
    """What an identity provider puts into a token: products, whether there are more, and when this is out of date."""

    product_ids: tuple[str, ...]
    has_more: bool
    holds_until: datetime | None


async def list_entitlements(db: Database, tenant: Tenant, person: Person) -> list[Entitlement]:
    """What a person may use now, by product."""
    async with db.tenant(tenant.id) as tx:
        found = await entitlements.entitlements_of_person(tx, person.issuer, person.subject)
        return [one for one in found if one.access_until > tx.now]


async def claim_of(db: Database, tenant: Tenant, person: Person, count_max: int) -> Claim:
    """A person's products as a claim, subscriptions first, at most `count_max`; nobody known has none."""
    found = await list_entitlements(db, tenant, person)
    lasting = sorted({one.product_id for one in found if one.agreement_id is not None})
    once = sorted({one.product_id for one in found} - set(lasting))
    named = [*lasting, *once]
    return Claim(tuple(named[:count_max]), len(named) > count_max, min((e.access_until for e in found), default=None))
