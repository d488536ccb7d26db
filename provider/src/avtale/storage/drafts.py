"""Rows of drafts: each one attempt to have an agreement made at its gateway; the one that is approved has won."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, insert, or_, select, update

from avtale.domain.gateway import GatewayName
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.many import is_any

_INSERT = insert(t.drafts)
_UPDATE = update(t.drafts).where(
    t.drafts.c.tenant_id == bindparam("this_tenant"), t.drafts.c.id == bindparam("this_id")
)


@dataclass(frozen=True, slots=True)
class Draft:
    """One attempt to have an agreement drafted; `order_id` is its initial charge's at the gateway."""

    id: UUID
    agreement_id: UUID
    order_id: UUID
    status: str
    gateway_agreement_id: str | None
    confirmation_url: str | None
    expires_at: datetime
    gateway: GatewayName = GatewayName.VIPPS


async def insert_draft(tx: Transaction, draft: Draft) -> None:
    """Write a new draft."""
    await insert_drafts(tx, [draft])


async def insert_drafts(tx: Transaction, drafts: Sequence[Draft]) -> None:
    """Write new drafts."""
    if drafts:
        names = Draft.__dataclass_fields__
        rows = [{"tenant_id": tx.tenant_id} | {name: getattr(draft, name) for name in names} for draft in drafts]
        await tx.conn.execute(_INSERT, rows)


async def update_draft(tx: Transaction, draft_id: UUID, **values: object) -> None:
    """Change columns of a draft."""
    await tx.conn.execute(_UPDATE, {"this_tenant": tx.tenant_id, "this_id": draft_id, **values})


async def drafts_of(tx: Transaction, agreement_ids: Collection[UUID]) -> list[Draft]:
    """The drafts of these agreements, oldest first (their ids are in order of time)."""
    return await _drafts(tx, select(t.drafts).where(is_any(t.drafts.c.agreement_id, agreement_ids)))


async def won_drafts(tx: Transaction, agreement_ids: Collection[UUID]) -> dict[UUID, Draft]:
    """By agreement: the draft that became it. One that nobody has approved has none."""
    won = select(t.drafts).where(is_any(t.drafts.c.agreement_id, agreement_ids), t.drafts.c.status == "won")
    return {draft.agreement_id: draft for draft in await _drafts(tx, won)}


async def get_drafts(tx: Transaction, ids: Collection[UUID]) -> list[Draft]:
    """Drafts by their ids."""
    return await _drafts(tx, select(t.drafts).where(is_any(t.drafts.c.id, ids)))


async def find_drafts(tx: Transaction, gateway_ids: Iterable[str], ids: Iterable[UUID]) -> list[Draft]:
    """Drafts by the gateway's agreement id or by our own id, which the gateway calls external id."""
    c = t.drafts.c
    wanted = or_(c.gateway_agreement_id.in_(sorted(gateway_ids)), c.id.in_(sorted(ids)))
    return await _drafts(tx, select(t.drafts).where(wanted))


async def drafts_of_orders(tx: Transaction, order_ids: Collection[UUID]) -> list[Draft]:
    """Drafts by the order ids of their initial charges."""
    return await _drafts(tx, select(t.drafts).where(is_any(t.drafts.c.order_id, order_ids)))


async def known_at_gateway(tx: Transaction, gateway_ids: Collection[str]) -> dict[str, UUID]:
    """Which of these agreements of the gateway are ours already, and as which of our own."""
    c = t.drafts.c
    mine = (c.tenant_id == tx.tenant_id) & c.gateway_agreement_id.in_(sorted(gateway_ids))
    rows = await tx.conn.execute(select(c.gateway_agreement_id, c.agreement_id).where(mine))
    return {row.gateway_agreement_id: row.agreement_id for row in rows}


async def _drafts(tx: Transaction, statement: Select[Any]) -> list[Draft]:
    rows = await tx.conn.execute(statement.where(t.drafts.c.tenant_id == tx.tenant_id).order_by(t.drafts.c.id))
    drafts = [Draft(**{n: getattr(row, n) for n in Draft.__dataclass_fields__}) for row in rows]
    return [replace(draft, gateway=GatewayName(draft.gateway)) for draft in drafts]
