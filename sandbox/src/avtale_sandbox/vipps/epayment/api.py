"""The seven operations of ePayment over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from ...contracts.contract import Contract
from ..exchange import Answer, Call, Request, json_answer
from ..gateway import Handler
from ..refusals import Refused
from . import landing
from .errors import problem_answer
from .model import Payments
from .resources import Payment
from .rules import check_no_doubled_metadata
from .shapes import event_shape, modification_shape, payment_shape


class EpaymentApi:
    """The face that ePayment shows of the model."""

    def __init__(self, model: Payments) -> None:
        self.contract = Contract("epayment")
        self._model = model

    def handlers(self) -> Mapping[str, Handler]:
        """What does the work of each operation."""
        return {
            "createPayment": self.create,
            "getPayment": self.fetch,
            "getPaymentEventLog": self.events,
            "cancelPayment": self.cancel,
            "capturePayment": self.capture,
            "refundPayment": self.refund,
            "forceApprove": self.force_approve,
            "forceApproveWithoutTest": self.force_approve,
        }

    def refuse(self, request: Request, refused: Refused) -> Answer:
        """A problem as ePayment writes it."""
        return problem_answer(request, refused)

    def replay(self, call: Call, remembered: str) -> Answer:
        """Write the answer to a create call anew, for the host that was asked this time."""
        return self._created(call, self._model.fetch(call.merchant, remembered))

    def create(self, call: Call) -> Answer:
        """Ask for a payment."""
        if call.body.get("metadata") is not None:
            check_no_doubled_metadata(call.request.body)
        return self._created(call, self._model.create(call.merchant, call.body, call.key))

    def fetch(self, call: Call) -> Answer:
        """One payment."""
        payment = self._model.fetch(call.merchant, call.values["reference"])
        url = self._redirect_url(call, payment) if payment.state == "CREATED" else None
        shape = payment_shape(payment, url, self._model.payer(payment))
        return json_answer(200, shape)

    def events(self, call: Call) -> Answer:
        """What happened to a payment, oldest first."""
        payment = self._model.fetch(call.merchant, call.values["reference"])
        return json_answer(200, [event_shape(payment, event) for event in payment.log])

    def cancel(self, call: Call) -> Answer:
        """Call off a payment, or release what is not captured."""
        only = bool(call.body.get("cancelTransactionOnly"))
        payment = self._model.cancel(call.merchant, call.values["reference"], only, call.key or None)
        return json_answer(200, modification_shape(payment))

    def capture(self, call: Call) -> Answer:
        """Take part or all of what is reserved."""
        amount = call.body["modificationAmount"]
        payment = self._model.capture(call.merchant, call.values["reference"], amount, call.key)
        return json_answer(200, modification_shape(payment))

    def refund(self, call: Call) -> Answer:
        """Give back part or all of what was captured."""
        amount = call.body["modificationAmount"]
        payment = self._model.refund(call.merchant, call.values["reference"], amount, call.key)
        return json_answer(200, modification_shape(payment))

    def force_approve(self, call: Call) -> Answer:
        """Approve in the payer's name."""
        customer, token = call.body.get("customer") or {}, call.body.get("token")
        self._model.force_approve(call.merchant, call.values["reference"], customer, token)
        return Answer(200)

    def _created(self, call: Call, payment: Payment) -> Answer:
        body = {"reference": payment.reference}
        url = self._redirect_url(call, payment)
        if url is not None:
            body["redirectUrl"] = url
        answer = json_answer(201, body)
        answer.remembered = payment.reference
        return answer

    def _redirect_url(self, call: Call, payment: Payment) -> str | None:
        return landing.address(call.request.base_url, self._model.token(payment), payment)
