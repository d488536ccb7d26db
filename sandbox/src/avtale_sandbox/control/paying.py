"""What people do with single payments on their telephones, commanded without a browser."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..instants import iso
from ..vipps.epayment import customers
from ..vipps.epayment.courier import Courier
from ..vipps.epayment.express import fetch_options
from ..vipps.epayment.resources import Payment
from ..vipps.recurring import confirmation
from ..vipps.refusals import Refused
from ..world import World
from .shapes import Codes, PaymentDecision
from .wire import Door, Problem, answer, read


class PaymentOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """Whose payment is meant, if two sales units have used the same reference; the way of delivery, with Express."""

    merchant_serial_number: str | None = None
    shipping_option_id: str | None = None


class PaymentControl:
    """The handlers below `/_sandbox/phone/{number}/payments` and `/_sandbox/phone/{number}/codes`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._courier = Courier(world.settings.webhook_timeout_seconds)

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        on = "/phone/{number}/payments/{reference}"
        closed = {404: "There is no such payment", 409: "It does not wait any more, or several have this reference"}
        return [
            Door("POST", f"{on}/approve", self.approve_payment, body=PaymentOrder, gives=PaymentDecision, also=closed),
            Door("POST", f"{on}/reject", self.reject_payment, body=PaymentOrder, gives=PaymentDecision, also=closed),
            Door("GET", "/phone/{number}/codes", self.codes, gives=Codes, also={404: "Nobody has this phone number"}),
        ]

    async def approve_payment(self, request: Request) -> Response:
        """The person says yes."""
        order = await read(request, PaymentOrder)
        number = request.path_params["number"]
        payment = await self._with_options(await self._meant(request), number)
        return self._approved(payment, number, order.shipping_option_id)

    async def reject_payment(self, request: Request) -> Response:
        """The person says no."""
        return self._rejected(await self._meant(request), request.path_params["number"])

    async def codes(self, request: Request) -> Response:
        """By what a merchant can name this person instead of by number."""
        number = request.path_params["number"]
        if self._world.people.get(number) is None:
            raise Problem(404, "Nobody has this phone number")
        token = customers.check_in_token(number, self._world.ids)
        return answer({"personalQr": customers.personal_qr(number), "customerToken": token})

    async def open(self, url: str, number: str, decision: str | None) -> Response | None:
        """Open the address of a payment on the telephone; its owner's temperament decides, if nobody else does.

        None when the address is not that of a payment. Raises Problem.
        """
        try:
            payment = self._world.payments.resolve(confirmation.token_of(url))
        except (confirmation.NotAConfirmation, Refused):
            return None
        try:
            payment = self._world.payments.open(payment.id, number)
        except Refused as refused:
            raise _problem(refused) from None
        if payment.state != "CREATED":
            raise Problem(409, f"The payment does not wait any more; it is {payment.state}")
        temperament = self._world.people.meet(number).temperament
        decision = decision or {"approves": "approve", "rejects": "reject"}.get(temperament)
        if decision == "approve":
            return self._approved(await self._with_options(payment, number), number)
        if decision == "reject":
            return self._rejected(payment, number)
        return answer(_decision(payment, "waits" if decision == "wait" else temperament))

    def shapes_of(self, number: str) -> list[dict[str, Any]]:
        """The payments in a person's app."""
        return [_shape(payment) for payment in self._world.payments.of_person(number)]

    async def _meant(self, request: Request) -> Payment:
        order = await read(request, PaymentOrder)
        reference = request.path_params["reference"]
        found = [
            payment
            for merchant in self._world.merchants.all()
            if order.merchant_serial_number in (None, merchant.merchant_serial_number)
            and (payment := self._world.payments.shelf.find(f"{merchant.merchant_serial_number}/{reference}"))
        ]
        if not found:
            raise Problem(404, "There is no such payment")
        if len(found) > 1:
            raise Problem(409, "Several merchants have used this reference: name one as merchantSerialNumber")
        return found[0]

    async def _with_options(self, payment: Payment, number: str) -> Payment:
        """The payment, after its shop was asked how it delivers to this person, if it wants to be."""
        return await fetch_options(self._world.payments, self._courier, payment, self._world.people.get(number))

    def _approved(self, payment: Payment, number: str, option_id: str | None = None) -> Response:
        try:
            payment = self._world.payments.approve(payment.id, number, option_id)
        except Refused as refused:
            raise _problem(refused) from None
        return answer(_decision(payment, _DECIDED.get(payment.state, "failed")))

    def _rejected(self, payment: Payment, number: str) -> Response:
        try:
            return answer(_decision(self._world.payments.reject(payment.id, number), "rejected"))
        except Refused as refused:
            raise _problem(refused) from None


def _problem(refused: Refused) -> Problem:
    statuses = {"5090": 404, "10020": 409}
    fields = [{"name": name, "reason": reason} for name, reason in refused.fields]
    return Problem(statuses.get(refused.problem, 400), refused.detail, fields=fields)


# What has become of a payment that its person said yes to; while it still waits, it failed.
_DECIDED = {"AUTHORIZED": "approved", "ABORTED": "rejected"}


def _decision(payment: Payment, decision: str) -> dict[str, Any]:
    decided = decision in ("approved", "rejected")
    return {
        "reference": payment.reference,
        "decision": decision,
        "state": payment.state,
        "redirectUrl": payment.ask.return_url if decided and payment.ask.flow != "PUSH_MESSAGE" else None,
        "reason": payment.refusal,
    }


def _shape(payment: Payment) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "merchantSerialNumber": payment.msn,
        "description": payment.ask.description,
        "state": payment.state,
        "amount": payment.amount,
        "currency": payment.currency,
        "created": iso(payment.created),
        "expires": iso(payment.expires),
    }
