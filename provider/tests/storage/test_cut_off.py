"""Somebody who holds rows and is heard of no more does not hold them for ever."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from avtale.storage import database
from avtale.storage import tables as t
from avtale.storage.clock import set_clock
from avtale.storage.database import Database, DatabaseDown
from avtale.storage.home import Home


async def test_rows_that_somebody_holds_who_is_gone_are_free_in_the_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_SECONDS_MAX", 1)
    gone, other = Database(home.url), Database(home.url)
    row = select(t.business_clock).with_for_update()
    try:
        async with other.routing() as tx:
            await set_clock(tx, datetime(2027, 1, 31, tzinfo=UTC), running=False)

        async def hold() -> None:
            async with gone.routing() as holder:
                await holder.conn.execute(row)
                async with other.routing() as tx:
                    assert (await tx.conn.execute(row)).one().running is False
                await holder.conn.execute(row)

        with pytest.raises(DatabaseDown):
            await hold()
    finally:
        await gone.close()
        await other.close()
