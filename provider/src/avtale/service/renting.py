"""Buy something once at Stripe: one payment intent for one wish, whatever is repeated or lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from avtale.domain.charge import Attempt, AttemptStatus, Totals
from avtale.domain.errors import Conflict, Invalid
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import Confirmation
from avtale.domain.outcome import Outcome
from avtale.domain.periods import local_date
from avtale.domain.ports import BillingGateway, Gateways
from avtale.domain.purchase import Purchase, PurchaseTerms
from avtale.domain.wishes import IntentWish
from avtale.service.buying import charge_of, new_purchase, refuse_owned, still_open
from avtale.service.checkout import Person
from avtale.service.confirming import SENDINGS_COUNT_MAX, confirmation
from avtale.service.customers import answered, ensure_customer
from avtale.service.delivering import READ_AFTER_EXPIRY
from avtale.service.ids import new_id
from avtale.service.repeating import first_use
from avtale.service.sending import lease_seconds
from avtale.service.subscribing import StripeWish
from avtale.storage import calls, charges, checks, locks, purchases, tenants
from avtale.storage.calls import Call, CallKind
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: A payment intent lives for ever: one that nobody confirms in this time is cancelled by us.
INTENT_LIFE = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class StripePurchase:
    """A purchase that waits for its payer's browser to confirm the payment."""

    purchase_id: UUID
    client_secret: str
    publishable_key: str
    expires_at: datetime


async def start_payment(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person,
    wish: StripeWish,
    idempotency_key: str | None = None,
) -> StripePurchase:
    """Make a payment intent for a product that is bought once, or answer the one that this wish has already made.

    Raises Invalid (`product_unknown`), Conflict (`stripe_not_configured`, `purchase_active`, `checkout_ended`,
    `idempotency_conflict`), GatewayRefused, GatewayBusy, and GatewayUnknown (with `purchase_id`).
    """
    stripe = await gateways.stripe(tenant.id)
    async with db.tenant(tenant.id) as tx:
        terms = await tenants.get_product(tx, wish.product_id)
    if not isinstance(terms, PurchaseTerms):
        raise Invalid(f"there is no product {wish.product_id!r} that is bought once", code="product_unknown")
    async with db.tenant(tenant.id) as tx:
        purchase, is_new = await _purchase_for(tx, person, terms, wish, idempotency_key)
    call: Call | None = None
    if is_new:
        customer = await ensure_customer(db, stripe, tenant, person, wish.email, wish.name)
        async with db.tenant(tenant.id) as tx:
            # What another checkout did meanwhile is seen now, under the lock that both take.
            purchase, is_new = await _purchase_for(tx, person, terms, wish, idempotency_key)
            if is_new:
                call = await _write_intent(tx, tenant, gateways, stripe, purchase, customer.customer_id)
    made = await _confirmation(db, gateways, stripe, tenant, purchase, call)
    confirmation = answered(made, "make the payment", purchase_id=str(purchase.id))
    if confirmation.client_secret is None:
        detail = "there is nothing left to confirm: ask for the purchase's status"
        raise Conflict(detail, code="checkout_ended", purchase_id=str(purchase.id))
    return StripePurchase(purchase.id, confirmation.client_secret, stripe.publishable_key, purchase.expires_at)


async def _purchase_for(
    tx: Transaction, person: Person, terms: PurchaseTerms, wish: StripeWish, idempotency_key: str | None
) -> tuple[Purchase, bool]:
    """The pending purchase for this wish, and whether it is a new one, to be written yet."""
    await locks.lock_person_and_product(tx, person.issuer, person.subject, wish.product_id)
    new = new_purchase(tx, person, terms, GatewayName.STRIPE, INTENT_LIFE)
    first = await first_use(tx, person, "checkout", idempotency_key, wish, new.id)
    existing = await purchases.purchases_of(tx, person.issuer, person.subject, product_id=wish.product_id, lock=True)
    await refuse_owned(tx, existing)
    mine = [purchase for purchase in existing if purchase.gateway == GatewayName.STRIPE]
    repeated = next((p for p in mine if p.id == first), None)
    if repeated is not None and not still_open(tx, repeated):
        detail = f"this checkout has ended: its purchase is {repeated.status.value}"
        raise Conflict(detail, code="checkout_ended", purchase_id=str(repeated.id))
    same = (p for p in reversed(mine) if p.terms == terms and still_open(tx, p))
    purchase = repeated or next(same, None)
    return (purchase, False) if purchase is not None else (replace(new, id=first), True)


async def _write_intent(
    tx: Transaction,
    tenant: Tenant,
    gateways: Gateways,
    stripe: BillingGateway,
    purchase: Purchase,
    customer_id: str,
) -> Call:
    """Write the purchase with its charge, its one attempt and the call that makes the payment intent."""
    charge = charge_of(purchase, local_date(tx.now, tenant.zone))
    attempt = Attempt(new_id(), charge.id, AttemptStatus.WRITTEN, Totals(), None, GatewayName.STRIPE)
    wish = IntentWish(attempt.id, purchase.id, customer_id, purchase.terms.price, purchase.terms.name)
    call = Call(stripe.write_intent(wish), CallKind.PAYMENT, attempt.id)
    await purchases.insert_purchase(tx, purchase)
    await charges.insert_charges(tx, [charge])
    await charges.insert_attempts(tx, [attempt])
    await calls.write_calls(tx, [call], lease_seconds(gateways, SENDINGS_COUNT_MAX))
    await checks.ask(tx, CheckKind.ATTEMPT, [attempt.id], purchase.expires_at + READ_AFTER_EXPIRY)
    return call


async def _confirmation(
    db: Database, gateways: Gateways, stripe: BillingGateway, tenant: Tenant, purchase: Purchase, call: Call | None
) -> Outcome[Confirmation]:
    async with db.tenant(tenant.id) as tx:
        charge = (await charges.charges_of_purchases(tx, [purchase.id]))[purchase.id]
        (attempt,) = await charges.attempts_of(tx, [charge.id])

    async def made(tx: Transaction) -> str | None:
        return (await charges.get_attempts(tx, [attempt.id]))[attempt.id].gateway_order_id

    return await confirmation(db, gateways, stripe, tenant, attempt.id, call, made)
