"""What people may read of their purchases, and a purchase asked about at the gateway while somebody waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from avtale.domain.charge import Charge
from avtale.domain.errors import NotFound
from avtale.domain.gateway import GatewayName
from avtale.domain.outcome import Answered
from avtale.domain.ports import Gateways
from avtale.domain.purchase import OPEN_PURCHASES, Purchase
from avtale.service.checkout import Person
from avtale.service.desks import desk
from avtale.service.settling import Reading, settle_charges
from avtale.storage import charges, entitlements, purchases
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant


@dataclass(frozen=True, slots=True)
class PurchaseView:
    """A purchase with its charge, and until when it gives access."""

    purchase: Purchase
    charge: Charge
    access_until: datetime | None


async def list_purchases(db: Database, tenant: Tenant, person: Person) -> list[PurchaseView]:
    """A person's purchases, newest first."""
    async with db.tenant(tenant.id) as tx:
        mine = await purchases.purchases_of(tx, person.issuer, person.subject)
        return await _views(tx, mine[::-1])


async def get_purchase(db: Database, tenant: Tenant, person: Person | None, purchase_id: UUID) -> PurchaseView:
    """One purchase of a person, or anybody's for the merchant (None). Raises NotFound (`purchase_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        found = await purchases.get_purchase(tx, purchase_id)
        if found is None or not (person is None or (found.issuer, found.subject) == (person.issuer, person.subject)):
            raise NotFound(f"there is no purchase {purchase_id}", code="purchase_not_found")
        (view,) = await _views(tx, [found])
        return view


async def poll_purchase(
    db: Database, gateways: Gateways, tenant: Tenant, person: Person | None, purchase_id: UUID
) -> PurchaseView:
    """One purchase, read again at the gateway while it may still move, so that a lost webhook keeps nobody waiting.

    Without an answer it is told as it stands.
    """
    view = await get_purchase(db, tenant, person, purchase_id)
    if view.purchase.status not in OPEN_PURCHASES:
        return view
    at = await desk(gateways, tenant, GatewayName(view.purchase.gateway))
    async with db.tenant(tenant.id) as tx:
        attempts = await charges.attempts_of(tx, [view.charge.id])
    told = [(attempt.id, await at.read(attempt)) for attempt in attempts]
    readings = [Reading(attempt_id, one.value) for attempt_id, one in told if isinstance(one, Answered)]
    async with db.tenant(tenant.id) as tx:
        await settle_charges(tx, tenant, at, readings)
    return await get_purchase(db, tenant, person, purchase_id)


async def _views(tx: Transaction, wanted: Sequence[Purchase]) -> list[PurchaseView]:
    ids = [purchase.id for purchase in wanted]
    owed = await charges.charges_of_purchases(tx, ids)
    access = await entitlements.entitlements_of(tx, ids)
    return [PurchaseView(p, owed[p.id], access[p.id].access_until if p.id in access else None) for p in wanted]
