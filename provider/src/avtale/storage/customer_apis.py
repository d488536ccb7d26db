"""Rows of the customer API: what a tenant says of its own, and the agreements that people began to add through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Client:
    """An application that may send people to us, to which addresses we send them back, and how we name what we add."""

    client_id: str
    return_urls: tuple[str, ...]
    error_urls: tuple[str, ...]
    result_parameter: str
    transaction_parameter: str


@dataclass(frozen=True, slots=True)
class CustomerApi:
    """A tenant's customer API: the number that it has as a payment provider, and its clients."""

    payment_provider_id: int
    clients: tuple[Client, ...]

    def client(self, client_id: str) -> Client | None:
        """The client of an id."""
        return next((client for client in self.clients if client.client_id == client_id), None)


@dataclass(frozen=True, slots=True)
class Addition:
    """An agreement that somebody began to add. `claimed_wall` is when it was last being drafted; the client and its
    addresses are those of the first visit."""

    transaction_id: int
    issuer: str
    subject: str
    product_id: str
    landing: str
    created_wall: datetime
    client_id: str | None = None
    return_url: str | None = None
    error_url: str | None = None
    claimed_wall: datetime | None = None
    agreement_id: UUID | None = None
    confirmation_url: str | None = None
    confirm_until: datetime | None = None
    result: str | None = None


async def save_customer_api(tx: Transaction, api: CustomerApi | None) -> None:
    """Give the tenant this customer API, or none."""
    c = t.customer_apis.c
    if api is None:
        await tx.conn.execute(delete(t.customer_apis).where(c.tenant_id == tx.tenant_id))
        return
    values = {
        "payment_provider_id": api.payment_provider_id,
        "clients": [asdict(client) for client in api.clients],
    }
    await tx.conn.execute(
        insert(t.customer_apis)
        .values(tenant_id=tx.tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )


async def get_customer_api(tx: Transaction) -> CustomerApi | None:
    """The tenant's customer API, if it has one."""
    statement = select(t.customer_apis).where(t.customer_apis.c.tenant_id == tx.tenant_id)
    row = (await tx.conn.execute(statement)).first()
    return None if row is None else CustomerApi(row.payment_provider_id, tuple(_client(one) for one in row.clients))


async def insert_addition(tx: Transaction, addition: Addition) -> bool:
    """Add a row; False when its number is taken."""
    statement = insert(t.additions).values(tenant_id=tx.tenant_id, **asdict(addition))
    done = await tx.conn.execute(statement.on_conflict_do_nothing().returning(t.additions.c.transaction_id))
    return done.first() is not None


async def get_addition(tx: Transaction, transaction_id: int, *, lock: bool = False) -> Addition | None:
    """The addition of a transaction id."""
    statement = select(t.additions).where(
        t.additions.c.tenant_id == tx.tenant_id, t.additions.c.transaction_id == transaction_id
    )
    row = (await tx.conn.execute(statement.with_for_update() if lock else statement)).first()
    return None if row is None else _addition(row)


async def addition_at(tx: Transaction, landing: str) -> Addition | None:
    """The addition whose way back this is."""
    statement = select(t.additions).where(t.additions.c.tenant_id == tx.tenant_id, t.additions.c.landing == landing)
    row = (await tx.conn.execute(statement)).first()
    return None if row is None else _addition(row)


async def update_addition(tx: Transaction, transaction_id: int, **values: Any) -> None:
    """Write these columns of an addition."""
    c = t.additions.c
    await tx.conn.execute(
        update(t.additions).where(c.tenant_id == tx.tenant_id, c.transaction_id == transaction_id).values(**values)
    )


def _client(said: dict[str, Any]) -> Client:
    urls: dict[str, Sequence[str]] = {name: tuple(said[name]) for name in ("return_urls", "error_urls")}
    return Client(**{**said, **urls})


def _addition(row: Row[Any]) -> Addition:
    return Addition(**{name: getattr(row, name) for name in Addition.__dataclass_fields__})
