"""How campaigns are kept: as JSON in a product's row, and in that of an agreement that was made under one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select

from avtale.domain.campaign import Campaign, CampaignKind
from avtale.domain.periods import Interval, Unit
from avtale.storage import tables as t
from avtale.storage.database import Transaction


def campaign_row(campaign: Campaign | None) -> dict[str, Any] | None:
    """A campaign as it is stored."""
    if campaign is None:
        return None
    return {
        "id": campaign.id,
        "kind": campaign.kind.value,
        "price": campaign.price,
        "until": campaign.until.isoformat() if campaign.until else None,
        "unit": campaign.length.unit.value if campaign.length else None,
        "count": campaign.length.count if campaign.length else None,
        "text": campaign.text,
        "offeredUntil": campaign.offered_until.isoformat() if campaign.offered_until else None,
    }


def read_campaign(row: Mapping[str, Any] | None) -> Campaign | None:
    """A stored campaign."""
    if row is None:
        return None
    return Campaign(
        id=row["id"],
        kind=CampaignKind(row["kind"]),
        price=row["price"],
        until=_day(row["until"]),
        length=Interval(Unit(row["unit"]), row["count"]) if row["unit"] else None,
        text=row["text"],
        offered_until=_day(row["offeredUntil"]),
    )


async def save_campaigns(tx: Transaction, by_product: Mapping[str, Sequence[Campaign]]) -> None:
    """Give these products, and no others, these campaigns."""
    c = t.products.c
    await tx.conn.execute(t.products.update().where(c.tenant_id == tx.tenant_id).values(campaigns=[]))
    for product_id, campaigns in by_product.items():
        rows = [campaign_row(campaign) for campaign in campaigns]
        mine = (c.tenant_id == tx.tenant_id) & (c.id == product_id)
        await tx.conn.execute(t.products.update().where(mine).values(campaigns=rows))


async def campaigns_on_sale(tx: Transaction) -> dict[str, list[Campaign]]:
    """The campaigns of every product that is on sale, whether they can still be begun or not."""
    c = t.products.c
    rows = await tx.conn.execute(select(c.id, c.campaigns).where(c.tenant_id == tx.tenant_id, c.on_sale))
    return {row.id: [found for one in row.campaigns if (found := read_campaign(one))] for row in rows}


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
