"""What a person may use: the object that an identity provider makes the claim of entitlements from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from avtale.service.checkout import Person
from avtale.storage import entitlements
from avtale.storage.database import Database
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
