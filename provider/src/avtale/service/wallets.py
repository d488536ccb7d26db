"""What a person pays with at Stripe: who they are there, their payment methods, and which of them is charged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from avtale.domain.agreement import AgreementStatus
from avtale.domain.errors import Conflict, NotFound
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import ObservedCustomer, PaymentMethod
from avtale.domain.ports import BillingGateway, Gateways
from avtale.service.checkout import Person
from avtale.service.customers import answered, ensure_customer
from avtale.storage import agreements, stripe_accounts
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant

#: The calls of a change besides one for each subscription: read the customer and the methods, change both.
CALLS_BESIDES = 4
LEASE_SECONDS_BESIDES = 10.0


@dataclass(frozen=True, slots=True)
class Wallet:
    """A customer and what they can pay with, the newest first."""

    customer: ObservedCustomer
    methods: tuple[PaymentMethod, ...]


async def get_customer(db: Database, gateways: Gateways, tenant: Tenant, person: Person) -> ObservedCustomer:
    """Who a person is at Stripe. Raises NotFound (`customer_not_found`), GatewayRefused, GatewayBusy and
    GatewayUnknown."""
    return await _customer(db, await gateways.stripe(tenant.id), tenant, person)


async def make_customer(
    db: Database, gateways: Gateways, tenant: Tenant, person: Person, email: str | None, name: str | None
) -> ObservedCustomer:
    """Make the customer that a person is, or answer the one that there is, with what is given. Raises as above."""
    return await ensure_customer(db, await gateways.stripe(tenant.id), tenant, person, email, name)


async def change_customer(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person,
    email: str | None,
    name: str | None,
    default: str | None,
) -> ObservedCustomer:
    """Change what is given; with `default` every agreement of theirs is paid with that method from now on.

    Raises NotFound (`customer_not_found`, `payment_method_not_found`), Conflict (`wallet_busy`), and as get_customer.
    """
    stripe = await gateways.stripe(tenant.id)
    async with _alone(db, gateways, tenant, stripe, person):
        customer = await _customer(db, stripe, tenant, person)
        if default is not None:
            await _own(stripe, customer, default)
        told = await stripe.update_customer(customer.customer_id, email=email, name=name, default=default)
        changed = answered(told, "change the customer")
        if default is not None:
            for subscription in await _subscriptions(db, tenant, person):
                answered(await stripe.pay_with(subscription, default), "change what pays")
        return changed


async def get_wallet(db: Database, gateways: Gateways, tenant: Tenant, person: Person) -> Wallet | None:
    """What a person can pay with; None for one who is no customer at Stripe."""
    stripe = await gateways.stripe(tenant.id)
    try:
        customer = await _customer(db, stripe, tenant, person)
    except NotFound:
        return None
    return await _wallet(stripe, customer)


async def remove_method(
    db: Database, gateways: Gateways, tenant: Tenant, person: Person, payment_method_id: str
) -> str | None:
    """Remove a payment method for good; returns the one that pays from now on where nothing else is said.

    While an agreement of theirs is active the last one stays (Conflict, `payment_method_needed`), and what was paid
    with the removed one is paid with the newest of the others. One change at a time (Conflict, `wallet_busy`), so
    that of two who remove the last two cards at once one keeps theirs. Raises NotFound (`payment_method_not_found`).
    """
    stripe = await gateways.stripe(tenant.id)
    async with _alone(db, gateways, tenant, stripe, person):
        return await _remove(db, stripe, tenant, person, payment_method_id)


async def _remove(
    db: Database, stripe: BillingGateway, tenant: Tenant, person: Person, payment_method_id: str
) -> str | None:
    try:
        customer = await _customer(db, stripe, tenant, person)
    except NotFound as unknown:
        raise _no_method(payment_method_id) from unknown
    methods = await _own(stripe, customer, payment_method_id)
    others = [method.id for method in methods if method.id != payment_method_id]
    subscriptions = await _subscriptions(db, tenant, person)
    if subscriptions and not others:
        detail = "an active agreement is paid with this, and there is no other: add one first, or stop the agreement"
        raise Conflict(detail, code="payment_method_needed")
    default = customer.default_payment_method_id
    if default not in others:
        default = others[0] if others else None
        if default is not None:
            answered(await stripe.update_customer(customer.customer_id, default=default), "change the customer")
    # First the new one, then the old one away: in between nobody is without.
    for subscription in subscriptions:
        if default is None:
            break
        answered(await stripe.pay_with(subscription, default, instead_of=payment_method_id), "change what pays")
    answered(await stripe.detach_payment_method(payment_method_id), "remove the payment method")
    return default


@asynccontextmanager
async def _alone(
    db: Database, gateways: Gateways, tenant: Tenant, stripe: BillingGateway, person: Person
) -> AsyncIterator[None]:
    """What a person pays with is ours alone, without a lock that is held across a call: whoever dies loses it in time.

    Raises Conflict (`wallet_busy`) while another change of it is under way.
    """
    count = CALLS_BESIDES + len(await _subscriptions(db, tenant, person))
    whose = (person.issuer, person.subject)
    async with db.tenant(tenant.id) as tx:
        seconds_max = gateways.call_seconds_max * count + LEASE_SECONDS_BESIDES
        lease = await stripe_accounts.lease_wallet(tx, stripe.account_id, whose, seconds_max)
    if lease is None:
        raise Conflict("what this person pays with is being changed already: try again", code="wallet_busy")
    try:
        yield
    finally:
        async with db.tenant(tenant.id) as tx:
            await stripe_accounts.end_lease(tx, lease)


async def _customer(db: Database, stripe: BillingGateway, tenant: Tenant, person: Person) -> ObservedCustomer:
    async with db.tenant(tenant.id) as tx:
        known = await stripe_accounts.find_customer(tx, stripe.account_id, person.issuer, person.subject)
    found = None
    if known is not None and known.customer_id is not None:
        found = answered(await stripe.fetch_customer(known.customer_id), "read the customer")
    if found is None:
        raise NotFound("this person is no customer at Stripe yet", code="customer_not_found")
    return found


async def _wallet(stripe: BillingGateway, customer: ObservedCustomer) -> Wallet:
    methods = answered(await stripe.list_payment_methods(customer.customer_id), "list the payment methods")
    return Wallet(customer, methods)


async def _own(stripe: BillingGateway, customer: ObservedCustomer, payment_method_id: str) -> tuple[PaymentMethod, ...]:
    """The person's methods, of which this must be one. Raises NotFound (`payment_method_not_found`)."""
    methods = (await _wallet(stripe, customer)).methods
    if all(method.id != payment_method_id for method in methods):
        raise _no_method(payment_method_id)
    return methods


def _no_method(payment_method_id: str) -> NotFound:
    return NotFound(f"this person has no payment method {payment_method_id[:60]}", code="payment_method_not_found")


async def _subscriptions(db: Database, tenant: Tenant, person: Person) -> list[str]:
    """The subscriptions at Stripe that a person's active agreements are."""
    async with db.tenant(tenant.id) as tx:
        mine = await agreements.agreements_of(tx, person.issuer, person.subject)
    active = [a for a in mine if a.gateway is GatewayName.STRIPE and a.status is AgreementStatus.ACTIVE]
    return [agreement.gateway_agreement_id for agreement in active if agreement.gateway_agreement_id]
