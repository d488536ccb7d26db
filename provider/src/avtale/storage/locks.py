"""Locks on things that have no row yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, func, select, text

from avtale.storage.database import Transaction

_LOCK = select(func.pg_advisory_xact_lock(bindparam("key", type_=BigInteger)))


async def lock_person_and_product(tx: Transaction, issuer: str, subject: str, product_id: str) -> None:
    """Let one checkout at a time, of one person for one product, look at what is there and add to it."""
    await tx.conn.execute(_LOCK, {"key": _key(tx, issuer, subject, product_id)})


async def lock_people_and_products(tx: Transaction, wanted: Iterable[tuple[str, str, str]]) -> None:
    """The same locks, many at a time and always in one order: issuer, subject and product of each."""
    keys = sorted({_key(tx, *one) for one in wanted})
    statement = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
    await tx.conn.execute(statement, {"keys": keys})


def _key(tx: Transaction, issuer: str, subject: str, product_id: str) -> int:
    digest = hashlib.sha256(repr((tx.tenant_id, issuer, subject, product_id)).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
