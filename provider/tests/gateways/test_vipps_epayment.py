"""Vipps ePayment: our wishes as it wants them, over real HTTP, and what its answers mean for money."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from avtale.domain.charge import Totals
from avtale.domain.money import Money
from avtale.domain.outcome import Answered, Refused, Throttled, Unknown
from avtale.domain.ports import PaymentGateway
from avtale.domain.purchase import PurchaseTerms
from avtale.domain.settlement import GatewayChargeState, ObservedCharge
from avtale.domain.wishes import PaymentWish
from avtale.gateways.vipps import translate_epayment as translate
from avtale.gateways.vipps.calling import VippsCalls
from avtale.gateways.vipps.epayment import VippsPayments

ORDER = UUID("018f0000-0000-7000-8000-000000000005")
KEY = UUID("018f0000-0000-7000-8000-000000000006")
PATH = f"/epayment/v1/payments/{ORDER}"
WISH = PaymentWish(ORDER, Money(3900, "NOK"), "Nordlys: filmen", "https://film.example/back?purchaseId=1", "4791234567")
NAMES = ("authorizedAmount", "cancelledAmount", "capturedAmount", "refundedAmount")


def payment(state: str, *sums: int, **more: Any) -> dict[str, Any]:
    """A payment as GET answers it, with its four sums."""
    return {
        "reference": str(ORDER),
        "state": state,
        "amount": {"currency": "NOK", "value": 3900},
        "aggregate": {n: {"currency": "NOK", "value": v} for n, v in zip(NAMES, sums, strict=True)},
        "pspReference": "p",
        "paymentMethod": {"type": "WALLET"},
        "profile": {},
        **more,
    }


def problem(status: int, code: str, title: str = "Capture amount too high") -> dict[str, Any]:
    """A domain error in ePayment's shape: the type says the status, the code is in the extra details."""
    return {
        "type": f"https://httpstatuses.io/{status}",
        "title": title,
        "detail": title,
        "status": status,
        "instance": "/v1/payments",
        "traceId": "00-0-0-01",
        "extraDetails": [{"name": "ErrorCode", "reason": code}],
    }


@pytest.fixture
def payments(credentials, outbound, clock) -> VippsPayments:
    return VippsPayments(VippsCalls(credentials, outbound, monotonic=clock.monotonic, wall=lambda: clock.wall))


def test_it_is_the_port_that_use_cases_ask_for(payments):
    port: PaymentGateway = payments
    assert port.write_release(KEY, ORDER).path == f"{PATH}/cancel"


def test_a_payment_is_reserved_in_a_browser_under_our_id():
    request = translate.write_payment(WISH)
    assert (request.id, request.method, request.path) == (ORDER, "POST", "/epayment/v1/payments")
    assert json.loads(request.body) == {
        "amount": {"currency": "NOK", "value": 3900},
        "paymentMethod": {"type": "WALLET"},
        "reference": str(ORDER),
        "userFlow": "WEB_REDIRECT",
        "returnUrl": "https://film.example/back?purchaseId=1",
        "paymentDescription": "Nordlys: filmen",
        "customer": {"phoneNumber": "4791234567"},
    }


@pytest.mark.parametrize(("said", "kept"), [("Up", None), ("  ", None), ("x" * 101, "x" * 99 + "…")])
def test_a_description_fits_or_is_left_out(said, kept):
    wish = PaymentWish(ORDER, WISH.amount, said, WISH.return_url, None)
    written = json.loads(translate.write_payment(wish).body)
    assert written.get("paymentDescription") == kept
    assert "customer" not in written


@pytest.mark.parametrize(
    "wish",
    [
        PaymentWish(ORDER, Money(99, "NOK"), "Film", WISH.return_url, None),
        PaymentWish(ORDER, Money(65_000_001, "NOK"), "Film", WISH.return_url, None),
        PaymentWish(ORDER, Money(3900, "SEK"), "Film", WISH.return_url, None),
        PaymentWish(ORDER, Money(3900, "NOK"), "Film", "", None),
        PaymentWish(ORDER, Money(3900, "NOK"), "Film", "https://" + "x" * 2500, None),
        PaymentWish(ORDER, Money(3900, "NOK"), "Film", WISH.return_url, "+4791234567"),
    ],
)
def test_what_vipps_would_refuse_is_not_written(wish):
    with pytest.raises(ValueError):
        translate.write_payment(wish)


@pytest.mark.parametrize(
    ("price", "sold"), [(Money(100, "NOK"), True), (Money(99, "NOK"), False), (Money(1, "EUR"), True)]
)
def test_only_what_can_be_paid_is_sold(price, sold):
    terms = PurchaseTerms("film", "Film", None, price, 2, 2500)
    if sold:
        translate.check_terms(terms)
    else:
        with pytest.raises(ValueError):
            translate.check_terms(terms)


@pytest.mark.parametrize(
    ("write", "path"), [(translate.write_capture, f"{PATH}/capture"), (translate.write_refund, f"{PATH}/refund")]
)
def test_money_is_moved_by_sums(write, path):
    request = write(KEY, ORDER, Money(3900, "NOK"))
    assert (request.id, request.path) == (KEY, path)
    assert json.loads(request.body) == {"modificationAmount": {"currency": "NOK", "value": 3900}}
    with pytest.raises(ValueError):
        write(KEY, ORDER, Money(0, "NOK"))


@pytest.mark.parametrize(
    ("said", "state", "totals"),
    [
        (payment("CREATED", 0, 0, 0, 0), GatewayChargeState.WAITING, Totals()),
        (payment("AUTHORIZED", 3900, 0, 0, 0), GatewayChargeState.RESERVED, Totals()),
        (payment("AUTHORIZED", 3900, 0, 3900, 0), GatewayChargeState.CAPTURED, Totals(3900)),
        (payment("AUTHORIZED", 3900, 0, 3900, 1000), GatewayChargeState.CAPTURED, Totals(3900, 1000)),
        (payment("AUTHORIZED", 3900, 3900, 0, 0), GatewayChargeState.CANCELLED, Totals(0, 0, 3900)),
        (payment("AUTHORIZED", 3900, 1900, 2000, 0), GatewayChargeState.CAPTURED, Totals(2000, 0, 1900)),
        (payment("TERMINATED", 0, 3900, 0, 0), GatewayChargeState.CANCELLED, Totals(0, 0, 3900)),
        (payment("ABORTED", 0, 0, 0, 0), GatewayChargeState.ABORTED, Totals()),
        (payment("EXPIRED", 0, 0, 0, 0), GatewayChargeState.EXPIRED, Totals()),
    ],
)
async def test_what_became_of_the_money_is_in_the_sums(payments, scripted, said, state, totals):
    scripted.answers(200, said)
    assert await payments.fetch_payment(ORDER) == Answered(ObservedCharge(str(ORDER), state, totals))
    [call] = scripted.received
    assert (call.method, call.target) == ("GET", PATH)


@pytest.mark.parametrize(
    "said",
    [
        payment("PAID", 0, 0, 0, 0),
        payment("AUTHORIZED", 3900, 0, 100, 200),
        payment("AUTHORIZED", 3900, 0, -1, 0),
        payment("CREATED", 0, 0, 0, 0) | {"aggregate": None},
        payment("CREATED", 0, 0, 0, 0) | {"reference": "another"},
        [],
        "CREATED",
    ],
)
async def test_a_reading_that_cannot_be_proves_nothing(payments, scripted, said):
    scripted.answers(200, said)
    assert isinstance(await payments.fetch_payment(ORDER), Unknown)


async def test_a_payment_answers_with_the_address_to_approve_it_at(payments, scripted):
    scripted.answers(201, {"reference": str(ORDER), "redirectUrl": "https://pay.vipps.example/?token=eyJ"})
    assert await payments.create_payment(translate.write_payment(WISH)) == Answered(
        "https://pay.vipps.example/?token=eyJ"
    )
    [call] = scripted.received
    assert call.headers["idempotency-key"] == str(ORDER)
    assert call.headers["merchant-serial-number"] == "123456"
    assert call.headers["content-type"] == "application/json"


async def test_a_payment_without_an_address_proves_nothing(payments, scripted):
    scripted.answers(201, {"reference": str(ORDER)})
    assert isinstance(await payments.create_payment(translate.write_payment(WISH)), Unknown)


@pytest.mark.parametrize(
    ("address", "told"), [({"redirectUrl": "https://v.example/1"}, "https://v.example/1"), ({}, None)]
)
async def test_a_reference_that_exists_is_ours_and_is_read(payments, scripted, address, told):
    scripted.answers(409, problem(409, "4150"))
    scripted.answers(200, payment("CREATED", 0, 0, 0, 0, **address))
    assert await payments.create_payment(translate.write_payment(WISH)) == Answered(told)
    assert [(r.method, r.target) for r in scripted.received] == [("POST", "/epayment/v1/payments"), ("GET", PATH)]


async def test_a_reference_that_exists_and_is_not_found_is_unknown(payments, scripted):
    scripted.answers(409, problem(409, "4150"))
    scripted.answers(404, problem(404, "5090"))
    assert isinstance(await payments.create_payment(translate.write_payment(WISH)), Unknown)


@pytest.mark.parametrize(
    ("there", "outcome"),
    [
        ((200, payment("CREATED", 0, 0, 0, 0)), Answered),
        ((404, problem(404, "5090")), Refused),
        ((403, problem(403, "5070")), Unknown),
        ((500, b""), Unknown),
    ],
)
async def test_a_repeated_payment_that_is_refused_is_looked_for(payments, scripted, there, outcome):
    scripted.answers(400, problem(400, "5070"))
    scripted.answers(*there)
    assert isinstance(await payments.create_payment(translate.write_payment(WISH), again=True), outcome)


async def test_a_first_payment_that_is_refused_is_refused(payments, scripted):
    scripted.answers(400, problem(400, "5070"))
    assert isinstance(await payments.create_payment(translate.write_payment(WISH)), Refused)


@pytest.mark.parametrize("verb", ["capture", "release", "refund"])
async def test_a_modification_is_done_when_it_is_answered(payments, scripted, verb):
    written = {
        "capture": translate.write_capture(KEY, ORDER, Money(1, "NOK")),
        "release": translate.write_release(KEY, ORDER),
        "refund": translate.write_refund(KEY, ORDER, Money(1, "NOK")),
    }[verb]
    scripted.answers(200, payment("AUTHORIZED", 3900, 0, 1, 0), {"Content-Type": "application/problem+json"})
    assert await getattr(payments, verb)(written) == Answered(None)
    [call] = scripted.received
    assert (call.target, call.headers["idempotency-key"], call.body) == (written.path, str(KEY), written.body)


async def test_a_refusal_bears_the_code_of_its_details(payments, scripted):
    scripted.answers(400, problem(400, "6090"))
    refused = await payments.capture(translate.write_capture(KEY, ORDER, Money(1, "NOK")))
    assert isinstance(refused, Refused)
    assert (refused.status, refused.code) == (400, "6090")


@pytest.mark.parametrize(
    ("status", "code"), [(423, "6160"), (423, "9999"), (400, "6160"), (400, "6250"), (409, "6280"), (500, "3010")]
)
async def test_what_passes_by_itself_is_asked_again_under_the_same_key(payments, scripted, status, code):
    scripted.answers(status, problem(status, code))
    assert isinstance(await payments.capture(translate.write_capture(KEY, ORDER, Money(1, "NOK"))), Unknown)


async def test_a_wait_is_a_wait(payments, scripted):
    scripted.answers(429, {"statusCode": 429, "message": "Rate limit is exceeded."}, {"Retry-After": "7"})
    assert await payments.release(translate.write_release(KEY, ORDER)) == Throttled(7.0)


async def test_without_an_answer_nothing_is_known(payments, scripted):
    scripted.cuts()
    assert isinstance(await payments.refund(translate.write_refund(KEY, ORDER, Money(1, "NOK"))), Unknown)


async def test_our_own_credentials_are_no_refusal_of_the_payment(payments, scripted):
    scripted.answers(401, b"")
    scripted.answers(401, b"")
    outcome = await payments.create_payment(translate.write_payment(WISH))
    assert isinstance(outcome, Unknown)
    assert not outcome.sent
