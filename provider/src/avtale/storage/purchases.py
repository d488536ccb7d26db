"""Rows of purchases."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, insert, select, update

from avtale.domain.money import Money
from avtale.domain.purchase import Purchase, PurchaseStatus, PurchaseTerms
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.many import is_any


async def insert_purchase(tx: Transaction, purchase: Purchase) -> None:
    """Write a new purchase."""
    terms = purchase.terms
    await tx.conn.execute(
        insert(t.purchases).values(
            tenant_id=tx.tenant_id,
            id=purchase.id,
            issuer=purchase.issuer,
            subject=purchase.subject,
            gateway=purchase.gateway,
            product_id=terms.product_id,
            product_name=terms.name,
            product_description=terms.description,
            price=terms.price.amount,
            currency=terms.price.currency,
            access_days=terms.access_days,
            vat_basis_points=terms.vat_basis_points,
            created_at=purchase.created_at,
            version=purchase.version,
            **{name: getattr(purchase, name) for name in _STATE},
        )
    )


async def save_purchases(tx: Transaction, purchases: Collection[Purchase]) -> None:
    """Write the states of purchases that this transaction has locked."""
    if not purchases:
        return
    c = t.purchases.c
    statement = (
        update(t.purchases)
        .where(c.tenant_id == tx.tenant_id, c.id == bindparam("this_id"), c.version == bindparam("this_version"))
        .values({name: bindparam(name) for name in _STATE} | {"version": c.version + 1})
    )
    rows = [
        {name: getattr(p, name) for name in _STATE} | {"this_id": p.id, "this_version": p.version} for p in purchases
    ]
    result = await tx.conn.execute(statement, rows)
    if result.rowcount not in (-1, len(rows)):
        raise RuntimeError("a purchase changed although its row was locked")


async def get_purchases(tx: Transaction, ids: Collection[UUID], *, lock: bool = False) -> dict[UUID, Purchase]:
    """Purchases by their ids, locked in key order when asked for."""
    found = await _select(tx, is_any(t.purchases.c.id, ids), lock=lock) if ids else []
    return {purchase.id: purchase for purchase in found}


async def get_purchase(tx: Transaction, purchase_id: UUID, *, lock: bool = False) -> Purchase | None:
    """One purchase, locked until the transaction ends when asked for."""
    return (await get_purchases(tx, [purchase_id], lock=lock)).get(purchase_id)


async def purchases_of(
    tx: Transaction, issuer: str, subject: str, *, product_id: str | None = None, lock: bool = False
) -> list[Purchase]:
    """A person's purchases, oldest first."""
    c = t.purchases.c
    wanted = (c.issuer == issuer) & (c.subject == subject)
    if product_id is not None:
        wanted &= c.product_id == product_id
    return await _select(tx, wanted, lock=lock)


async def all_purchases(tx: Transaction) -> list[Purchase]:
    """Every purchase of the tenant, for audits."""
    return await _select(tx, t.purchases.c.tenant_id == tx.tenant_id, lock=False)


async def _select(tx: Transaction, wanted: Any, *, lock: bool) -> list[Purchase]:
    statement = select(t.purchases).where(t.purchases.c.tenant_id == tx.tenant_id, wanted).order_by(t.purchases.c.id)
    if lock:
        statement = statement.with_for_update()
    return [_purchase(row) for row in await tx.conn.execute(statement)]


_STATE = ("status", "confirmation_url", "expires_at", "granted_at", "end_reason")


def _purchase(row: Row[Any]) -> Purchase:
    return Purchase(
        id=row.id,
        issuer=row.issuer,
        subject=row.subject,
        gateway=row.gateway,
        terms=PurchaseTerms(
            product_id=row.product_id,
            name=row.product_name,
            description=row.product_description,
            price=Money(row.price, row.currency),
            access_days=row.access_days,
            vat_basis_points=row.vat_basis_points,
        ),
        status=PurchaseStatus(row.status),
        confirmation_url=row.confirmation_url,
        created_at=row.created_at,
        expires_at=row.expires_at,
        granted_at=row.granted_at,
        end_reason=row.end_reason,
        version=row.version,
    )
