"""Charges, refunds and disputes."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..calls import Action, Actions, Call
from ..events import Events
from ..money_back import MoneyBack
from ..params import Params, boolean, choice, integer, listing, merged, metadata, shape, text
from ..refusals import invalid, required
from ..resources import Charge, Dispute, Refund
from ..wire.shapes import shaped
from ..wire.speller import Speller

_EVIDENCE = shape(**{name: text(20_000) for name, value in shaped("dispute")["evidence"].items() if value is None})


class Money:
    """The operations on charges, refunds and disputes."""

    def __init__(self, books: Books, events: Events, money_back: MoneyBack, speller: Speller) -> None:
        self._books = books
        self._events = events
        self._money_back = money_back
        self._speller = speller

    def actions(self) -> Actions:
        """By name."""
        refund = Params(
            charge=text(),
            payment_intent=text(),
            amount=integer(1),
            reason=choice("duplicate", "fraudulent", "requested_by_customer"),
            metadata=metadata,
        )
        return {
            "GetCharges": Action(listing(customer=text(), payment_intent=text()), self.list_charges),
            "GetChargesCharge": Action(Params(), self.retrieve_charge),
            "PostRefunds": Action(refund, self.create_refund),
            "GetRefunds": Action(listing(charge=text(), payment_intent=text()), self.list_refunds),
            "GetRefundsRefund": Action(Params(), self.retrieve_refund),
            "PostRefundsRefund": Action(Params(metadata=metadata), self.update_refund),
            "GetDisputes": Action(listing(charge=text(), payment_intent=text()), self.list_disputes),
            "GetDisputesDispute": Action(Params(), self.retrieve_dispute),
            "PostDisputesDispute": Action(
                Params(evidence=_EVIDENCE, submit=boolean, metadata=metadata), self.update_dispute
            ),
            "PostDisputesDisputeClose": Action(Params(), self.close_dispute),
        }

    def list_charges(self, call: Call) -> dict[str, Any]:
        """Charges, newest first."""
        rows, more = self._books.charges.page(call.account_id, call.params, _facet(call, "payment_intent", "customer"))
        return self._speller.page("/v1/charges", rows, more)

    def retrieve_charge(self, call: Call) -> Charge:
        """One charge."""
        return self._books.charges.get(call.account_id, call.values["id"])

    def create_refund(self, call: Call) -> Refund:
        """Give money back, of a charge or of an intent's."""
        params = call.params
        if params.get("charge"):
            charge = self._books.charges.get(call.account_id, params["charge"], "charge")
        elif params.get("payment_intent"):
            intent = self._books.intents.get(call.account_id, params["payment_intent"], "payment_intent")
            if intent.latest_charge is None or intent.status != "succeeded":
                message = f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
                raise invalid(message, code="payment_intent_unexpected_state")
            charge = self._books.charges.at(intent.latest_charge)
        else:
            raise required("charge")
        if charge.failure_code is not None:
            raise invalid(f"Charge {charge.id} has failed; there is nothing to refund.", param="charge")
        given = merged({}, params.get("metadata"))
        return self._money_back.refund(charge, params.get("amount"), params.get("reason"), given)

    def list_refunds(self, call: Call) -> dict[str, Any]:
        """Refunds, newest first."""
        rows, more = self._books.refunds.page(call.account_id, call.params, _facet(call, "charge", "payment_intent"))
        return self._speller.page("/v1/refunds", rows, more)

    def retrieve_refund(self, call: Call) -> Refund:
        """One refund."""
        return self._books.refunds.get(call.account_id, call.values["id"])

    def update_refund(self, call: Call) -> Refund:
        """Change a refund's metadata."""
        refund = self.retrieve_refund(call)
        before = self._events.spell(refund)
        refund.metadata = merged(refund.metadata, call.params.get("metadata"))
        self._books.refunds.put(refund)
        self._events.changed("refund.updated", refund, before)
        return refund

    def list_disputes(self, call: Call) -> dict[str, Any]:
        """Disputes, newest first."""
        intent = call.params.get("payment_intent")
        rows, more = self._books.disputes.page(
            call.account_id,
            call.params,
            _facet(call, "charge"),
            lambda row: intent is None or row.payment_intent == intent,
        )
        return self._speller.page("/v1/disputes", rows, more)

    def retrieve_dispute(self, call: Call) -> Dispute:
        """One dispute."""
        return self._books.disputes.get(call.account_id, call.values["id"])

    def update_dispute(self, call: Call) -> Dispute:
        """Store evidence and hand it in."""
        dispute, params = self.retrieve_dispute(call), call.params
        given = merged(dispute.metadata, params.get("metadata"))
        return self._money_back.answer(dispute, params.get("evidence") or {}, params.get("submit", True), given)

    def close_dispute(self, call: Call) -> Dispute:
        """Admit that the payer is right."""
        return self._money_back.decide(self.retrieve_dispute(call), "lost")


def _facet(call: Call, *names: str) -> tuple[str, str | None]:
    """By what a list is narrowed: the first filter that is given."""
    for name in names:
        if call.params.get(name):
            return name, call.params[name]
    return "", None
