"""How vouchers are kept: as JSON in a product's row, and by code in the agreements that took them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from avtale.domain.agreement import AgreementStatus
from avtale.domain.voucher import Voucher
from avtale.storage import tables as t
from avtale.storage.database import Transaction

#: Agreements that came to nothing: what they took is there again.
_GIVEN_BACK = (AgreementStatus.REJECTED, AgreementStatus.EXPIRED)


async def save_vouchers(tx: Transaction, by_product: Mapping[str, Sequence[Voucher]]) -> None:
    """Give these products, and no others, these vouchers."""
    c = t.products.c
    await tx.conn.execute(t.products.update().where(c.tenant_id == tx.tenant_id).values(vouchers=[]))
    for product_id, vouchers in by_product.items():
        mine = (c.tenant_id == tx.tenant_id) & (c.id == product_id)
        await tx.conn.execute(t.products.update().where(mine).values(vouchers=[_row(one) for one in vouchers]))


async def find_voucher(tx: Transaction, product_id: str, code: str) -> Voucher | None:
    """The voucher of a product that is on sale, whether it can still be taken or not."""
    c = t.products.c
    mine = (c.tenant_id == tx.tenant_id) & (c.id == product_id) & c.on_sale
    rows = (await tx.conn.execute(select(c.vouchers).where(mine))).scalar_one_or_none() or []
    return next((_voucher(row) for row in rows if row["code"] == code), None)


async def lock_voucher(tx: Transaction, code: str) -> None:
    """Let one checkout at a time count the uses of a voucher and add to them."""
    digest = hashlib.sha256(repr((tx.tenant_id, "voucher", code)).encode()).digest()
    await tx.conn.execute(select(func.pg_advisory_xact_lock(int.from_bytes(digest[:8], signed=True))))


async def count_uses(tx: Transaction, code: str, person: tuple[str, str], but: UUID | None) -> tuple[int, int]:
    """How often a voucher is taken: in all, and by this person (issuer and subject).

    What waits for approval counts; what came to nothing does not, nor does what this person has not approved yet: of
    several only one becomes an agreement. `but` is an agreement that is not counted.
    """
    c = t.agreements.c
    theirs: ColumnElement[bool] = (c.issuer == person[0]) & (c.subject == person[1])
    taken = (c.tenant_id == tx.tenant_id) & (c.voucher == code) & c.status.not_in(_GIVEN_BACK)
    taken &= c.stop_reason.is_distinct_from("duplicate")
    taken &= ~(theirs & (c.status == AgreementStatus.PENDING))
    taken = taken if but is None else taken & (c.id != but)
    row = (await tx.conn.execute(select(func.count(), func.count().filter(theirs)).where(taken))).one()
    return int(row[0]), int(row[1])


def _row(voucher: Voucher) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in asdict(voucher).items()}


def _voucher(row: Mapping[str, Any]) -> Voucher:
    days = {name: date.fromisoformat(row[name]) if row[name] else None for name in ("valid_from", "valid_until")}
    return Voucher(**{**row, **days})
