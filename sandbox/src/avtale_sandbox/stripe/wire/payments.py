"""Payment intents, setup intents, charges, refunds and disputes on the wire."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..cards import CARDS
from ..resources import Charge, Dispute, Intent, PaymentIntent, Refund, SetupIntent
from .customers import billing_details, fingerprint, shipping
from .shapes import shaped


def payment_intent(books: Books, row: PaymentIntent) -> dict[str, Any]:
    """Money that is to be taken."""
    return shaped(
        "payment_intent",
        id=row.id,
        created=row.created,
        amount=row.amount,
        amount_capturable=row.amount_capturable,
        amount_details=shaped("payment_intent.amount_details", tip={"amount": None}),
        amount_received=row.amount_received,
        allowed_payment_method_types=row.allowed_methods,
        automatic_payment_methods=_automatic(row),
        canceled_at=row.canceled_at,
        cancellation_reason=row.cancellation_reason,
        capture_method=row.capture_method,
        client_secret=row.client_secret,
        confirmation_method=row.confirmation_method,
        currency=row.currency,
        customer=row.customer,
        description=row.description,
        last_payment_error=row.error,
        latest_charge=row.latest_charge,
        metadata=row.metadata,
        next_action=_next_action(books, row),
        payment_method=row.payment_method,
        payment_method_options={"card": shaped("payment_intent.card_options", request_three_d_secure="automatic")},
        payment_method_types=["card"],
        receipt_email=row.receipt_email,
        setup_future_usage=row.setup_future_usage,
        shipping=shipping(row.shipping),
        statement_descriptor=row.statement_descriptor,
        statement_descriptor_suffix=row.statement_descriptor_suffix,
        status=row.status,
        transfer_group=row.transfer_group,
    )


def setup_intent(books: Books, row: SetupIntent) -> dict[str, Any]:
    """A card that is to be made ready."""
    return shaped(
        "setup_intent",
        id=row.id,
        created=row.created,
        allowed_payment_method_types=row.allowed_methods,
        automatic_payment_methods=_automatic(row),
        cancellation_reason=row.cancellation_reason,
        client_secret=row.client_secret,
        customer=row.customer,
        description=row.description,
        last_setup_error=row.error,
        metadata=row.metadata,
        next_action=_next_action(books, row),
        payment_method=row.payment_method,
        payment_method_options={"card": shaped("setup_intent.card_options", request_three_d_secure="automatic")},
        payment_method_types=["card"],
        status=row.status,
        usage=row.usage,
    )


def _automatic(row: Intent) -> dict[str, Any] | None:
    return {"allow_redirects": row.allow_redirects, "enabled": True} if row.automatic_methods else None


def _next_action(books: Books, row: Intent) -> dict[str, Any] | None:
    """Where the payer says yes to their bank: a page of the sandbox."""
    if row.status != "requires_action":
        return None
    url = f"{books.base_url}/stripe/confirm?client_secret={row.client_secret}"
    if row.return_url is not None:
        return {"redirect_to_url": {"return_url": row.return_url, "url": url}, "type": "redirect_to_url"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": url, "type": "three_d_secure_redirect"}}


def charge(books: Books, row: Charge) -> dict[str, Any]:
    """One try to take money."""
    card = CARDS[row.card]
    failed = row.failure_code is not None
    taken = row.captured and not failed
    outcome = shaped(
        "charge.outcome",
        network_status="declined_by_network" if failed else "approved_by_network",
        reason=row.decline_code,
        risk_level="normal",
        risk_score=20,
        seller_message=(
            "The bank returned the decline code `" + (row.decline_code or "") + "`." if failed else "Payment complete."
        ),
        type="issuer_declined" if failed else "authorized",
    )
    secure = None
    if row.is_authenticated:
        secure = shaped(
            "charge.three_d_secure",
            authentication_flow="challenge",
            electronic_commerce_indicator="05",
            result="authenticated",
            version="2.2.0",
        )
    details = shaped(
        "charge.card",
        amount_authorized=None if failed else row.amount,
        brand=card.brand,
        checks=shaped("charge.checks", cvc_check="pass"),
        country=card.country,
        exp_month=row.exp_month,
        exp_year=row.exp_year,
        extended_authorization={"status": "disabled"},
        fingerprint=fingerprint(books, row.account, card.number),
        funding=card.funding,
        incremental_authorization={"status": "unavailable"},
        last4=card.last4,
        multicapture={"status": "unavailable"},
        network=card.brand,
        network_token={"used": False},
        overcapture={"maximum_amount_capturable": row.amount, "status": "unavailable"},
        regulated_status="unregulated",
        three_d_secure=secure,
    )
    return shaped(
        "charge",
        id=row.id,
        created=row.created,
        amount=row.amount,
        amount_captured=row.amount_captured,
        amount_refunded=row.amount_refunded,
        balance_transaction=balance_transaction_id(row.id) if taken else None,
        billing_details=billing_details(row.billing_details),
        calculated_statement_descriptor=(row.statement_descriptor or books.accounts.at(row.account).name).upper()[:22],
        captured=row.captured,
        currency=row.currency,
        customer=row.customer,
        description=row.description,
        disputed=row.is_disputed,
        failure_code=row.failure_code,
        failure_message=row.failure_message,
        fraud_details={"stripe_report": None, "user_report": None},
        metadata=row.metadata,
        outcome=outcome,
        paid=not failed,
        payment_intent=row.payment_intent,
        payment_method=row.payment_method,
        payment_method_details={"card": details, "type": "card"},
        radar_options={"session": None},
        receipt_email=row.receipt_email,
        receipt_number=row.receipt_number,
        receipt_url=f"{books.base_url}/stripe/receipts/{row.id}" if taken else None,
        refunded=taken and row.amount_refunded >= row.amount_captured,
        shipping=shipping(row.shipping),
        statement_descriptor=row.statement_descriptor,
        statement_descriptor_suffix=row.statement_descriptor_suffix,
        status="failed" if failed else "succeeded",
        transfer_group=row.transfer_group,
    )


def balance_transaction_id(key: str) -> str:
    """The id of the money's movement that belongs to a charge, a refund or a dispute."""
    return "txn_" + key.partition("_")[2]


def refund(books: Books, row: Refund) -> dict[str, Any]:
    """Money given back."""
    card = shaped("refund.card", reference=None, reference_status="pending", type="refund")
    return shaped(
        "refund",
        id=row.id,
        created=row.created,
        amount=row.amount,
        balance_transaction=balance_transaction_id(row.id),
        charge=row.charge,
        currency=row.currency,
        customer=row.customer,
        destination_details={"card": card, "type": "card"},
        failure_balance_transaction=balance_transaction_id(row.id) + "f" if row.status == "failed" else None,
        failure_reason=row.failure_reason,
        metadata=row.metadata,
        payment_intent=row.payment_intent,
        payment_method=row.payment_method,
        reason=row.reason,
        status=row.status,
    )


def dispute(books: Books, row: Dispute) -> dict[str, Any]:
    """What a payer's bank has taken back."""
    base = shaped("dispute")
    return shaped(
        "dispute",
        id=row.id,
        created=row.created,
        amount=row.amount,
        balance_transactions=[_withdrawn(row)],
        charge=row.charge,
        currency=row.currency,
        evidence={**base["evidence"], **row.evidence},
        evidence_details={
            **base["evidence_details"],
            "due_by": row.due_by,
            "has_evidence": bool(row.evidence),
            "past_due": row.closed_at is None and books.now > row.due_by,
            "submission_count": row.submissions,
            "submission_method": "manual" if row.submissions else "not_submitted",
        },
        is_charge_refundable=False,
        metadata=row.metadata,
        payment_intent=row.payment_intent,
        payment_method_details={
            "card": shaped(
                "dispute.card",
                brand=CARDS[row.card].brand,
                case_type="chargeback",
                network=CARDS[row.card].brand,
                network_reason_code="10.4",
            ),
            "type": "card",
        },
        reason=row.reason,
        status=row.status,
    )


def _withdrawn(row: Dispute) -> dict[str, Any]:
    """The movement of money that a dispute begins with."""
    return shaped(
        "balance_transaction",
        id=balance_transaction_id(row.id),
        created=row.created,
        amount=-row.amount,
        available_on=row.created,
        balance_type="payments",
        currency=row.currency,
        description="Chargeback withdrawal",
        net=-row.amount,
        reporting_category="dispute",
        source=row.id,
        status="available",
        type="adjustment",
    )
