"""Rows that nothing would ever move are found by the audit; in a shop that works there are none."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, update

from avtale.service.auditing import audit
from avtale.service.checkout import Person
from avtale.storage import tables as t

from .conftest import Shop

NEVER = datetime(2037, 1, 1, tzinfo=UTC)


async def found(shop: Shop) -> set[str]:
    """What the audit says of rows, and of which jobs."""
    return {one.sentence if one.code == "row_stranded" else one.subject for one in await audit(shop.db, shop.tenant)}


async def test_what_nothing_would_ever_move_is_found(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await shop.advance_to(datetime(2027, 2, 13, 12, tzinfo=UTC))
    await shop.checkout(Person("https://id.example", "berit"))
    assert [charge.status for charge in (await shop.see(agreement_id)).charges] == ["paid", "open"]
    assert await found(shop) == set()
    async with shop.db.tenant(shop.tenant.id) as tx:
        await tx.conn.execute(update(t.due_tenants).where(t.due_tenants.c.job == "bill").values(due_at=NEVER))
    assert await found(shop) == {"bill"}
    async with shop.db.tenant(shop.tenant.id) as tx:
        await tx.conn.execute(delete(t.checks))
        await tx.conn.execute(update(t.agreements).values(next_charge_at=None))
    assert await found(shop) == {
        "an attempt without an end that is neither to be sent nor to be read",
        "a draft without an end that is neither to be sent nor to be read",
        "an agreement that waits for its person or its end, and nothing of it is to be read or sent",
        "an active agreement without a next charge",
    }
