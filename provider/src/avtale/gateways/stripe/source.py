"""Subscriptions that another system made on our account: what Stripe says of one, and what it was paid for."""

from __future__ import annotations

from avtale.domain.money import Money
from avtale.domain.observations import NEVER_OVER, FoundAgreement, GatewayAgreementState
from avtale.domain.outcome import Outcome
from avtale.domain.periods import Interval, Unit
from avtale.gateways.stripe.calling import Json, StripeCalls
from avtale.gateways.stripe.reading import instant

#: One that is late with a payment, or waits for one, has not been paid for as its row says.
_STATES = {
    "active": GatewayAgreementState.ACTIVE,
    "trialing": GatewayAgreementState.ACTIVE,
    "canceled": GatewayAgreementState.STOPPED,
    "incomplete_expired": GatewayAgreementState.EXPIRED,
}
_UNITS = {unit.value: unit for unit in Unit}


class StripeSource:
    """The port AgreementSource: one reading for each subscription."""

    calls_per_agreement = 1

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls

    async def find(self, gateway_agreement_id: str) -> Outcome[FoundAgreement]:
        """Refused with status 404 where our account has none such."""
        return await self._calls.read(read_found, "subscriptions", gateway_agreement_id)


def read_found(said: Json) -> FoundAgreement:
    """A subscription with its terms; one that will end by itself is as good as stopped."""
    items = said["items"]["data"]
    state = _STATES.get(said["status"], GatewayAgreementState.PENDING)
    if said["cancel_at_period_end"] or said["cancel_at"]:
        state = GatewayAgreementState.STOPPED
    price = items[0]["price"] if len(items) == 1 and items[0].get("quantity") == 1 else None
    customer = said["customer"]
    return FoundAgreement(
        gateway_agreement_id=said["id"],
        state=state,
        price=_price(price) if price is not None else None,
        interval=_interval(items[0]["price"]["recurring"]),
        started_at=instant(said["start_date"]),
        last_due=None,
        paid_until=instant(max(item["current_period_end"] for item in items)),
        customer_id=customer if isinstance(customer, str) else customer["id"],
        # How long a discount lasts stands elsewhere.
        reduced_until=NEVER_OVER if said.get("discounts") else None,
    )


def _price(price: Json) -> Money | None:
    amount = price["unit_amount"]
    return None if amount is None else Money(amount, price["currency"].upper())


def _interval(recurring: Json) -> Interval:
    return Interval(_UNITS[recurring["interval"]], recurring["interval_count"])
