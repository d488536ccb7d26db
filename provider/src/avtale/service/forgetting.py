"""A person's data: a copy of all of it, and its end, with the facts that accounts must keep under a pseudonym."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from avtale.domain.errors import Conflict
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.storage import locks, people, tenants
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant

Records = dict[str, list[dict[str, Any]]]


async def export_person(db: Database, tenant: Tenant, person: Person, by: Person | None = None) -> Records:
    """Everything that is stored about a person, by table; an administrator (`by`) who asks for it is noted."""
    async with db.tenant(tenant.id) as tx:
        if by is not None:
            await note(tx, by, "export person", "somebody's data", "")
        return await people.records(tx, person.issuer, person.subject)


async def erase_person(db: Database, tenant: Tenant, person: Person, by: Person, why: str) -> UUID:
    """Make everything about a person a pseudonym's, which is returned; nothing leads back from it.

    Agreements, charges, receipts and events stay as facts. What calls and webhooks said, addresses that let somebody
    in, and whatever else names the person are gone; reasons that people typed are not looked into.

    Raises Conflict (`person_active`) while an agreement is not ended, or money may still move.
    """
    new = new_id()
    async with db.tenant(tenant.id) as tx:
        # What is begun meanwhile is either seen here, or somebody new's.
        sold = await tenants.products_on_sale(tx)
        await locks.lock_people_and_products(tx, {(person.issuer, person.subject, terms.product_id) for terms in sold})
        if not await people.lock_ended(tx, person.issuer, person.subject):
            said = "this person has an agreement that is not ended, or money that may still move: stop and settle first"
            raise Conflict(said, code="person_active")
        await people.erase(tx, person.issuer, person.subject, str(new))
        await note(tx, by, "erase person", f"person {new}", why)
    return new
