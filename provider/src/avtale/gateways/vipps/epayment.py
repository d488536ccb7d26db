"""Vipps ePayment for one sales unit: which call is made, and what its answer means for money."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from avtale.domain.money import Money
from avtale.domain.outcome import Outcome, Refused, Unknown
from avtale.domain.settlement import ObservedCharge
from avtale.domain.wishes import PaymentWish, WrittenRequest
from avtale.gateways.vipps import translate_epayment as translate
from avtale.gateways.vipps.calling import CREATED, READ, Judged, VippsCalls, kept, nothing, understood

#: Refusals that ask for the same call again (ePayment, error codes): the order is being processed, the person is
#: approving it at this moment, the bank did not answer.
_NOT_NOW = frozenset({"6160", "6250", "6280"})


class VippsPayments:
    """The port PaymentGateway. A payment's `reference` is its attempt's id.

    Where our credentials are at fault, every written call is Unknown (not sent), to be kept until they are right.
    """

    def __init__(self, calls: VippsCalls) -> None:
        self._calls = calls

    def write_payment(self, wish: PaymentWish) -> WrittenRequest:
        """See translate_epayment.write_payment."""
        return translate.write_payment(wish)

    def write_capture(self, request_id: UUID, order_id: UUID, amount: Money) -> WrittenRequest:
        """See translate_epayment.write_capture."""
        return translate.write_capture(request_id, order_id, amount)

    def write_release(self, request_id: UUID, order_id: UUID) -> WrittenRequest:
        """See translate_epayment.write_release."""
        return translate.write_release(request_id, order_id)

    def write_refund(self, request_id: UUID, order_id: UUID, amount: Money) -> WrittenRequest:
        """See translate_epayment.write_refund."""
        return translate.write_refund(request_id, order_id, amount)

    async def create_payment(self, request: WrittenRequest, *, again: bool = False) -> Outcome[str | None]:
        """Make a payment. A reference is used once for ever, and this one is ours alone: where it is said to exist
        (409), the payment was made by an earlier sending, and is read.

        `again`: it may have been sent before. Any no then proves nothing: the payment is looked for, and only one
        that is not there is Refused.
        """
        judged = _not_now(kept(await self._calls.write(request)))
        exists = isinstance(judged, Refused) and judged.status == HTTPStatus.CONFLICT
        if isinstance(judged, Refused) and (exists or again):
            return await self._looked_for(request.id, Unknown("it exists and is not found") if exists else judged)
        return understood(judged, CREATED, lambda body: translate.read_created(body, request.id))

    async def capture(self, request: WrittenRequest) -> Outcome[None]:
        """Take what is reserved. How much was taken is read afterwards."""
        return await self._modify(request)

    async def release(self, request: WrittenRequest) -> Outcome[None]:
        """Give up what is reserved and not taken; irreversible. One that has ended already is Refused: read it."""
        return await self._modify(request)

    async def refund(self, request: WrittenRequest) -> Outcome[None]:
        """Give money back. How much was given back is read afterwards."""
        return await self._modify(request)

    async def fetch_payment(self, order_id: UUID) -> Outcome[ObservedCharge]:
        """Read a payment; Refused with status 404 if it is not there (a slow call may yet bring it)."""
        judged = await self._calls.call("GET", translate.payment_path(order_id))
        return understood(judged, READ, lambda body: translate.read_payment(body, order_id))

    async def _looked_for(self, order_id: UUID, otherwise: Refused | Unknown) -> Outcome[str | None]:
        """The address of a payment that an earlier sending made; `otherwise` if there is none."""
        found = await self._calls.call("GET", translate.payment_path(order_id))
        if isinstance(found, Refused):
            return otherwise if found.status == HTTPStatus.NOT_FOUND else Unknown(f"it may exist: {found.detail}")
        return understood(found, READ, lambda body: translate.read_address(body, order_id))

    async def _modify(self, request: WrittenRequest) -> Outcome[None]:
        return understood(_not_now(kept(await self._calls.write(request))), READ, nothing)


def _not_now(judged: Judged) -> Judged:
    """Locked, or one of the refusals that pass: the same key again, later."""
    if isinstance(judged, Refused) and (judged.status == HTTPStatus.LOCKED or judged.code in _NOT_NOW):
        return Unknown(f"not now: {judged.detail}")
    return judged
