"""Rows of idempotency keys: what a caller's key stood for when it was first used."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Transaction


async def remember(
    tx: Transaction, issuer: str, subject: str, operation: str, key: str, digest: bytes, resource_id: UUID
) -> tuple[bytes, UUID]:
    """Bind a key to a request and its resource; returns what the key stands for, from now or from before."""
    c = t.idempotency_keys.c
    row = {
        "tenant_id": tx.tenant_id,
        "issuer": issuer,
        "subject": subject,
        "operation": operation,
        "key": key,
    }
    await tx.conn.execute(
        insert(t.idempotency_keys)
        .values(**row, request_digest=digest, resource_id=resource_id, created_wall=tx.wall)
        .on_conflict_do_nothing()
    )
    found = await tx.conn.execute(
        select(c.request_digest, c.resource_id).where(*(c[name] == value for name, value in row.items()))
    )
    stored = found.one()
    return bytes(stored.request_digest), stored.resource_id
