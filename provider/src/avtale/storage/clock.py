"""The row that holds business time where it is turned by hand; in production there is none."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.errors import Refusal
from avtale.storage import tables as t
from avtale.storage.database import Transaction


class ClockLocked(Refusal):
    """Business time is not to be turned here."""

    code = "clock_locked"


async def set_clock(tx: Transaction, at: datetime, running: bool) -> None:
    """Set business time for every process of this database. Raises ClockLocked next to production credentials."""
    production = select(t.tenants.c.name).where(t.tenants.c.environment == "production").limit(1)
    if (await tx.conn.execute(production)).first() is not None:
        raise ClockLocked("a tenant here takes real payments: business time follows the system's clock")
    row = {"id": 1, "at": at, "running": running, "set_wall": tx.wall}
    await tx.conn.execute(insert(t.business_clock).values(row).on_conflict_do_update(index_elements=["id"], set_=row))
