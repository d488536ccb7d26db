"""Locks on things that have no row yet."""

from __future__ import annotations

import hashlib

from sqlalchemy import func, select

from avtale.storage.database import Transaction


async def lock_person_and_product(tx: Transaction, issuer: str, subject: str, product_id: str) -> None:
    """Let one checkout at a time, of one person for one product, look at what is there and add to it."""
    digest = hashlib.sha256(repr((tx.tenant_id, issuer, subject, product_id)).encode()).digest()
    key = int.from_bytes(digest[:8], signed=True)
    await tx.conn.execute(select(func.pg_advisory_xact_lock(key)))
