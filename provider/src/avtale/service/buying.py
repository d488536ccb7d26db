"""Buy something once: one purchase for one wish, reserved at the gateway, whatever is repeated or lost on the way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.errors import Conflict, GatewayBusy, GatewayRefused, GatewayUnknown, Invalid
from avtale.domain.gateway import GatewayName
from avtale.domain.outcome import Outcome, Refused, Throttled
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways, PaymentGateway
from avtale.domain.purchase import Purchase, PurchaseStatus, PurchaseTerms
from avtale.domain.wishes import PaymentWish
from avtale.service.checkout import BoughtOnce, Checkout, CheckoutWish, Person, start_checkout, with_reference
from avtale.service.delivering import READ_AFTER_EXPIRY
from avtale.service.ids import new_id
from avtale.service.sending import lease_seconds, send_written
from avtale.storage import calls, charges, checks, entitlements, idempotency, locks, purchases, tenants
from avtale.storage.calls import Call, CallKind
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: A payment that is not approved in this time expires (Vipps ePayment, default of all flows).
PAYMENT_LIFE = timedelta(minutes=10)
#: A repeated checkout answers the purchase that is there for this long: its address must be opened within five
#: minutes (Vipps ePayment, time-outs), of which two are left to the person.
OFFERED_AGAIN_FOR = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class PurchaseCheckout:
    """A purchase that waits for the person at `confirmation_url` until `expires_at`."""

    purchase_id: UUID
    confirmation_url: str
    expires_at: datetime


async def check_out(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person,
    wish: CheckoutWish,
    idempotency_key: str | None = None,
) -> Checkout | PurchaseCheckout:
    """Start whatever the product is: an agreement, or a purchase. Raises as start_checkout and start_purchase do."""
    try:
        return await start_checkout(db, gateways, tenant, person, wish, idempotency_key)
    except BoughtOnce:
        return await start_purchase(db, gateways, tenant, person, wish, idempotency_key)


async def start_purchase(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person,
    wish: CheckoutWish,
    idempotency_key: str | None = None,
) -> PurchaseCheckout:
    """Make a payment for a product that is bought once, or answer the one that this wish has already made.

    Raises Invalid (`product_unknown`, `campaign_unknown`), Conflict (`purchase_active`, `checkout_ended`,
    `idempotency_conflict`), GatewayRefused, GatewayBusy, and GatewayUnknown (with `purchase_id`, which can be polled)
    when the gateway does not answer: the same payment is then asked for until it does.
    """
    payments = await gateways.payments(tenant.id)
    async with db.tenant(tenant.id) as tx:
        purchase, call = await _purchase_for(tx, tenant, payments, person, wish, idempotency_key)
        if call is not None and call.sends == 1:
            await calls.write_calls(tx, [call], lease_seconds(gateways, 1))
    outcome: Outcome[object] | None = None
    if call is not None:
        ((_, outcome),) = await send_written(db, gateways, tenant, [call])
        async with db.tenant(tenant.id) as tx:
            purchase = await purchases.get_purchase(tx, purchase.id) or purchase
    if purchase.confirmation_url is not None:
        return PurchaseCheckout(purchase.id, purchase.confirmation_url, purchase.expires_at)
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"Vipps refused the payment: {outcome.detail}", reason=outcome.code)
    if isinstance(outcome, Throttled):
        raise GatewayBusy("Vipps asks us to wait; try again", outcome.retry_after_seconds)
    raise GatewayUnknown(
        "Vipps did not answer; ask for the purchase's status, or start the checkout again",
        purchase_id=str(purchase.id),
    )


async def _purchase_for(
    tx: Transaction,
    tenant: Tenant,
    payments: PaymentGateway,
    person: Person,
    wish: CheckoutWish,
    idempotency_key: str | None,
) -> tuple[Purchase, Call | None]:
    """The pending purchase for this wish, new or found, and the call that is still to be answered for it."""
    terms = await tenants.get_product(tx, wish.product_id)
    if not isinstance(terms, PurchaseTerms):
        raise Invalid(f"there is no product {wish.product_id!r} that is bought once", code="product_unknown")
    if wish.campaign is not None:
        raise Invalid("what is bought once has no campaigns", code="campaign_unknown")
    if wish.voucher is not None:
        raise Invalid("what is bought once has no vouchers", code="voucher_unknown")
    await locks.lock_person_and_product(tx, person.issuer, person.subject, wish.product_id)
    new = new_purchase(tx, person, terms)
    first_use = new.id
    if idempotency_key is not None:
        digest = hashlib.sha256(repr(wish).encode()).digest()
        stored, first_use = await idempotency.remember(
            tx, person.issuer, person.subject, "checkout", idempotency_key, digest, new.id
        )
        if stored != digest:
            raise Conflict("this Idempotency-Key was used for another request", code="idempotency_conflict")
    existing = await purchases.purchases_of(tx, person.issuer, person.subject, product_id=wish.product_id, lock=True)
    await refuse_owned(tx, existing)
    existing = [purchase for purchase in existing if purchase.gateway == GatewayName.VIPPS]
    repeated = next((p for p in existing if p.id == first_use), None)
    if repeated is not None and not still_open(tx, repeated):
        raise Conflict(
            f"this checkout has ended: its purchase is {repeated.status.value}",
            code="checkout_ended",
            purchase_id=str(repeated.id),
        )
    fresh = (p for p in reversed(existing) if still_open(tx, p) and tx.now <= p.created_at + OFFERED_AGAIN_FOR)
    same = (p for p in fresh if p.terms == terms)
    purchase = repeated or next(same, None)
    if purchase is None:
        return new, await _write_payment(tx, tenant, payments, new, wish)
    if purchase.confirmation_url is not None:
        return purchase, None
    charge = (await charges.charges_of_purchases(tx, [purchase.id]))[purchase.id]
    (attempt,) = await charges.attempts_of(tx, [charge.id])
    return purchase, await calls.get_call(tx, attempt.id)


async def refuse_owned(tx: Transaction, existing: list[Purchase]) -> None:
    """Raise Conflict (`purchase_active`) where one of these gives access already."""
    access = await entitlements.entitlements_of(tx, [purchase.id for purchase in existing])
    for owned in access.values():
        if owned.access_until > tx.now:
            raise Conflict(
                "this person has bought this product already, and still has access",
                code="purchase_active",
                purchase_id=str(owned.purchase_id),
            )


def still_open(tx: Transaction, purchase: Purchase) -> bool:
    """Whether its person can still approve a purchase."""
    return purchase.status is PurchaseStatus.PENDING and purchase.expires_at > tx.now


def new_purchase(
    tx: Transaction,
    person: Person,
    terms: PurchaseTerms,
    gateway: GatewayName = GatewayName.VIPPS,
    life: timedelta = PAYMENT_LIFE,
) -> Purchase:
    """A pending purchase, not written yet; its person has `life` to approve it."""
    return Purchase(
        id=new_id(),
        issuer=person.issuer,
        subject=person.subject,
        gateway=gateway,
        terms=terms,
        status=PurchaseStatus.PENDING,
        confirmation_url=None,
        created_at=tx.now,
        expires_at=tx.now + life,
        granted_at=None,
        end_reason=None,
        version=1,
    )


async def _write_payment(
    tx: Transaction, tenant: Tenant, payments: PaymentGateway, purchase: Purchase, wish: CheckoutWish
) -> Call:
    """Write the purchase with its charge, its one attempt and the call that makes the payment."""
    charge = charge_of(purchase, local_date(tx.now, tenant.zone))
    attempt = Attempt(new_id(), charge.id, AttemptStatus.WRITTEN, Totals(), None)
    payment = PaymentWish(
        order_id=attempt.id,
        amount=purchase.terms.price,
        description=purchase.terms.name,
        return_url=with_reference(wish.return_url, "purchaseId", purchase.id),
        phone_number=wish.phone_number,
    )
    try:
        request = payments.write_payment(payment)
    except ValueError as error:
        raise Invalid(f"Vipps would not take this: {error}") from error
    await purchases.insert_purchase(tx, purchase)
    await charges.insert_charges(tx, [charge])
    await charges.insert_attempts(tx, [attempt])
    await checks.ask(tx, CheckKind.ATTEMPT, [attempt.id], purchase.expires_at + READ_AFTER_EXPIRY)
    return Call(request, CallKind.PAYMENT, attempt.id)


def charge_of(purchase: Purchase, today: date) -> Charge:
    """What is owed for a purchase: its days are those of access as it was sold."""
    return Charge(
        id=new_id(),
        agreement_id=None,
        purchase_id=purchase.id,
        kind=ChargeKind.PURCHASE,
        period=None,
        period_start=today,
        period_end=today + timedelta(days=purchase.terms.access_days),
        due=today,
        price=purchase.terms.price,
        vat_basis_points=purchase.terms.vat_basis_points,
        status=ChargeStatus.OPEN,
        totals=Totals(),
        failure_reason=None,
        version=1,
    )
