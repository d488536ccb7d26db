"""Who a person is at Stripe: one customer for each, made when first needed, and made once."""

from __future__ import annotations

from http import HTTPStatus

from avtale.domain.errors import Conflict, GatewayBusy, GatewayRefused, GatewayUnknown
from avtale.domain.observations import ObservedCustomer
from avtale.domain.outcome import Answered, Outcome, Refused, T, Throttled
from avtale.domain.ports import BillingGateway
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.storage import stripe_accounts
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant


async def ensure_customer(
    db: Database,
    stripe: BillingGateway,
    tenant: Tenant,
    person: Person,
    email: str | None = None,
    name: str | None = None,
) -> ObservedCustomer:
    """The person's customer, made now if there is none, with an address and a name where they are given.

    The key of the call that makes it is committed first, so that a lost answer makes no second one. A customer that
    was deleted in Stripe's dashboard is replaced. Raises GatewayRefused, GatewayBusy, GatewayUnknown.
    """
    async with db.tenant(tenant.id) as tx:
        known = await stripe_accounts.intend_customer(tx, stripe.account_id, person.issuer, person.subject, new_id())
    if known.customer_id is not None:
        told: Outcome[ObservedCustomer] | None = None
        if email is not None or name is not None:
            told = await stripe.update_customer(known.customer_id, email=email, name=name)
        if told is None or (isinstance(told, Refused) and told.status == HTTPStatus.NOT_FOUND):
            # One that was deleted cannot be changed, but still read.
            found = answered(await stripe.fetch_customer(known.customer_id), "read the customer")
        else:
            found = answered(told, "change the customer")
        if found is not None:
            return found
        async with db.tenant(tenant.id) as tx:
            await stripe_accounts.renew_customer(tx, known.id, new_id())
        return await ensure_customer(db, stripe, tenant, person, email, name)
    made = answered(
        await stripe.create_customer(known.id, (person.issuer, person.subject), email, name), "make the customer"
    )
    async with db.tenant(tenant.id) as tx:
        await stripe_accounts.name_customer(tx, known.id, made.customer_id)
    return made


async def keep_method(stripe: BillingGateway, customer: ObservedCustomer, payment_method_id: str) -> str:
    """Give the customer a payment method, and let it pay where nothing else is said; returns its id, which a test
    card has only now. Raises as ensure_customer, and Conflict (`payment_method_refused`) for one that cannot be
    theirs."""
    attached = await stripe.attach_payment_method(customer.customer_id, payment_method_id)
    if isinstance(attached, Refused) and attached.status in (400, 402, 404):
        detail = f"Stripe refused the payment method: {attached.detail}"
        raise Conflict(detail, code="payment_method_refused", reason=attached.code)
    method = answered(attached, "attach the payment method")
    if customer.default_payment_method_id != method.id:
        answered(await stripe.update_customer(customer.customer_id, default=method.id), "change the customer")
    return method.id


def answered(outcome: Outcome[T], wish: str, **facts: str) -> T:
    """What Stripe answered. Raises GatewayRefused, GatewayBusy, GatewayUnknown (with `facts`)."""
    if isinstance(outcome, Answered):
        return outcome.value
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"Stripe refused to {wish}: {outcome.detail}", reason=outcome.code)
    if isinstance(outcome, Throttled):
        raise GatewayBusy("Stripe asks us to wait; try again", outcome.retry_after_seconds)
    raise GatewayUnknown(f"Stripe did not answer when asked to {wish}; try again", **facts)
