"""Stripe for one account: which call is made, and what its answer means for money."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from avtale.domain.observations import (
    Confirmation,
    ObservedAgreement,
    ObservedCustomer,
    ObservedPrice,
    PaymentMethod,
    RegisteredWebhook,
)
from avtale.domain.outcome import Answered, Outcome, Refused, T, Unknown
from avtale.domain.settlement import ObservedCharge
from avtale.domain.wishes import IntentWish, SubscriptionChange, SubscriptionWish, WrittenRequest
from avtale.gateways.stripe import reading, writing
from avtale.gateways.stripe.calling import API_VERSION, REPLAYED_FAULT, Json, StripeCalls, Told, kept, outcome_of

#: How many invoices, subscriptions and endpoints one reading looks at, the newest first.
LISTED_COUNT_MAX = 100
#: How many pages of undelivered events one look takes.
EVENT_PAGES_MAX = 10


class StripeBilling:
    """The port BillingGateway."""

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls
        self._v1 = calls.v1
        self.account_id = calls.credentials.account_id
        self.publishable_key = calls.credentials.publishable_key
        self.livemode = calls.credentials.livemode

    def write_subscription(self, wish: SubscriptionWish) -> WrittenRequest:
        """See writing.write_subscription."""
        return writing.write_subscription(wish)

    def write_intent(self, wish: IntentWish) -> WrittenRequest:
        """See writing.write_intent."""
        return writing.write_intent(wish)

    def write_release(self, request_id: UUID, order_id: str) -> WrittenRequest:
        """See writing.write_release."""
        return writing.write_release(request_id, order_id)

    def write_change(self, change: SubscriptionChange) -> WrittenRequest:
        """See writing.write_change."""
        return writing.write_change(change)

    def amount_min(self, currency: str) -> int:
        """The least that Stripe takes, in minor units."""
        return writing.AMOUNT_MIN[currency]

    def write_stop(self, request_id: UUID, gateway_agreement_id: str) -> WrittenRequest:
        """See writing.write_stop."""
        return writing.write_stop(request_id, gateway_agreement_id)

    def write_refund(
        self, request_id: UUID, gateway_agreement_id: str, order_id: str, amount: int, reason: str
    ) -> WrittenRequest:
        """See writing.write_refund; `order_id` is the payment intent."""
        return writing.write_refund(request_id, order_id, amount, reason)

    async def create_subscription(self, request: WrittenRequest, *, again: bool = False) -> Outcome[Confirmation]:
        """Make a subscription under its key, or find the one that carries its attempt id.

        A key lives for a day at least. After that, and where Stripe repeats the fault in which the first sending
        ended, only looking tells whether that sending had its effect; if not, it never will.
        """
        customer = writing.read_params(request.body)["customer"]

        async def look() -> Outcome[Json]:
            params = {"customer": customer, "status": "all", "limit": LISTED_COUNT_MAX}
            return await outcome_of(self._v1.subscriptions.list_async(params), lambda said: said)

        made = await self._made_once(request, again, self._v1.subscriptions.create_async, look)
        if isinstance(made, Answered) and "object" in made.value and not _is_expanded(made.value):
            return await self.fetch_confirmation(made.value["id"])
        return _read(made, reading.read_confirmation)

    async def create_intent(self, request: WrittenRequest, *, again: bool = False) -> Outcome[Confirmation]:
        """As create_subscription, for a payment that stands alone; one that its card declined is there as well."""
        customer = writing.read_params(request.body)["customer"]

        async def look() -> Outcome[Json]:
            params = {"customer": customer, "limit": LISTED_COUNT_MAX}
            return await outcome_of(self._v1.payment_intents.list_async(params), lambda said: said)

        made = await self._made_once(request, again, self._v1.payment_intents.create_async, look)
        if isinstance(made, Refused) and made.status == HTTPStatus.PAYMENT_REQUIRED:
            made = _made_before(await look(), request.id) or made
        return _read(made, reading.read_intent_confirmation)

    async def _made_once(
        self,
        request: WrittenRequest,
        again: bool,
        create: Callable[..., Awaitable[Told]],
        look: Callable[[], Awaitable[Outcome[Json]]],
    ) -> Outcome[Json]:
        if again and (found := _made_before(await look(), request.id)) is not None:
            return found
        options = {"idempotency_key": str(request.id)}
        outcome: Outcome[Json] = await outcome_of(
            create(writing.read_params(request.body), options=options), lambda said: said
        )
        if isinstance(outcome, Unknown) and outcome.reason == REPLAYED_FAULT:
            found = _made_before(await look(), request.id)
            return found or Refused(HTTPStatus.INTERNAL_SERVER_ERROR, REPLAYED_FAULT, "it failed at Stripe")
        return kept(outcome)

    async def release(self, request: WrittenRequest) -> Outcome[None]:
        """Cancel a payment intent. One that was paid meanwhile is Refused: read it."""
        intent, options = request.path.split("/")[-2], {"idempotency_key": str(request.id)}
        params = writing.read_params(request.body)
        told = self._v1.payment_intents.cancel_async(intent, params, options=options)
        outcome = kept(await outcome_of(told, _nothing))
        if isinstance(outcome, Unknown) and outcome.reason == REPLAYED_FAULT:
            seen: Outcome[Json] = await self._calls.read(lambda said: said, "payment_intents", intent)
            if not isinstance(seen, Answered):
                return outcome
            if seen.value["status"] != "canceled":
                return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, REPLAYED_FAULT, "it failed at Stripe")
            return Answered(None)
        return outcome

    async def change(self, request: WrittenRequest, *, again: bool = False) -> Outcome[None]:
        """Change a subscription. Whether it has arrived is asked before it is sent again, and after a fault."""
        subscription = request.path.rpartition("/")[2]
        if again and (seen := await self._has_seen(subscription, request)) is not None:
            return seen
        params, options = writing.read_params(request.body), {"idempotency_key": str(request.id)}
        told = self._v1.subscriptions.update_async(subscription, params, options=options)
        outcome = kept(await outcome_of(told, _nothing))
        if isinstance(outcome, Unknown) and outcome.reason == REPLAYED_FAULT:
            seen = await self._has_seen(subscription, request)
            return seen or Refused(HTTPStatus.INTERNAL_SERVER_ERROR, REPLAYED_FAULT, "it failed at Stripe")
        return outcome

    async def _has_seen(self, subscription: str, request: WrittenRequest) -> Outcome[None] | None:
        """Whether a change has arrived; None: it has not, and may be sent. One that was overtaken is Refused."""
        told: Outcome[Json] = await outcome_of(self._v1.subscriptions.retrieve_async(subscription), lambda said: said)
        if not isinstance(told, Answered):
            return kept(_read(told, _nothing))
        if told.value["metadata"].get(writing.CHANGE) == str(request.id):
            return Answered(None)
        if writing.is_overtaken(writing.read_params(request.body), told.value):
            return Refused(HTTPStatus.CONFLICT, "period_begun", "a period was begun, and charged, meanwhile")
        return None

    async def fetch_confirmation(self, gateway_id: str) -> Outcome[Confirmation]:
        """What is left to confirm of a subscription (`sub_…`) or of a payment (`pi_…`)."""
        if gateway_id.startswith("pi_"):
            intent = self._v1.payment_intents.retrieve_async(gateway_id)
            return await outcome_of(intent, reading.read_intent_confirmation)
        params = {"expand": writing.TO_CONFIRM}
        return await outcome_of(self._v1.subscriptions.retrieve_async(gateway_id, params), reading.read_confirmation)

    async def stop(self, request: WrittenRequest) -> Outcome[None]:
        """Cancel a subscription now. One that has ended is Refused with 404: read it."""
        subscription = request.path.rpartition("/")[2]
        options = {"idempotency_key": str(request.id)}
        return kept(await outcome_of(self._v1.subscriptions.cancel_async(subscription, {}, options=options), _nothing))

    async def refund(self, request: WrittenRequest) -> Outcome[None]:
        """Give money back; the totals of the charge tell whether it is done."""
        params, options = writing.read_params(request.body), {"idempotency_key": str(request.id)}
        outcome = kept(await outcome_of(self._v1.refunds.create_async(params, options=options), _nothing))
        if isinstance(outcome, Unknown) and outcome.reason == REPLAYED_FAULT:
            return await self._refunded_before(request, params["payment_intent"])
        return outcome

    async def _refunded_before(self, request: WrittenRequest, intent: str) -> Outcome[None]:
        listed = {"payment_intent": intent, "limit": LISTED_COUNT_MAX}
        told = await outcome_of(self._v1.refunds.list_async(listed), lambda said: said["data"])
        if not isinstance(told, Answered):
            return Unknown(REPLAYED_FAULT)
        if any(one["metadata"].get(writing.REFUND) == str(request.id) for one in told.value):
            return Answered(None)
        return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, REPLAYED_FAULT, "it failed at Stripe")

    async def fetch_agreement(self, gateway_agreement_id: str) -> Outcome[ObservedAgreement]:
        """Read a subscription with its invoices; Refused with status 404 if this account has none such."""
        listed = {"subscription": gateway_agreement_id, "limit": LISTED_COUNT_MAX}
        # The invoices first: one that is paid between the two readings finds its subscription active.
        invoices: Outcome[list[Json]] = await self._calls.read(lambda said: said["data"], "invoices", **listed)
        if not isinstance(invoices, Answered):
            return invoices
        found = invoices.value
        return await self._calls.read(
            lambda said: reading.read_agreement(said, found), "subscriptions", gateway_agreement_id
        )

    async def fetch_charge(self, gateway_agreement_id: str, order_id: str) -> Outcome[ObservedCharge]:
        """Read an invoice (`in_…`) with the money that was taken for it, or a payment of its own (`pi_…`)."""
        if order_id.startswith("pi_"):
            intents = await self._intents([order_id])
            if not isinstance(intents, Answered):
                return intents
            disputes = await self._disputes(intents.value)
            if not isinstance(disputes, Answered):
                return disputes
            refunds = await self._refunds(intents.value)
            if not isinstance(refunds, Answered):
                return refunds
            found, given = disputes.value, refunds.value
            return _read(Answered(intents.value[0]), lambda said: reading.read_payment(said, found, given))
        invoice = await self._calls.read(
            lambda said: {**said, "_payments": reading.payments_of(said)}, "invoices", order_id, expand=["payments"]
        )
        if not isinstance(invoice, Answered):
            return invoice
        intents = await self._intents(invoice.value["_payments"])
        if not isinstance(intents, Answered):
            return intents
        disputes = await self._disputes(intents.value)
        if not isinstance(disputes, Answered):
            return disputes
        refunds = await self._refunds(intents.value)
        if not isinstance(refunds, Answered):
            return refunds
        return _read(invoice, lambda said: reading.read_charge(said, intents.value, disputes.value, refunds.value))

    async def _intents(self, ids: Sequence[str]) -> Outcome[list[Json]]:
        found: list[Json] = []
        for one in ids:
            outcome: Outcome[Json] = await self._calls.read(
                lambda said: said, "payment_intents", one, expand=["latest_charge.refunds"]
            )
            if not isinstance(outcome, Answered):
                return outcome
            found.append(outcome.value)
        return Answered(found)

    async def _disputes(self, intents: Sequence[Json]) -> Outcome[list[Json]]:
        if not reading.is_disputed(intents):
            return Answered([])
        found: list[Json] = []
        for one in intents:
            told = self._v1.disputes.list_async({"payment_intent": one["id"], "limit": LISTED_COUNT_MAX})
            outcome: Outcome[list[Json]] = await outcome_of(told, lambda said: said["data"])
            if not isinstance(outcome, Answered):
                return outcome
            found += outcome.value
        return Answered(found)

    async def _refunds(self, intents: Sequence[Json]) -> Outcome[list[Json]]:
        """The refunds of these, where there are any; a charge names the latest ten by itself."""
        found: list[Json] = []
        for one in filter(reading.was_refunded, intents):
            listed = {"payment_intent": one["id"], "limit": LISTED_COUNT_MAX}
            outcome: Outcome[list[Json]] = await self._calls.read(lambda said: said["data"], "refunds", **listed)
            if not isinstance(outcome, Answered):
                return outcome
            found += outcome.value
        return Answered(found)

    async def find_price(self, name: str) -> Outcome[ObservedPrice | None]:
        """A price by its id (`price_…`) or its look-up key; None if there is none such."""
        if name.startswith("price_"):
            outcome: Outcome[ObservedPrice | None] = await outcome_of(
                self._v1.prices.retrieve_async(name), reading.read_price
            )
            missing = isinstance(outcome, Refused) and outcome.status == HTTPStatus.NOT_FOUND
            return Answered(None) if missing else outcome
        told = self._v1.prices.list_async({"lookup_keys": [name], "active": True, "limit": 1})
        return await outcome_of(told, lambda said: reading.read_price(said["data"][0]) if said["data"] else None)

    async def create_customer(
        self, key: UUID, person: tuple[str, str], email: str | None, name: str | None
    ) -> Outcome[ObservedCustomer]:
        """Make the customer that a person (issuer and subject) is, under its key."""
        metadata = {"avtale_customer": str(key), "avtale_issuer": person[0][:500], "avtale_subject": person[1][:500]}
        params: dict[str, Any] = _given(email=email, name=name) | {"metadata": metadata}
        options = {"idempotency_key": f"customer-{key}"}
        return await outcome_of(self._v1.customers.create_async(params, options=options), reading.read_customer)

    async def fetch_customer(self, customer_id: str) -> Outcome[ObservedCustomer | None]:
        """A customer; None for one that was deleted."""
        return await outcome_of(
            self._v1.customers.retrieve_async(customer_id),
            lambda said: None if said.get("deleted") else reading.read_customer(said),
        )

    async def update_customer(
        self, customer_id: str, *, email: str | None = None, name: str | None = None, default: str | None = None
    ) -> Outcome[ObservedCustomer]:
        """Change what is given; `default` is the payment method that pays where nothing else is said."""
        params: dict[str, Any] = _given(email=email, name=name)
        if default is not None:
            params["invoice_settings"] = {"default_payment_method": default}
        return await outcome_of(self._v1.customers.update_async(customer_id, params), reading.read_customer)

    async def list_payment_methods(self, customer_id: str) -> Outcome[tuple[PaymentMethod, ...]]:
        """What a customer can pay with, the newest first."""
        told = self._v1.customers.payment_methods.list_async(customer_id, {"limit": LISTED_COUNT_MAX})
        return await outcome_of(told, lambda said: tuple(map(reading.read_method, said["data"])))

    async def attach_payment_method(self, customer_id: str, payment_method_id: str) -> Outcome[PaymentMethod]:
        """Give a customer a payment method; one that is theirs already stays so."""
        read = await outcome_of(self._v1.payment_methods.retrieve_async(payment_method_id), lambda said: said)
        if isinstance(read, Answered) and read.value.get("customer") == customer_id:
            return _read(read, reading.read_method)
        params = {"customer": customer_id}
        return await outcome_of(self._v1.payment_methods.attach_async(payment_method_id, params), reading.read_method)

    async def detach_payment_method(self, payment_method_id: str) -> Outcome[None]:
        """Take a payment method from its customer, for good."""
        return await outcome_of(self._v1.payment_methods.detach_async(payment_method_id), _nothing)

    async def pay_with(
        self, gateway_agreement_id: str, payment_method_id: str, *, instead_of: str | None = None
    ) -> Outcome[None]:
        """Let a subscription be paid with this method from now on; with `instead_of` only if that pays it."""
        if instead_of is not None:
            told = await outcome_of(self._v1.subscriptions.retrieve_async(gateway_agreement_id), lambda said: said)
            if not isinstance(told, Answered):
                return told
            if told.value["default_payment_method"] != instead_of:
                return Answered(None)
        params = {"default_payment_method": payment_method_id}
        return await outcome_of(self._v1.subscriptions.update_async(gateway_agreement_id, params), _nothing)

    async def fetch_account(self) -> Outcome[str]:
        """The id of the account whose keys these are."""
        return await outcome_of(self._v1.accounts.retrieve_current_async(), lambda said: str(said["id"]))

    async def undelivered_events(self) -> Outcome[tuple[bytes, ...]]:
        """Events of the last thirty days that some endpoint has not acknowledged, oldest first."""
        found: list[Json] = []
        params: dict[str, Any] = {"delivery_success": False, "limit": LISTED_COUNT_MAX}
        for _ in range(EVENT_PAGES_MAX):
            page: Outcome[Json] = await outcome_of(self._v1.events.list_async(params), lambda said: said)
            if not isinstance(page, Answered):
                return page
            found += page.value["data"]
            if not page.value["has_more"]:
                break
            params["starting_after"] = found[-1]["id"]
        return Answered(tuple(json.dumps(one, default=str).encode() for one in reversed(found)))

    async def register_webhook(self, url: str, events: Sequence[str]) -> Outcome[RegisteredWebhook]:
        """Make a webhook endpoint that is told in our version; its secret is told once."""
        params = {"url": url, "enabled_events": list(events), "api_version": API_VERSION, "description": "avtale"}
        return await outcome_of(self._v1.webhook_endpoints.create_async(params), reading.read_webhook)

    async def list_webhooks(self) -> Outcome[tuple[RegisteredWebhook, ...]]:
        """Every endpoint of this account, without secrets."""
        told = self._v1.webhook_endpoints.list_async({"limit": LISTED_COUNT_MAX})
        return await outcome_of(told, lambda said: tuple(map(reading.read_webhook, said["data"])))

    async def delete_webhook(self, webhook_id: str) -> Outcome[None]:
        """Delete an endpoint."""
        return await outcome_of(self._v1.webhook_endpoints.delete_async(webhook_id), _nothing)


def _given(**values: str | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _nothing(_: Json) -> None:
    """For answers whose status says all."""


def _is_expanded(said: Json) -> bool:
    return isinstance(said.get("latest_invoice"), dict)


def _made_before(listed: Outcome[Json], attempt_id: UUID) -> Outcome[Json] | None:
    """What an earlier sending of this attempt made; without a list nobody knows."""
    if not isinstance(listed, Answered):
        return Unknown("whether it was made before is not known") if not isinstance(listed, Unknown) else listed
    mine = [one for one in listed.value["data"] if one["metadata"].get(writing.ATTEMPT) == str(attempt_id)]
    return Answered(mine[0]) if mine else None


def _read(outcome: Outcome[Json], read: Callable[[Json], T]) -> Outcome[T]:
    if not isinstance(outcome, Answered):
        return outcome
    try:
        return Answered(read(outcome.value))
    except (KeyError, TypeError, ValueError) as error:
        return Unknown(f"an answer of Stripe that we cannot read: {type(error).__name__} {error}")
