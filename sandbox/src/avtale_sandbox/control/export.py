"""Everything that happened to everybody's money, in one document for audits."""

from __future__ import annotations

from typing import Any

from ..instants import iso
from ..stripe.export import export as stripe_export
from ..vipps.epayment.resources import Payment
from ..vipps.recurring.resources import Agreement, Charge
from ..world import World


def export(world: World) -> dict[str, Any]:
    """All agreements and single payments of all merchants with their history, and all of Stripe; minor units."""
    shelf = world.recurring.shelf
    return {
        "version": 1,
        "now": iso(world.clock.now()),
        "agreements": [_agreement(agreement, shelf.charges_of(agreement.id)) for agreement in shelf.all_agreements()],
        "payments": [_payment(payment) for payment in world.payments.shelf.all()],
        "stripe": stripe_export(world.stripe.books),
    }


def _agreement(agreement: Agreement, charges: list[Charge]) -> dict[str, Any]:
    return {
        "merchantSerialNumber": agreement.msn,
        "agreementId": agreement.id,
        "externalId": agreement.external_id,
        "phoneNumber": agreement.person or agreement.phone_number,
        "status": agreement.status,
        "created": iso(agreement.created),
        "start": None if agreement.start is None else iso(agreement.start),
        "stop": None if agreement.stop is None else iso(agreement.stop),
        "charges": [_charge(charge) for charge in charges],
    }


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "chargeId": charge.id,
        "externalId": charge.external_id,
        "type": charge.type,
        "due": charge.due,
        "amount": charge.amount,
        "currency": charge.currency,
        "status": charge.status,
        "captured": charge.captured,
        "refunded": charge.refunded,
        "cancelled": charge.cancelled,
        "failureReason": charge.failure_reason,
        "tries": [{"at": iso(one.at), "ok": one.reason is None, "reason": one.reason} for one in charge.tries],
        "history": [
            {
                "event": line.event,
                "amount": line.amount,
                "occurred": iso(line.at),
                "success": line.success,
            }
            for line in charge.history
        ],
    }


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "merchantSerialNumber": payment.msn,
        "reference": payment.reference,
        "pspReference": payment.psp,
        "phoneNumber": payment.person or payment.ask.customer,
        "state": payment.state,
        "created": iso(payment.created),
        "expires": iso(payment.expires),
        "amount": payment.amount,
        "currency": payment.currency,
        "authorized": payment.authorized,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "cancelled": payment.cancelled,
        "history": [
            {
                "event": event.name,
                "pspReference": event.psp,
                "amount": event.amount,
                "occurred": iso(event.at),
                "success": True,
            }
            for event in payment.log
        ],
    }
