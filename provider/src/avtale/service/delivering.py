"""Deliver purchases: access is given when the money is reserved, and what is reserved is taken or given up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from avtale.domain.charge import Charge, ChargeStatus
from avtale.domain.ports import BillingGateway, PaymentGateway
from avtale.domain.purchase import (
    DUPLICATE,
    Purchase,
    PurchaseStatus,
    PurchaseVerb,
    purchase_access,
    read,
    step,
)
from avtale.domain.settlement import GatewayChargeState
from avtale.service.announcing import give_access
from avtale.service.ids import new_id
from avtale.storage import calls, charges, checks, entitlements, locks, purchases
from avtale.storage.calls import Call, CallKind
from avtale.storage.checks import CheckKind
from avtale.storage.database import Transaction
from avtale.storage.entitlements import Entitlement
from avtale.storage.tenants import Tenant

#: A purchase that waits for its person is read again this long after it must have ended, if nobody tells us.
READ_AFTER_EXPIRY = timedelta(minutes=1)
#: One whose money is being taken or given up is looked at again after this, if nobody tells us.
READ_UNDER_WAY_AFTER = timedelta(minutes=10)

_HOLDS_ACCESS = (PurchaseStatus.AUTHORIZED, PurchaseStatus.PAID)

Seen = tuple[Charge, UUID, str, GatewayChargeState]


async def lock_purchases(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Purchase]:
    """These purchases, locked in key order, after the locks that a checkout of the same goods takes first."""
    wanted = await purchases.get_purchases(tx, ids)
    for issuer, subject, product_id in sorted({(p.issuer, p.subject, p.terms.product_id) for p in wanted.values()}):
        await locks.lock_person_and_product(tx, issuer, subject, product_id)
    return await purchases.get_purchases(tx, ids, lock=True)


async def lock_purchases_of(tx: Transaction, attempt_ids: Collection[UUID]) -> dict[UUID, Purchase]:
    """The purchases of these attempts, by attempt, locked in key order; to be called before anything else is."""
    attempts = await charges.get_attempts(tx, attempt_ids) if attempt_ids else {}
    owed = await charges.get_charges(tx, {attempt.charge_id for attempt in attempts.values()})
    owners = {a.id: owed[a.charge_id].purchase_id for a in attempts.values()}
    locked = await purchases.get_purchases(tx, {owner for owner in owners.values() if owner}, lock=True)
    return {attempt_id: locked[owner] for attempt_id, owner in owners.items() if owner}


async def payment_created(tx: Transaction, purchase: Purchase, attempt_id: UUID, confirmation_url: str | None) -> None:
    """The payment is there, and its person can approve it."""
    if confirmation_url is not None:
        await purchases.save_purchases(tx, [replace(purchase, confirmation_url=confirmation_url)])
    await checks.ask(tx, CheckKind.ATTEMPT, [attempt_id], next_reading(purchase, tx.now))


async def payment_refused(tx: Transaction, purchase: Purchase, attempt_id: UUID, reason: str) -> None:
    """The gateway would not make the payment: the purchase is over, and nothing is owed."""
    attempt = (await charges.get_attempts(tx, [attempt_id]))[attempt_id]
    await charges.close_charge(tx, attempt.charge_id, ChargeStatus.CANCELLED, None)
    refused = replace(purchase, status=step(purchase.status, PurchaseVerb.REFUSE), end_reason=reason)
    await purchases.save_purchases(tx, [refused])


async def capture_refused(tx: Transaction, purchase: Purchase, reason: str) -> None:
    """The gateway would not take what is reserved: unless a reading says otherwise, it is given up."""
    if purchase.status is PurchaseStatus.AUTHORIZED:
        await purchases.save_purchases(tx, [replace(purchase, end_reason=f"capture refused: {reason}")])


async def follow(
    tx: Transaction,
    tenant: Tenant,
    payments: PaymentGateway | None,
    billing: BillingGateway | None,
    locked: Mapping[UUID, Purchase],
    seen: Sequence[Seen],
) -> dict[UUID, Purchase]:
    """Move locked purchases to where readings of their orders put them, with access and calls that this asks for.

    Each of `seen` is a purchase's charge as it is now, its attempt, the order's name and its state. Returns the
    purchases. With `billing` money is taken as soon as its payer confirms, and what nobody confirms is given up here;
    what was taken for something that its payer had already gives no access (`DUPLICATE`), and settling gives it back.
    """
    now = dict(locked)
    written: list[Call] = []
    for charge, attempt_id, order_id, state in seen:
        before = now.get(charge.owner_id)
        if before is None:
            continue
        after = replace(before, status=read(before.status, state))
        if after.status is PurchaseStatus.PAID and after.end_reason != DUPLICATE:
            twice = before.granted_at is None and await _has_access_otherwise(tx, after)
            after = replace(after, end_reason=DUPLICATE if twice else None)
        if after.status in _HOLDS_ACCESS and after.granted_at is None:
            after = replace(after, granted_at=tx.now)
        if billing is not None and after.status is PurchaseStatus.PENDING:
            after, call = _give_up(tx, billing, after, attempt_id, order_id)
            written += [call] if call else []
        if after.status is PurchaseStatus.AUTHORIZED:
            after, call = await _take_or_release(tx, payments, before, after, attempt_id)
            written += [call] if call else []
        now[after.id] = after
        await _give_access(tx, tenant, after, charge)
    await purchases.save_purchases(tx, [after for after in now.values() if after != locked[after.id]])
    await calls.write_calls(tx, written, lease_seconds_max=0)
    return now


def next_reading(purchase: Purchase, now: datetime) -> datetime:
    """When to look at a purchase's order again although nobody says that it changed."""
    if purchase.status is PurchaseStatus.PENDING:
        return max(purchase.expires_at, now) + READ_AFTER_EXPIRY
    return now + READ_UNDER_WAY_AFTER


def _give_up(
    tx: Transaction, billing: BillingGateway, purchase: Purchase, attempt_id: UUID, order_id: str
) -> tuple[Purchase, Call | None]:
    """A payment that nobody has confirmed in its time is cancelled: at Stripe it would wait for ever."""
    if purchase.expires_at > tx.now or purchase.end_reason is not None:
        return purchase, None
    call = Call(billing.write_release(new_id(), order_id), CallKind.PAYMENT_RELEASE, attempt_id)
    return replace(purchase, end_reason="expired"), call


async def _take_or_release(
    tx: Transaction, payments: PaymentGateway | None, before: Purchase, after: Purchase, attempt_id: UUID
) -> tuple[Purchase, Call | None]:
    """Newly reserved money is taken, as access is given now; what cannot be taken, or was bought already, is not."""
    if payments is None:
        raise RuntimeError("this gateway reserves nothing")
    if before.status is not PurchaseStatus.AUTHORIZED:
        if not await _has_access_otherwise(tx, after):
            request = payments.write_capture(new_id(), attempt_id, after.terms.price)
            return after, Call(request, CallKind.PAYMENT_CAPTURE, attempt_id)
        after = replace(after, end_reason=DUPLICATE)
    if after.end_reason is None:
        return after, None
    released = replace(after, status=step(after.status, PurchaseVerb.RELEASE))
    return released, Call(payments.write_release(new_id(), attempt_id), CallKind.PAYMENT_RELEASE, attempt_id)


async def _has_access_otherwise(tx: Transaction, purchase: Purchase) -> bool:
    """Whether another purchase of the same product gives this person access already."""
    mine = await purchases.purchases_of(tx, purchase.issuer, purchase.subject, product_id=purchase.terms.product_id)
    others = [other.id for other in mine if other.id != purchase.id]
    access = await entitlements.entitlements_of(tx, others)
    return any(one.access_until > tx.now for one in access.values())


async def _give_access(tx: Transaction, tenant: Tenant, purchase: Purchase, charge: Charge) -> None:
    until = purchase_access(purchase, charge.status, tenant.zone)
    if until is None:
        await give_access(tx, {purchase.id: purchase}, [])
        return
    access = Entitlement(
        agreement_id=None,
        purchase_id=purchase.id,
        issuer=purchase.issuer,
        subject=purchase.subject,
        product_id=purchase.terms.product_id,
        access_until=until,
    )
    await give_access(tx, {purchase.id: purchase}, [access])
