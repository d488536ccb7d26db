"""People who pay with Stripe: it makes the invoices, and our books say what it took."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import ChargeKind, ChargeStatus, RefundStatus
from avtale.domain.dunning import Advice, DunningStatus
from avtale.domain.errors import Conflict, GatewayBusy, GatewayRefused, GatewayUnknown
from avtale.domain.purchase import PurchaseStatus
from avtale.service.absorbing import Forged, keep_undelivered
from avtale.service.checkout import Person
from avtale.service.customers import ensure_customer
from avtale.service.dunning import list_dunning
from avtale.service.inspecting import find_config_errors
from avtale.service.notifying import read_events
from avtale.service.overseeing import inspect_charge
from avtale.service.refunding import refund_charge
from avtale.service.renting import start_payment
from avtale.service.stopping import stop_agreement
from avtale.service.subscribing import StripeWish
from avtale.service.wallets import get_customer, get_wallet, remove_method
from avtale.storage import stripe_accounts
from avtale.storage.tenants import Issuer

from .conftest import OPERATOR, START, Shop
from .stripe_shop import ACCOUNT, STRIPE, StripeShop, open_stripe


@pytest.fixture
async def stripe(shop: Shop) -> StripeShop:
    return await open_stripe(shop)


async def test_three_months_are_three_invoices_and_three_receipts(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    await shop.advance_to(datetime(2027, 3, 16, 12, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert (view.agreement.status, view.agreement.next_charge_at) == (AgreementStatus.ACTIVE, None)
    assert [(c.period, c.period_start.isoformat(), c.status) for c in view.charges] == [
        (1, "2027-01-15", ChargeStatus.PAID),
        (2, "2027-02-15", ChargeStatus.PAID),
        (3, "2027-03-15", ChargeStatus.PAID),
    ]
    # 15 April and six days of grace, at midnight in Oslo.
    assert view.access_until == datetime(2027, 4, 20, 22, tzinfo=UTC)
    books = await shop.books()
    assert [receipt["number"] for receipt in books["receipts"]] == [1, 2, 3]
    (theirs,) = await stripe.subscriptions()
    assert [one["payment"]["captured"] for one in theirs["invoices"]] == [9900, 9900, 9900]

    await stop_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, agreement_id)
    stopped = await shop.see(agreement_id)
    assert (stopped.agreement.status, stopped.agreement.stop_reason) == (AgreementStatus.STOPPED, "stopped_by_person")
    assert stopped.access_until == datetime(2027, 4, 14, 22, tzinfo=UTC)
    assert [one["status"] for one in await stripe.subscriptions()] == ["canceled"]

    refund = await refund_charge(shop.db, shop.gateways, shop.tenant, view.charges[2].id, 4000, "half", OPERATOR)
    assert refund.status == "accepted"
    await shop.work()
    assert (await shop.see(agreement_id)).charges[2].status is ChargeStatus.PARTIALLY_REFUNDED
    assert [document["amount"] for document in (await shop.books())["receipts"]] == [9900, 9900, 9900, 4000]


async def test_a_card_that_is_declined_is_tried_again_and_a_bank_that_asks_is_answered(
    shop: Shop, stripe: StripeShop
) -> None:
    started = await stripe.checkout()
    assert started.confirms == "payment"
    declined = await stripe.confirm(started.client_secret, "visa_chargeDeclinedInsufficientFunds")
    assert declined["error"] == "insufficient_funds"
    assert (await shop.poll(started.agreement_id)).agreement.status is AgreementStatus.PENDING
    # The same person comes back, to the same subscription.
    again = await stripe.checkout(email="anna@film.example")
    assert (again.agreement_id, again.client_secret) == (started.agreement_id, started.client_secret)
    paid = await stripe.confirm(started.client_secret, "threeDSecure2Required", "approve")
    assert paid["status"] == "succeeded"
    await shop.poll(started.agreement_id)
    await shop.work()
    view = await shop.see(started.agreement_id)
    assert (view.agreement.status, [c.status for c in view.charges]) == (AgreementStatus.ACTIVE, [ChargeStatus.PAID])
    assert len(await stripe.subscriptions()) == 1
    with pytest.raises(Conflict) as refused:
        await stripe.checkout()
    assert refused.value.code == "agreement_active"
    with pytest.raises(Conflict):
        await shop.checkout()


async def test_what_nobody_confirms_expires(shop: Shop, stripe: StripeShop) -> None:
    started = await stripe.checkout()
    await shop.advance_to(START + timedelta(hours=24))
    assert (await shop.see(started.agreement_id)).agreement.status is AgreementStatus.EXPIRED
    assert (await stripe.checkout()).agreement_id != started.agreement_id


async def test_a_renewal_that_fails_is_paid_late_or_never(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe("sandboxFailsOnRenewal")
    await shop.advance_to(datetime(2027, 2, 18, 12, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert [c.status for c in view.charges] == [ChargeStatus.PAID, ChargeStatus.OPEN]
    assert view.charges[1].failure_reason == "generic_decline"
    assert view.access_until == datetime(2027, 2, 20, 23, tzinfo=UTC)
    # Another card: Stripe's next try succeeds.
    (theirs,) = await stripe.subscriptions()
    card = await stripe.api("POST", "/payment_methods/pm_card_visa/attach", {"customer": theirs["customer"]})
    await stripe.api("POST", f"/subscriptions/{theirs['subscription']}", {"default_payment_method": card["id"]})
    await shop.advance_to(datetime(2027, 2, 22, 12, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert [c.status for c in view.charges] == [ChargeStatus.PAID, ChargeStatus.PAID]
    assert view.access_until == datetime(2027, 3, 20, 23, tzinfo=UTC)
    # Now the card fails for good, and Stripe gives up after two weeks.
    bad = await stripe.api(
        "POST", "/payment_methods/pm_card_chargeCustomerFail/attach", {"customer": theirs["customer"]}
    )
    await stripe.api("POST", f"/subscriptions/{theirs['subscription']}", {"default_payment_method": bad["id"]})
    await shop.advance_to(datetime(2027, 4, 5, 12, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert [c.status for c in view.charges] == [ChargeStatus.PAID, ChargeStatus.PAID, ChargeStatus.FAILED]
    assert view.agreement.status is AgreementStatus.STOPPED
    (lost,) = await list_dunning(shop.db, shop.tenant, DunningStatus.LOST, None, 10)
    assert (lost.charge.id, lost.dunning.advice) == (view.charges[2].id, Advice.ASK_TO_PAY)
    assert len((await shop.books())["receipts"]) == 2


async def test_a_renewal_that_the_bank_asks_about_is_told_while_it_can_be_answered(
    shop: Shop, stripe: StripeShop
) -> None:
    started = await stripe.checkout()
    await stripe.confirm(started.client_secret, "authenticationRequired", "approve")
    await shop.poll(started.agreement_id)
    await shop.advance_to(datetime(2027, 2, 16, 12, tzinfo=UTC))
    view = await shop.see(started.agreement_id)
    assert [(c.status, c.failure_reason) for c in view.charges] == [
        (ChargeStatus.PAID, None),
        (ChargeStatus.OPEN, "authentication_required"),
    ]
    (open_now,) = await list_dunning(shop.db, shop.tenant, DunningStatus.OPEN, None, 10)
    assert open_now.dunning.advice is Advice.ASK_TO_PAY


async def test_a_call_that_times_out_after_its_effect_makes_no_second_subscription(
    shop: Shop, stripe: StripeShop
) -> None:
    shop.gateways.call_seconds_max = 0.7  # type: ignore[misc]
    shop.gateways._made_stripe.clear()  # type: ignore[attr-defined]
    await stripe.script("PostSubscriptions", kind="effect-then-hang")
    started = await stripe.checkout(key="one")
    assert len(await stripe.subscriptions()) == 1
    # A day later the key is forgotten; what was made is found by our attempt id.
    await stripe.script("PostSubscriptions", kind="effect-then-hang")
    await stripe.script("GetSubscriptions", kind="hang")
    bjorn = Person("https://id.example", "bjørn")
    with pytest.raises(GatewayUnknown) as lost:
        await stripe.checkout(bjorn, key="two")
    await shop.control("POST", "/stripe/idempotency-keys/forget")
    found = await stripe.checkout(bjorn, key="two")
    assert str(found.agreement_id) == lost.value.facts["agreement_id"] != str(started.agreement_id)
    assert len(await stripe.subscriptions()) == 2
    await stripe.script("PostSubscriptions", kind="status", status=429)
    with pytest.raises(GatewayBusy):
        await stripe.checkout(Person("https://id.example", "cecilie"))
    await shop.work()
    assert len(await stripe.subscriptions()) == 3


async def test_events_in_any_order_doubled_or_early_end_in_the_same_state(shop: Shop, stripe: StripeShop) -> None:
    started = await stripe.checkout()
    await stripe.confirm(started.client_secret)
    told = [json.dumps(event).encode() for event in await stripe.events()]
    async with shop.db.tenant(shop.tenant.id) as tx:  # what Stripe lists may be of a kind that nobody has seen yet
        await keep_undelivered(tx, shop.gateways, [b'{"object": "event"}', b"{}"])
    kept = [await stripe.tell(body) for body in reversed(told)]
    assert kept == [True] * len(told)
    assert [await stripe.tell(body) for body in told] == [False] * len(told)
    await shop.work()
    view = await shop.see(started.agreement_id)
    assert (view.agreement.status, [c.status for c in view.charges]) == (AgreementStatus.ACTIVE, [ChargeStatus.PAID])
    for faulty in ({"secret": "whsec_other"}, {"at": datetime.now(UTC) - timedelta(seconds=301)}):
        with pytest.raises(Forged):
            await stripe.tell(told[0], **faulty)  # type: ignore[arg-type]


async def test_money_that_moves_in_the_dashboard_is_booked(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    (theirs,) = await stripe.subscriptions()
    payment = theirs["invoices"][0]["payment"]
    await stripe.api("POST", "/refunds", {"payment_intent": payment["paymentIntent"], "amount": "900"})
    charge = payment["captures"][0]["charge"]
    dispute = await shop.control("POST", "/stripe/disputes", {"charge": charge})
    for event in (await stripe.events())[-4:]:
        await stripe.tell(json.dumps(event).encode())
    await shop.work()
    # While the bank and we disagree, only what we gave back ourselves is given back.
    assert (await shop.see(agreement_id)).charges[0].totals.refunded == 900
    await shop.control("POST", f"/stripe/disputes/{dispute['id']}/decide", {"outcome": "lost"})
    await stripe.tell(json.dumps((await stripe.events())[-1]).encode())
    await shop.work()
    view = await shop.see(agreement_id)
    assert view.charges[0].status is ChargeStatus.REFUNDED
    assert view.access_until is None
    assert [one["kind"] for one in (await shop.books())["ledger"]] == ["capture", "refund", "refund"]

    await stripe.api("DELETE", f"/subscriptions/{theirs['subscription']}")
    await stripe.tell(json.dumps((await stripe.events())[-1]).encode())
    await shop.work()
    ended = (await shop.see(agreement_id)).agreement
    assert (ended.status, ended.stop_reason) == (AgreementStatus.STOPPED, "stopped_at_gateway")


async def test_of_two_subscriptions_that_are_paid_at_once_one_is_given_back(shop: Shop, stripe: StripeShop) -> None:
    vipps = await shop.checkout()
    started = await stripe.checkout()
    await stripe.confirm(started.client_secret)
    await shop.approve(vipps.confirmation_url)
    await shop.poll(vipps.agreement_id)
    await shop.poll(started.agreement_id)
    await shop.work()
    lost = await shop.see(started.agreement_id)
    assert (lost.agreement.status, lost.agreement.stop_reason) == (AgreementStatus.STOPPED, "duplicate")
    assert [(c.kind, c.status) for c in lost.charges] == [(ChargeKind.STRAY, ChargeStatus.REFUNDED)]
    (theirs,) = await stripe.subscriptions()
    assert (theirs["status"], theirs["invoices"][0]["payment"]["refunded"]) == ("canceled", 9900)
    assert (await shop.see(vipps.agreement_id)).agreement.status is AgreementStatus.ACTIVE
    await shop.books()


async def test_what_is_wrong_at_stripe_is_said(shop: Shop, stripe: StripeShop) -> None:
    async def nobody(issuer: Issuer) -> None:
        return None

    async def wrong() -> set[str]:
        found = await find_config_errors(shop.db, shop.gateways, shop.tenant, nobody)
        return {one.code for one in found if one.provider == "stripe"}

    assert await wrong() == {"stripe_webhook_missing"}
    # Somebody else's subscription on the same account is told of as well, and entitles nobody.
    customer = await stripe.api("POST", "/customers", {"email": "ola@film.example"})
    price = (await stripe.api("GET", "/prices"))["data"][0]
    data = {"customer": customer["id"], "items[0][price]": price["id"], "payment_behavior": "default_incomplete"}
    await stripe.api("POST", "/subscriptions", data)
    for event in await stripe.events():
        await stripe.tell(json.dumps(event).encode())
    await shop.work()
    await stripe.api("POST", f"/prices/{price['id']}", {"active": "false"})
    assert await wrong() == {"stripe_webhook_missing", "stripe_foreign_subscriptions", "stripe_price_missing"}
    with pytest.raises(Conflict) as missing:
        await stripe.checkout()
    assert missing.value.code == "stripe_price_missing"
    await open_stripe(shop, STRIPE | {"secret_key": "sk_test_wrong"})
    shop.gateways._made_stripe.clear()  # type: ignore[attr-defined]
    assert await wrong() == {"stripe_credentials_refused"}
    with pytest.raises(GatewayRefused):
        await stripe.checkout()


@pytest.mark.parametrize("email", [None, "anna@film.example"])
async def test_a_customer_deleted_in_the_dashboard_is_made_anew(
    shop: Shop, stripe: StripeShop, email: str | None
) -> None:
    here = (shop.db, await shop.gateways.stripe(shop.tenant.id), shop.tenant, shop.anna)
    first = await ensure_customer(*here, email)
    assert await ensure_customer(*here, email) == first
    await stripe.api("DELETE", f"/customers/{first.customer_id}")
    second = await ensure_customer(*here, email)
    assert (second.customer_id != first.customer_id, second.email) == (True, email)


async def test_a_refund_that_comes_back_is_taken_back(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    (charge,) = (await shop.see(agreement_id)).charges
    here = (shop.db, shop.gateways, shop.tenant, charge.id)
    first = await refund_charge(*here, 9900, "Sorry", OPERATOR, "refund-1")
    assert first.status == "accepted"
    assert await refund_charge(*here, 9900, "Sorry", OPERATOR, "refund-1") == first
    await shop.work()
    view = await shop.see(agreement_id)
    assert (view.charges[0].status, view.access_until) == (ChargeStatus.REFUNDED, None)
    (refund,) = (await stripe.api("GET", "/refunds"))["data"]
    await shop.control("POST", f"/stripe/refunds/{refund['id']}/fail")
    for event in (await stripe.events())[-2:]:
        await stripe.tell(json.dumps(event).encode())
    await shop.work()
    view = await shop.see(agreement_id)
    assert (view.charges[0].status, view.charges[0].totals.refunded) == (ChargeStatus.PAID, 0)
    assert view.access_until is not None
    (seen,) = (await inspect_charge(shop.db, shop.tenant, charge.id)).refunds
    assert seen.status is RefundStatus.FAILED
    assert await refund_charge(*here, 9900, "Sorry", OPERATOR, "refund-1") == first
    told = [event.kind for event in await read_events(shop.db, shop.tenant, 0, 100)]
    assert (told.count("charge.paid"), told.count("charge.refunded"), told.count("charge.refund_failed")) == (1, 1, 1)
    # All of it may be given back once more, and the accounts have said each thing that happened.
    await refund_charge(*here, 9900, "Sorry, again", OPERATOR)
    await shop.work()
    books = await shop.books()
    assert [one["kind"] for one in books["ledger"]] == ["capture", "refund", "return", "refund"]
    assert sorted(one["series"] for one in books["receipts"]) == ["credit_note", "credit_note", "receipt", "receipt"]
    assert (await shop.see(agreement_id)).charges[0].status is ChargeStatus.REFUNDED


async def test_two_cards_are_removed_at_once_and_one_stays(shop: Shop, stripe: StripeShop) -> None:
    await stripe.subscribe()
    here = (shop.db, shop.gateways, shop.tenant, shop.anna)
    customer = (await get_customer(*here)).customer_id
    await stripe.api("POST", "/payment_methods/pm_card_mastercard/attach", {"customer": customer})
    wallet = await get_wallet(*here)
    assert wallet is not None
    removals = [remove_method(*here, method.id) for method in wallet.methods]
    done = await asyncio.gather(*removals, return_exceptions=True)
    refused = [one for one in done if isinstance(one, Conflict)]
    assert [one.code for one in refused] == ["wallet_busy"]
    wallet = await get_wallet(*here)
    assert wallet is not None
    (left,) = wallet.methods
    # Whoever had it has given it back: the last card is refused for what it is.
    with pytest.raises(Conflict) as needed:
        await remove_method(*here, left.id)
    assert needed.value.code == "payment_method_needed"
    (subscription,) = (await stripe.api("GET", "/subscriptions"))["data"]
    assert subscription["default_payment_method"] == left.id
    # One that died with it loses it in time.
    async with shop.db.tenant(shop.tenant.id) as tx:
        whose = (shop.anna.issuer, shop.anna.subject)
        assert await stripe_accounts.lease_wallet(tx, ACCOUNT, whose, seconds_max=0) is not None
    with pytest.raises(Conflict, match="paid with this"):
        await remove_method(*here, left.id)


async def test_a_payment_that_nobody_confirms_is_cancelled_in_the_end(shop: Shop, stripe: StripeShop) -> None:
    shop.gateways.call_seconds_max = 0.7  # type: ignore[misc]
    shop.gateways._made_stripe.clear()  # type: ignore[attr-defined]
    await stripe.script("PostPaymentIntents", kind="effect-then-hang")
    started = await start_payment(shop.db, shop.gateways, shop.tenant, shop.anna, StripeWish("film-rent"))
    assert started.client_secret
    await shop.advance_to(START + timedelta(hours=24))
    assert (await shop.see_purchase(started.purchase_id)).purchase.status is PurchaseStatus.CANCELLED
    (theirs,) = (await shop.control("GET", "/export"))["stripe"]["payments"]
    assert theirs["status"] == "canceled"
    await shop.books()
