"""Rows of Stripe accounts, of the routes to their tenants, and of the customers that people are at them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class StripeAccount:
    """A tenant's access to Stripe; key and webhook secrets (one a line) are sealed."""

    account_id: str
    base_url: str
    secret_key_sealed: bytes
    webhook_secrets_sealed: bytes | None
    publishable_key: str
    livemode: bool
    connected: bool


@dataclass(frozen=True, slots=True)
class StripeCustomer:
    """Who a person is at an account; `id` is the key of the call that makes the customer."""

    id: UUID
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """Somebody whom an earlier system made a customer; `id` is new."""

    id: UUID
    issuer: str
    subject: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class Lease:
    """A customer's wallet, taken until an instant of wall time; of nobody where there is no such customer."""

    customer: UUID | None
    until: datetime


async def save_account(tx: Transaction, account: StripeAccount | None) -> None:
    """Write the tenant's access to Stripe, or take it away."""
    c = t.stripe_accounts.c
    if account is None:
        await tx.conn.execute(delete(t.stripe_accounts).where(c.tenant_id == tx.tenant_id))
        return
    values = {name: getattr(account, name) for name in StripeAccount.__dataclass_fields__}
    await tx.conn.execute(
        insert(t.stripe_accounts)
        .values(tenant_id=tx.tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )


async def get_account(tx: Transaction) -> StripeAccount | None:
    """The tenant's access to Stripe, if it has one."""
    row = (
        await tx.conn.execute(select(t.stripe_accounts).where(t.stripe_accounts.c.tenant_id == tx.tenant_id))
    ).first()
    if row is None:
        return None
    sealed = row.webhook_secrets_sealed
    return StripeAccount(
        account_id=row.account_id,
        base_url=row.base_url,
        secret_key_sealed=bytes(row.secret_key_sealed),
        webhook_secrets_sealed=None if sealed is None else bytes(sealed),
        publishable_key=row.publishable_key,
        livemode=row.livemode,
        connected=row.connected,
    )


async def save_route(tx: Transaction, tenant_id: UUID, account_id: str | None) -> bool:
    """Let an account lead to this tenant and no other do; False if it leads to another one already."""
    c = t.stripe_routes.c
    kept = c.account_id != (account_id or "")
    await tx.conn.execute(delete(t.stripe_routes).where(c.tenant_id == tenant_id, kept))
    if account_id is None:
        return True
    await tx.conn.execute(
        insert(t.stripe_routes).values(account_id=account_id, tenant_id=tenant_id).on_conflict_do_nothing()
    )
    return await routed_tenant(tx, account_id) == tenant_id


async def routed_tenant(tx: Transaction, account_id: str) -> UUID | None:
    """Whose an account is; a routing look-up."""
    c = t.stripe_routes.c
    row = (await tx.conn.execute(select(c.tenant_id).where(c.account_id == account_id))).first()
    return None if row is None else row.tenant_id


async def routed_among(tx: Transaction, tenant_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these tenants have an account at Stripe; a routing look-up."""
    c = t.stripe_routes.c
    return {row.tenant_id for row in await tx.conn.execute(select(c.tenant_id).where(c.tenant_id.in_(tenant_ids)))}


async def intend_customer(tx: Transaction, account_id: str, issuer: str, subject: str, new: UUID) -> StripeCustomer:
    """Who a person is at an account; with the first question comes the key under which the customer is made."""
    c = t.stripe_customers.c
    names = {"tenant_id": tx.tenant_id, "account_id": account_id, "issuer": issuer, "subject": subject}
    await tx.conn.execute(insert(t.stripe_customers).values(id=new, **names).on_conflict_do_nothing())
    row = (await tx.conn.execute(select(c.id, c.customer_id).where(*(c[n] == v for n, v in names.items())))).one()
    return StripeCustomer(row.id, row.customer_id)


async def find_customer(tx: Transaction, account_id: str, issuer: str, subject: str) -> StripeCustomer | None:
    """Who a person is at an account, if anybody."""
    c = t.stripe_customers.c
    row = (
        await tx.conn.execute(
            select(c.id, c.customer_id).where(
                c.tenant_id == tx.tenant_id, c.account_id == account_id, c.issuer == issuer, c.subject == subject
            )
        )
    ).first()
    return None if row is None else StripeCustomer(row.id, row.customer_id)


async def lease_wallet(tx: Transaction, account_id: str, person: tuple[str, str], seconds_max: float) -> Lease | None:
    """Take what a person (issuer, subject) pays with for ourselves, for so long at most; None while another has it.

    Of somebody who is no customer there is nothing to take: the lease is of nothing.
    """
    c = t.stripe_customers.c
    mine = (c.tenant_id == tx.tenant_id) & (c.account_id == account_id)
    mine &= (c.issuer == person[0]) & (c.subject == person[1])
    row = (await tx.conn.execute(select(c.id, c.leased_wall).where(mine).with_for_update())).first()
    if row is None:
        return Lease(None, tx.wall)
    if row.leased_wall is not None and row.leased_wall > tx.wall:
        return None
    lease = Lease(row.id, tx.wall + timedelta(seconds=seconds_max))
    await tx.conn.execute(
        update(t.stripe_customers)
        .where(c.tenant_id == tx.tenant_id, c.id == lease.customer)
        .values(leased_wall=lease.until)
    )
    return lease


async def end_lease(tx: Transaction, lease: Lease) -> None:
    """Give a wallet back, unless another has it by now."""
    c = t.stripe_customers.c
    await tx.conn.execute(
        update(t.stripe_customers)
        .where(c.tenant_id == tx.tenant_id, c.id == lease.customer, c.leased_wall == lease.until)
        .values(leased_wall=None)
    )


async def name_customer(tx: Transaction, key: UUID, customer_id: str) -> None:
    """Keep what Stripe calls a customer."""
    c = t.stripe_customers.c
    await tx.conn.execute(
        update(t.stripe_customers).where(c.tenant_id == tx.tenant_id, c.id == key).values(customer_id=customer_id)
    )


async def know_customers(tx: Transaction, account_id: str, people: Collection[KnownCustomer]) -> None:
    """Keep who these people are at an account; whoever is known there already stays who they are."""
    if not people:
        return
    c = t.stripe_customers.c
    statement = insert(t.stripe_customers)
    await tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "account_id", "issuer", "subject"],
            set_={"customer_id": func.coalesce(c.customer_id, statement.excluded.customer_id)},
        ),
        [
            {"tenant_id": tx.tenant_id, "account_id": account_id}
            | {name: getattr(one, name) for name in KnownCustomer.__dataclass_fields__}
            for one in sorted(people, key=lambda one: (one.issuer, one.subject, one.customer_id))
        ],
    )


async def renew_customer(tx: Transaction, key: UUID, new: UUID) -> None:
    """Forget a customer that was deleted at Stripe: the next one is made under a new key."""
    c = t.stripe_customers.c
    await tx.conn.execute(
        update(t.stripe_customers).where(c.tenant_id == tx.tenant_id, c.id == key).values(id=new, customer_id=None)
    )
