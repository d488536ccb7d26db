"""The Stripe adapter against the sandbox, and against a real account in test mode where one is given.

`AVTALE_STRIPE_TEST_KEY` is the secret key (`sk_test_…`) of an account that is used for nothing else: customers, a
price, a subscription and payments are made there. Without it those tests are skipped.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
import pytest

from avtale.domain.money import Money
from avtale.domain.observations import GatewayAgreementState
from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Outcome, Refused, Throttled, Unknown
from avtale.domain.periods import Interval, Unit
from avtale.domain.settlement import GatewayChargeState
from avtale.domain.wishes import IntentWish, SubscriptionWish
from avtale.gateways.outbound import Outbound
from avtale.gateways.stripe.adapter import StripeBilling
from avtale.gateways.stripe.calling import StripeCalls
from avtale.gateways.stripe.credentials import StripeCredentials

T = TypeVar("T")
REAL_KEY = os.environ.get("AVTALE_STRIPE_TEST_KEY", "")


@dataclass
class Account:
    """An account, our adapter for it, and the SDK for what payers and dashboards do."""

    credentials: StripeCredentials
    outbound: Outbound
    billing: StripeBilling
    v1: Any


def opened(credentials: StripeCredentials, outbound: Outbound) -> Account:
    calls = StripeCalls(credentials, outbound)
    return Account(credentials, outbound, StripeBilling(calls), calls.v1)


@pytest.fixture(params=["sandbox", "real"])
async def account(request: pytest.FixtureRequest) -> AsyncIterator[Account]:
    """The sandbox's account, and the real one."""
    if request.param == "real":
        if not REAL_KEY.startswith("sk_test_"):
            pytest.skip("AVTALE_STRIPE_TEST_KEY names no account in test mode")
        base_url, key = "https://api.stripe.com", REAL_KEY
    else:
        base_url, key = f"{request.getfixturevalue('sandbox')}/stripe", "sk_test_dev"
    credentials = StripeCredentials(base_url, "", key, "pk_test_dev", False, False, call_seconds_max=20.0)
    async with Outbound() as outbound:
        yield opened(credentials, outbound)


def value(outcome: Outcome[T]) -> T:
    assert isinstance(outcome, Answered), outcome
    return outcome.value


async def test_a_subscription_from_price_to_refund(account: Account) -> None:
    billing, v1, key = account.billing, account.v1, f"avtale-{uuid4()}"
    price = await v1.prices.create_async(
        {
            "currency": "nok",
            "unit_amount": 9900,
            "recurring": {"interval": "month"},
            "lookup_key": key,
            "product_data": {"name": "Film"},
        }
    )
    found = value(await billing.find_price(key))
    assert found is not None
    assert (found.price_id, found.amount, found.interval) == (price.id, Money(9900, "NOK"), Interval(Unit.MONTH))
    assert value(await billing.find_price(f"{key}-other")) is None
    customer = value(await billing.create_customer(uuid4(), ("https://id.example", key), "anna@film.example", "Anna"))

    wish = SubscriptionWish(uuid4(), uuid4(), customer.customer_id, price.id, "Film")
    request = billing.write_subscription(wish)
    begun = value(await billing.create_subscription(request))
    assert begun.kind == "payment"
    assert value(await billing.create_subscription(request)) == begun
    assert value(await billing.create_subscription(request, again=True)) == begun
    assert value(await billing.fetch_agreement(begun.gateway_id)).state is GatewayAgreementState.PENDING
    await v1.payment_intents.confirm_async(
        str(begun.client_secret).partition("_secret_")[0],
        {"payment_method": "pm_card_visa", "return_url": "https://film.example/thanks"},
    )
    active = value(await billing.fetch_agreement(begun.gateway_id))
    assert (active.state, active.external_id) == (GatewayAgreementState.ACTIVE, str(wish.draft_id))
    (order,) = active.orders
    assert (order.amount, order.is_first, order.is_paid) == (Money(9900, "NOK"), True, True)
    taken = value(await billing.fetch_charge(begun.gateway_id, order.order_id))
    assert (taken.state, taken.totals.captured) == (GatewayChargeState.CAPTURED, 9900)

    refund = billing.write_refund(uuid4(), begun.gateway_id, str(taken.payment_id), 4000, "half")
    value(await billing.refund(refund))
    value(await billing.refund(refund))
    assert value(await billing.fetch_charge(begun.gateway_id, order.order_id)).totals.refunded == 4000
    (card,) = value(await billing.list_payment_methods(customer.customer_id))
    assert (card.brand, card.last4) == ("visa", "4242")
    value(await billing.stop(billing.write_stop(uuid4(), begun.gateway_id)))
    stopped = value(await billing.fetch_agreement(begun.gateway_id))
    assert stopped.state is GatewayAgreementState.STOPPED
    assert stopped.started_at is not None
    assert stopped.stopped_at is not None


async def test_a_payment_that_is_declined_and_given_up(account: Account) -> None:
    billing, v1 = account.billing, account.v1
    customer = value(await billing.create_customer(uuid4(), ("https://id.example", "bo"), None, None))
    wish = IntentWish(uuid4(), uuid4(), customer.customer_id, Money(3900, "NOK"), "A film")
    request = billing.write_intent(wish)
    begun = value(await billing.create_intent(request))
    assert value(await billing.create_intent(request, again=True)).gateway_id == begun.gateway_id
    confirmed = v1.payment_intents.confirm_async(
        begun.gateway_id, {"payment_method": "pm_card_chargeDeclined", "return_url": "https://film.example/thanks"}
    )
    with pytest.raises(Exception, match="declined"):
        await confirmed
    waits = value(await billing.fetch_charge("", begun.gateway_id))
    assert (waits.state, waits.failure_reason) == (GatewayChargeState.WAITING, "generic_decline")
    value(await billing.release(billing.write_release(uuid4(), begun.gateway_id)))
    assert value(await billing.fetch_charge("", begun.gateway_id)).state is GatewayChargeState.CANCELLED


async def test_what_is_refused_is_a_definite_no(account: Account) -> None:
    missing = await account.billing.fetch_agreement("sub_missing")
    assert isinstance(missing, Refused | Answered)
    gone = await account.billing.fetch_charge("", "pi_missing")
    assert isinstance(gone, Refused)
    assert (gone.status, gone.code) == (404, "resource_missing")
    wrong = opened(replace(account.credentials, secret_key="sk_test_nobody"), account.outbound).billing
    refused = await wrong.fetch_account()
    assert isinstance(refused, Refused)
    assert refused.code == CREDENTIALS_REFUSED
    kept = await wrong.stop(wrong.write_stop(uuid4(), "sub_1"))
    assert isinstance(kept, Unknown)
    assert not kept.sent


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "7"}}, Throttled),
        ({"kind": "status", "status": 503}, Unknown),
        ({"kind": "status", "status": 409}, Unknown),
        ({"kind": "effect-then-close"}, Unknown),
    ],
)
async def test_what_leaves_us_not_knowing(sandbox: str, action: dict[str, Any], kind: type) -> None:
    credentials = StripeCredentials(f"{sandbox}/stripe", "", "sk_test_dev", "pk_test_dev", False, False)
    async with Outbound() as outbound:
        account = opened(credentials, outbound)
        fault = {"match": {"operationId": "PostCustomers"}, "times": 1, "action": action}
        await _control(sandbox, fault)
        outcome = await account.billing.create_customer(uuid4(), ("i", "s"), None, None)
    assert isinstance(outcome, kind)
    if isinstance(outcome, Throttled):
        assert outcome.retry_after_seconds == 7.0


@pytest.mark.parametrize("effect", [False, True])
async def test_a_fault_that_stripe_repeats_is_looked_into(sandbox: str, effect: bool) -> None:
    credentials = StripeCredentials(f"{sandbox}/stripe", "", "sk_test_dev", "pk_test_dev", False, False)
    async with Outbound() as outbound:
        account = opened(credentials, outbound)
        billing, v1 = account.billing, account.v1
        customer = value(await billing.create_customer(uuid4(), ("https://id.example", "bo"), None, None))
        wish = IntentWish(uuid4(), uuid4(), customer.customer_id, Money(3900, "NOK"), "A film")

        async def replayed(operation: str, call: Callable[[], Awaitable[Outcome[Any]]]) -> Outcome[Any]:
            kind = "effect-then-status" if effect else "status"
            action = {"kind": kind, "status": 500, "headers": {"Idempotent-Replayed": "true"}}
            await _control(sandbox, {"match": {"operationId": operation}, "times": 1, "action": action})
            outcome = await call()
            if not effect:
                assert outcome == Refused(500, "replayed-fault", "it failed at Stripe")
                return await call()
            return outcome

        request = billing.write_intent(wish)
        paid = value(await replayed("PostPaymentIntents", lambda: billing.create_intent(request))).gateway_id
        confirming = {"payment_method": "pm_card_visa", "return_url": "https://film.example/thanks"}
        await v1.payment_intents.confirm_async(paid, confirming)
        refund = billing.write_refund(uuid4(), "", paid, 900, "half")
        value(await replayed("PostRefunds", lambda: billing.refund(refund)))
        assert value(await billing.fetch_charge("", paid)).totals.refunded == 900

        left = value(await billing.create_intent(billing.write_intent(replace(wish, order_id=uuid4())))).gateway_id
        release = billing.write_release(uuid4(), left)
        value(await replayed("PostPaymentIntentsIntentCancel", lambda: billing.release(release)))
        assert value(await billing.fetch_charge("", left)).state is GatewayChargeState.CANCELLED


async def _control(sandbox: str, fault: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as http, http.post(f"{sandbox}/_sandbox/faults", json=fault) as answer:
        assert answer.status < 300
