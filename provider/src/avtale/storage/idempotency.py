"""Rows of idempotency keys: what a caller's key stood for when it was first used."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Transaction

_c = t.idempotency_keys.c
_REMEMBER = insert(t.idempotency_keys).on_conflict_do_nothing().returning(_c.key)
_RECALL = select(_c.request_digest, _c.resource_id).where(
    *(_c[name] == bindparam(name) for name in ("tenant_id", "issuer", "subject", "operation", "key"))
)


async def remember(
    tx: Transaction, issuer: str, subject: str, operation: str, key: str, digest: bytes, resource_id: UUID
) -> tuple[bytes, UUID]:
    """Bind a key to a request and its resource; returns what the key stands for, from now or from before."""
    row = {
        "tenant_id": tx.tenant_id,
        "issuer": issuer,
        "subject": subject,
        "operation": operation,
        "key": key,
    }
    now = {"request_digest": digest, "resource_id": resource_id, "created_wall": tx.wall}
    if (await tx.conn.execute(_REMEMBER, {**row, **now})).first() is not None:
        return digest, resource_id
    stored = (await tx.conn.execute(_RECALL, row)).one()
    return bytes(stored.request_digest), stored.resource_id
