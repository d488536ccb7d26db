"""Single payments on the dashboard: the list, what happened to each, and the payer's answer."""

from __future__ import annotations

from typing import get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...vipps.epayment.resources import Payment
from ...vipps.epayment.states import PaymentState
from .desk import PATH, Form, Room, paged


class PaymentRoom(Room):
    """Payments of all merchants."""

    title = "Payments"
    path = "payments"

    def routes(self) -> list[Route]:
        """The list, and the payer's answer."""
        return [
            Route("/payments", self.listed, methods=["GET"]),
            Route("/payments/answer", self.form(self.answer), methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """The payments that are asked for, newest first."""
        state, text = request.query_params.get("state", ""), request.query_params.get("text", "").strip()
        payments = self.world.payments
        found = (one for one in payments.shelf.newest() if state in ("", one.state) and _is_about(one, text))
        shown, pages = paged(request, found)
        values = {
            "payments": [(one, payments.token(one)) for one in shown],
            "pages": pages,
            "states": get_args(PaymentState),
            "state": state,
            "text": text,
        }
        return self.page(request, "payments_room.html", values)

    async def answer(self, request: Request, form: Form) -> Response:
        """Say yes or no in the payer's place."""
        payments, key = self.world.payments, form.get("id", "")
        payment = payments.shelf.find(key)
        if payment is None:
            raise ValueError("There is no such payment.")
        number = form.get("person", "").strip() or payment.person or payment.ask.customer or ""
        says_yes = form.get("answer") == "yes"
        payment = payments.approve(key, number) if says_yes else payments.reject(key, number or None)
        why = f" ({payment.refusal})" if payment.state == "CREATED" and payment.refusal else ""
        return self.desk.to(f"{PATH}/payments", f"The payment {payment.reference} is {payment.state}{why}.")


def _is_about(payment: Payment, text: str) -> bool:
    values = (payment.reference, payment.person, payment.ask.customer, payment.ask.description)
    return not text or any(text.casefold() in value.casefold() for value in values if value)
