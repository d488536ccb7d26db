"""Start a checkout at Stripe: one subscription for one wish, whatever is repeated or lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.errors import Conflict, Invalid
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import Confirmation, ObservedPrice
from avtale.domain.outcome import Outcome
from avtale.domain.ports import BillingGateway, Gateways
from avtale.domain.purchase import PurchaseTerms
from avtale.domain.wishes import RepeatedPrice, SubscriptionWish
from avtale.service.checking import read_now
from avtale.service.checkout import Person, new_agreement
from avtale.service.confirming import SENDINGS_COUNT_MAX, confirmation
from avtale.service.customers import answered, ensure_customer, keep_method
from avtale.service.ids import new_id
from avtale.service.repeating import first_use
from avtale.service.sending import lease_seconds
from avtale.service.vouching import take_voucher, voucher_terms
from avtale.storage import agreements, calls, checks, drafts, locks, stripe_accounts, tenants
from avtale.storage.calls import Call, CallKind
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Transaction
from avtale.storage.drafts import Draft
from avtale.storage.tenants import Tenant

#: A subscription whose first invoice is not paid in this time expires (Stripe, incomplete subscriptions).
INCOMPLETE_LIFE = timedelta(hours=23)
#: After this long we look what became of a subscription, if nobody has told us.
CHECK_AFTER = INCOMPLETE_LIFE + timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class StripeWish:
    """What a person wants to subscribe to; the address and the name are for Stripe's receipts and reminders.

    `consents`: the person asks that it begins within the time in which they may withdraw.
    """

    product_id: str
    payment_method_id: str | None = None
    email: str | None = None
    name: str | None = None
    consents: bool = False
    voucher: str | None = None


@dataclass(frozen=True, slots=True)
class StripeCheckout:
    """A subscription that waits for its payer's browser: it confirms a `payment`, or a `setup` where nothing is due
    yet, with the secret and the account's publishable key."""

    agreement_id: UUID
    client_secret: str
    confirms: str
    publishable_key: str
    expires_at: datetime


async def start_subscription(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person,
    wish: StripeWish,
    idempotency_key: str | None = None,
) -> StripeCheckout:
    """Make a subscription, or answer the one that this wish has already made.

    Raises Invalid (`product_unknown`, `voucher_unknown`, `voucher_over`, `voucher_unsuited`), Conflict (`voucher_used`,
    `stripe_not_configured`, `stripe_price_missing`, `stripe_price_differs`, `agreement_active`, `checkout_ended`,
    `idempotency_conflict`, `payment_method_refused`), GatewayRefused, GatewayBusy, and GatewayUnknown (with
    `agreement_id`) when Stripe does not answer: the same call is then made until it does, and a repeated checkout takes
    up where this one ended.
    """
    stripe = await gateways.stripe(tenant.id)
    async with db.tenant(tenant.id) as tx:
        terms = await tenants.get_product(tx, wish.product_id)
        price_name = (await tenants.stripe_prices(tx)).get(wish.product_id)
    if not isinstance(terms, Terms):
        raise Invalid(f"there is no subscription {wish.product_id!r} on sale", code="product_unknown")
    async with db.tenant(tenant.id) as tx:
        terms = await voucher_terms(tx, tenant, terms, wish.voucher)
        _check_campaign(stripe, terms)
        agreement, is_new = await _agreement_for(tx, person, terms, wish, idempotency_key)
        draft = None if is_new else await _live_draft(tx, agreement)
    call: Call | None = None
    if draft is None:
        price = await observed_price(stripe, terms, price_name)
        customer = await ensure_customer(db, stripe, tenant, person, wish.email, wish.name)
        method_id = wish.payment_method_id and await keep_method(stripe, customer, wish.payment_method_id)
        async with db.tenant(tenant.id) as tx:
            # What another checkout did meanwhile is seen now, under the lock that both take.
            agreement, is_new = await _agreement_for(tx, person, terms, wish, idempotency_key)
            if is_new:
                await agreements.insert_agreement(tx, agreement)
            draft, call = await _write_draft(tx, gateways, stripe, agreement, customer.customer_id, price, method_id)
    made = await _confirmation(db, gateways, stripe, tenant, draft, call)
    confirmation = answered(made, "make the subscription", agreement_id=str(agreement.id))
    if confirmation.client_secret is None or confirmation.kind is None:
        await _ended(db, stripe, tenant, replace(draft, gateway_agreement_id=confirmation.gateway_id))
        raise Conflict(
            "there is nothing left to confirm: ask for the agreement's status",
            code="checkout_ended",
            agreement_id=str(agreement.id),
        )
    return StripeCheckout(
        agreement.id, confirmation.client_secret, confirmation.kind, stripe.publishable_key, draft.expires_at
    )


async def is_at_stripe(db: Database, tenant: Tenant, terms: Terms | PurchaseTerms) -> bool:
    """Whether a product is sold at Stripe: a subscription needs a price there, a single purchase only the account."""
    async with db.tenant(tenant.id) as tx:
        if await stripe_accounts.get_account(tx) is None:
            return False
        return isinstance(terms, PurchaseTerms) or terms.product_id in await tenants.stripe_prices(tx)


async def _agreement_for(
    tx: Transaction, person: Person, terms: Terms, wish: StripeWish, idempotency_key: str | None
) -> tuple[Agreement, bool]:
    """The pending agreement for this wish, and whether it is a new one, to be written yet."""
    await locks.lock_person_and_product(tx, person.issuer, person.subject, wish.product_id)
    new = new_agreement(tx, person, terms, GatewayName.STRIPE, INCOMPLETE_LIFE)
    new = replace(new, consented_at=tx.now if wish.consents else None)
    first = await first_use(tx, person, "checkout", idempotency_key, wish, new.id)
    existing = await agreements.agreements_of(tx, person.issuer, person.subject, product_id=wish.product_id, lock=True)
    active = next((a for a in existing if a.status is AgreementStatus.ACTIVE), None)
    if active is not None:
        detail = "there is an active agreement for this product already"
        raise Conflict(detail, code="agreement_active", agreement_id=str(active.id))
    mine = [a for a in existing if a.gateway is GatewayName.STRIPE]
    repeated = next((a for a in mine if a.id == first), None)
    if repeated is not None and not _still_open(tx, repeated):
        detail = f"this checkout has ended: its agreement is {repeated.status.value}"
        raise Conflict(detail, code="checkout_ended", agreement_id=str(repeated.id))
    open_ones = (a for a in reversed(mine) if a.terms == terms and _still_open(tx, a))
    same = (a for a in open_ones if (a.consented_at is not None) == wish.consents)
    agreement = repeated or next(same, None)
    if agreement is not None:
        return agreement, False
    return await take_voucher(tx, replace(new, id=first), wish.voucher), True


def _check_campaign(stripe: BillingGateway, terms: Terms) -> None:
    """Raise Invalid (`voucher_unsuited`) for a price that Stripe does not take; free days are a trial there."""
    least = stripe.amount_min(terms.price.currency)
    if terms.campaign is not None and terms.campaign.length is None and terms.campaign.price < least:
        detail = "the price of this voucher is less than Stripe takes"
        raise Invalid(detail, code="voucher_unsuited")


def _still_open(tx: Transaction, agreement: Agreement) -> bool:
    is_pending = agreement.status is AgreementStatus.PENDING
    return is_pending and agreement.expires_at is not None and agreement.expires_at > tx.now


async def _live_draft(tx: Transaction, agreement: Agreement) -> Draft | None:
    """The draft that this agreement's subscription came of, or may yet come of."""
    its_drafts = await drafts.drafts_of(tx, [agreement.id])
    return next((d for d in reversed(its_drafts) if d.status in ("written", "unknown", "drafted", "won")), None)


async def _write_draft(
    tx: Transaction,
    gateways: Gateways,
    stripe: BillingGateway,
    agreement: Agreement,
    customer_id: str,
    price: ObservedPrice,
    payment_method_id: str | None,
) -> tuple[Draft, Call | None]:
    """Write the attempt to make the subscription, or find the one that a checkout at the same time has written."""
    await agreements.lock_agreements(tx, [agreement.id])
    written = await _live_draft(tx, agreement)
    if written is not None:
        return written, None
    draft = Draft(
        id=new_id(),
        agreement_id=agreement.id,
        order_id=new_id(),
        status="written",
        gateway_agreement_id=None,
        confirmation_url=None,
        expires_at=tx.now + INCOMPLETE_LIFE,
        gateway=GatewayName.STRIPE,
    )
    terms, first = agreement.terms, agreement.terms.first_price
    free = terms.campaign.length if terms.campaign is not None else None
    subscription = SubscriptionWish(
        draft_id=draft.id,
        reference=agreement.id,
        customer_id=customer_id,
        price_id=price.price_id,
        first_price=RepeatedPrice(price.product_id, first, terms.interval)
        if first != terms.price and not free
        else None,
        free_days=free.count if free is not None else None,
        description=agreement.terms.name,
        payment_method_id=payment_method_id,
    )
    call = Call(stripe.write_subscription(subscription), CallKind.SUBSCRIPTION, draft.id)
    await drafts.insert_draft(tx, draft)
    await calls.write_calls(tx, [call], lease_seconds(gateways, SENDINGS_COUNT_MAX))
    await checks.ask(tx, CheckKind.DRAFT, [draft.id], tx.now + CHECK_AFTER)
    return draft, call


async def _confirmation(
    db: Database, gateways: Gateways, stripe: BillingGateway, tenant: Tenant, draft: Draft, call: Call | None
) -> Outcome[Confirmation]:
    async def made(tx: Transaction) -> str | None:
        (found,) = await drafts.get_drafts(tx, [draft.id])
        return found.gateway_agreement_id

    return await confirmation(db, gateways, stripe, tenant, draft.id, call, made)


async def _ended(db: Database, stripe: BillingGateway, tenant: Tenant, draft: Draft) -> None:
    """Whatever became of the subscription meanwhile is read now: its person is looking."""
    await read_now(db, stripe, tenant, draft)


async def price_at_stripe(stripe: BillingGateway, terms: Terms, name: str | None) -> str:
    """The id of the price at Stripe, which must say the same as our catalogue: that is what the person is told.

    Raises Conflict (`stripe_price_missing`, `stripe_price_differs`), GatewayRefused, GatewayBusy and GatewayUnknown.
    """
    return (await observed_price(stripe, terms, name)).price_id


async def observed_price(stripe: BillingGateway, terms: Terms, name: str | None) -> ObservedPrice:
    """As price_at_stripe, with all that Stripe says of it."""
    if name is None:
        raise Conflict(f"the product {terms.product_id!r} has no price at Stripe", code="stripe_price_missing")
    price = answered(await stripe.find_price(name), "read the price")
    if price is None or not price.active:
        raise Conflict(f"there is no price {name} on sale at Stripe", code="stripe_price_missing")
    if differs(price, terms):
        raise Conflict(
            f"the price {name} at Stripe is not what {terms.product_id!r} costs", code="stripe_price_differs"
        )
    return price


def differs(price: ObservedPrice, terms: Terms) -> bool:
    """Whether a price at Stripe is another sum, or for another period, than our terms."""
    return price.amount != terms.price or price.interval != terms.interval
