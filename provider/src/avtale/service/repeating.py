"""A repeated request is the same request: what an Idempotency-Key was first used for, it stands for ever after."""

from __future__ import annotations

import hashlib
from uuid import UUID

from avtale.domain.errors import Conflict
from avtale.service.checkout import Person
from avtale.storage import idempotency
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: What a key stands for where repeating a request changes nothing anyway, so that nothing need be remembered.
_NOTHING = UUID(int=0)


async def first_use(tx: Transaction, by: Person, operation: str, key: str | None, said: object, new: UUID) -> UUID:
    """The id of what this key made when it was first used: `new` if that is now, or if there is no key.

    `said` is the request, told apart by its text. Raises Conflict (`idempotency_conflict`) for another request.
    """
    if key is None:
        return new
    digest = hashlib.sha256(repr(said).encode()).digest()
    stored, first = await idempotency.remember(tx, by.issuer, by.subject, operation, key, digest, new)
    if stored != digest:
        raise Conflict("this Idempotency-Key was used for another request", code="idempotency_conflict")
    return first


async def bind_key(db: Database, tenant: Tenant, by: Person, operation: str, key: str | None, said: object) -> None:
    """Hold a key to its first request, for operations that may be repeated as they are. Raises Conflict."""
    if key is not None:
        async with db.tenant(tenant.id) as tx:
            await first_use(tx, by, operation, key, said, _NOTHING)
