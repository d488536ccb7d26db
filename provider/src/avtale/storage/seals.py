"""Every sealed secret that is stored, to seal it anew when the encryption key has changed."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, select, update

from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.sealing import Sealer


async def seal_anew(tx: Transaction, sealer: Sealer) -> int:
    """Seal a tenant's secrets with the newest key, where another did; returns how many. Raises SealBroken."""
    count = 0
    for table, column in _sealed():
        key = list(table.primary_key.columns)
        rows = await tx.conn.execute(
            select(*key, column).where(table.c.tenant_id == tx.tenant_id, column.is_not(None)).with_for_update()
        )
        for row in rows.all():
            before = bytes(row[-1])
            if sealer.is_newest(before):
                continue
            this = [part == value for part, value in zip(key, row[:-1], strict=True)]
            after = sealer.seal(sealer.open(before))
            await tx.conn.execute(update(table).where(*this).values({column.name: after}))
            count += 1
    return count


def _sealed() -> list[tuple[Table, Column[bytes]]]:
    return [
        (table, column)
        for table in t.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_sealed") and isinstance(column.type, LargeBinary)
    ]
