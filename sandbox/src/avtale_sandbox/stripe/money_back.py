"""Gives money back: refunds by the merchant, disputes by the payer's bank."""

from __future__ import annotations

from typing import Any, Literal

from .books import Books
from .events import Events
from .refusals import invalid
from .resources import Charge, Dispute, Refund

RESPONSE_SECONDS = 21 * 86_400
# What a merchant writes in `uncategorized_text` to have a test dispute decided (Stripe, testing disputes).
WINNING, LOSING = "winning_evidence", "losing_evidence"
OPEN = ("needs_response", "under_review")


class MoneyBack:
    """The engine of refunds and disputes."""

    def __init__(self, books: Books, events: Events) -> None:
        self._books = books
        self._events = events

    def refund(self, charge: Charge, amount: int | None, reason: str | None, metadata: dict[str, str]) -> Refund:
        """Give back part or all of what was taken; raises Refused."""
        left = charge.amount_captured - charge.amount_refunded
        if charge.is_disputed:
            raise invalid(f"Charge {charge.id} has been charged back; cannot issue a refund.", code="charge_disputed")
        if not charge.captured:
            raise invalid(f"Charge {charge.id} has not been captured; cancel its PaymentIntent instead.")
        if left <= 0:
            raise invalid(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
        amount = left if amount is None else amount
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise invalid(message, param="amount")
        key, number = self._books.new_id("re")
        refund = Refund(
            id=key,
            number=number,
            account=charge.account,
            created=self._books.now,
            metadata=metadata,
            charge=charge.id,
            payment_intent=charge.payment_intent,
            amount=amount,
            currency=charge.currency,
            customer=charge.customer,
            payment_method=charge.payment_method,
            reason=reason,
        )
        self._books.refunds.put(refund)
        before = self._events.spell(charge)
        charge.amount_refunded += amount
        self._books.charges.put(charge)
        self._events.changed("charge.refunded", charge, before)
        self._events.tell("refund.created", refund)
        return refund

    def fail_refund(self, refund: Refund) -> Refund:
        """The bank could not give the money to its owner: it comes back to the merchant. Raises Refused."""
        if refund.status != "succeeded":
            raise invalid(f"This refund is {refund.status}.")
        before = self._events.spell(refund)
        refund.status, refund.failure_reason = "failed", "expired_or_canceled_card"
        self._books.refunds.put(refund)
        charge = self._books.charges.at(refund.charge)
        charge.amount_refunded -= refund.amount
        self._books.charges.put(charge)
        self._events.changed("refund.updated", refund, before)
        self._events.tell("refund.failed", refund)
        return refund

    def dispute(self, charge: Charge, reason: str = "fraudulent", amount: int | None = None) -> Dispute:
        """The payer's bank takes money back; raises Refused for a charge of which nothing is left."""
        left = charge.amount_captured - charge.amount_refunded
        if charge.is_disputed or left <= 0:
            raise invalid(f"There is nothing to dispute about charge {charge.id}.")
        amount = left if amount is None else amount
        if not 0 < amount <= left:
            raise invalid(f"The amount must lie between 1 and {left}.", param="amount")
        key, number = self._books.new_id("du")
        dispute = Dispute(
            id=key,
            number=number,
            account=charge.account,
            created=self._books.now,
            charge=charge.id,
            payment_intent=charge.payment_intent,
            amount=amount,
            currency=charge.currency,
            card=charge.card,
            reason=reason,
            due_by=self._books.now + RESPONSE_SECONDS,
        )
        self._books.disputes.put(dispute)
        charge.is_disputed = True
        self._books.charges.put(charge)
        self._events.tell("charge.dispute.created", dispute)
        self._events.tell("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def answer(self, dispute: Dispute, evidence: dict[str, Any], submits: bool, metadata: dict[str, str]) -> Dispute:
        """Store the merchant's evidence, and hand it in; raises Refused."""
        if dispute.status not in OPEN:
            raise invalid("This dispute is closed.")
        before = self._events.spell(dispute)
        dispute.evidence = {**dispute.evidence, **evidence}
        dispute.metadata = metadata
        if submits and dispute.evidence:
            dispute.submissions += 1
            dispute.status = "under_review"
        self._books.disputes.put(dispute)
        self._events.changed("charge.dispute.updated", dispute, before)
        text = dispute.evidence.get("uncategorized_text")
        if submits and text in (WINNING, LOSING):
            return self.decide(dispute, "won" if text == WINNING else "lost")
        return dispute

    def decide(self, dispute: Dispute, outcome: Literal["won", "lost"]) -> Dispute:
        """The bank has made up its mind; raises Refused when it had before."""
        if dispute.status not in OPEN:
            raise invalid("This dispute is closed.")
        before = self._events.spell(dispute)
        dispute.status, dispute.closed_at = outcome, self._books.now
        self._books.disputes.put(dispute)
        self._events.changed("charge.dispute.closed", dispute, before)
        if outcome == "won":
            self._events.tell("charge.dispute.funds_reinstated", dispute)
        return dispute
