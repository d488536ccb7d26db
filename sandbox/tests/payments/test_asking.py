"""What a payment may be asked for: every field with its limits, and what goes with what."""

from __future__ import annotations

import json
from typing import Any

import pytest

ANNA = "4791234567"
PATH = "/epayment/v1/payments"
LINE = {
    "name": "Film",
    "id": "1",
    "totalAmount": 4900,
    "totalAmountExcludingTax": 3920,
    "totalTaxAmount": 980,
    "taxRate": 2500,
}
RECEIPT = {"orderLines": [LINE], "bottomLine": {"currency": "NOK"}}
EXPRESS = {"scope": "name address email phoneNumber"}
OPTION = {"id": "a", "amount": {"currency": "NOK", "value": 500}, "name": "To the door"}
GROUP = {"type": "HOME_DELIVERY", "brand": "POSTEN", "options": [OPTION]}
PASSTHROUGH = {
    "pspReference": "x",
    "cardCallbackUrl": "https://psp.example/card",
    "allowedCardTypes": ["VISA_DEBIT"],
}
FLIGHT = {
    "agencyInvoiceNumber": "1",
    "airlineCode": "074",
    "airlineDesignatorCode": "KL",
    "passengerName": "FLYER / MARY MS.",
}
PUSH = {"userFlow": "PUSH_MESSAGE", "customer": {"phoneNumber": ANNA}, "returnUrl": ...}


def code(reply: Any) -> str | None:
    """The error code in a problem, after a look at its shape."""
    assert reply.headers["Content-Type"] == "application/problem+json", reply.body
    body = reply.body
    assert body["status"] == reply.status
    assert body["type"] == f"https://httpstatuses.io/{reply.status}"
    assert body["traceId"].startswith("00-")
    assert len(body["traceId"]) == 55
    assert body["instance"].startswith("/v1/")
    codes = [one["reason"] for one in body["extraDetails"] if one["name"] == "ErrorCode"]
    return codes[0] if codes else None


# What is asked for, and the field that is named in the refusal.
BAD_FORM: list[tuple[dict[str, Any], str]] = [
    ({"amount": ...}, "amount"),
    ({"amount": {"currency": "NOK", "value": -1}}, "amount.value"),
    ({"amount": {"currency": "NOK", "value": 65_000_001}}, "amount.value"),
    ({"amount": {"currency": "XXX", "value": 100}}, "amount.currency"),
    ({"paymentMethod": ...}, "paymentMethod"),
    ({"paymentMethod": {"type": "CASH"}}, "paymentMethod.type"),
    ({"paymentMethod": {"type": "WALLET", "blockedSources": ["GOLD"]}}, "paymentMethod.blockedSources[0]"),
    ({"reference": ...}, "reference"),
    ({"reference": "short"}, "reference"),
    ({"reference": "x" * 65}, "reference"),
    ({"reference": "film_00000001"}, "reference"),
    ({"reference": "film-00000001\n"}, "reference"),
    ({"reference": "film-٠٠٠٠٠٠٠٠"}, "reference"),
    ({"userFlow": ...}, "userFlow"),
    ({"userFlow": "PIGEON"}, "userFlow"),
    ({"returnUrl": ...}, "returnUrl"),
    ({"returnUrl": "https://film.example/" + "x" * 2500}, "returnUrl"),
    ({"paymentDescription": "ab"}, "paymentDescription"),
    ({"paymentDescription": "x" * 101}, "paymentDescription"),
    ({"minimumUserAge": 101}, "minimumUserAge"),
    ({"minimumUserAge": -1}, "minimumUserAge"),
    ({"customerInteraction": "CUSTOMER_ASLEEP"}, "customerInteraction"),
    ({"customer": {"phoneNumber": "12345678"}}, "customer.phoneNumber"),
    ({"customer": {"phoneNumber": "+4791234567"}}, "customer.phoneNumber"),
    ({"customer": {"phoneNumber": "4" * 16}}, "customer.phoneNumber"),
    ({"customer": {"phoneNumber": 4791234567}}, "customer.phoneNumber"),
    ({"customer": {"personalQr": "abcd"}}, "customer.personalQr"),
    ({"customer": {"personalQr": "x" * 256}}, "customer.personalQr"),
    ({"customer": {"phoneNumber": ANNA, "customerToken": "x"}}, "customer"),
    ({"userFlow": "PUSH_MESSAGE"}, "customer"),
    ({"userFlow": "PUSH_MESSAGE", "customer": {"customerInteraction": "CUSTOMER_PRESENT"}}, "customer"),
    ({"qrFormat": {"format": "IMAGE/PNG"}}, "qrFormat"),
    ({"userFlow": "QR", "qrFormat": {}}, "qrFormat.format"),
    ({"userFlow": "QR", "qrFormat": {"format": "IMAGE/GIF"}}, "qrFormat.format"),
    ({"userFlow": "QR", "qrFormat": {"format": "IMAGE/PNG", "size": 99}}, "qrFormat.size"),
    ({"userFlow": "QR", "qrFormat": {"format": "IMAGE/PNG", "size": 2001}}, "qrFormat.size"),
    ({"paymentMethod": {"type": "CARD"}, "userFlow": "QR"}, "paymentMethod.type"),
    ({"paymentMethod": {"type": "CARD"}, "receipt": RECEIPT}, "receipt"),
    ({"paymentMethod": {"type": "CARD", "blockedSources": ["COMMERCIAL_CARDS"]}}, "paymentMethod.blockedSources"),
    ({"paymentMethod": {"type": "CARD_PASSTHROUGH"}}, "cardPassthrough"),
    ({"cardPassthrough": PASSTHROUGH}, "cardPassthrough"),
    ({"metadata": {"order": 7}}, "metadata"),
    ({"metadata": ["order"]}, "metadata"),
    ({"industryData": {"airlineData": FLIGHT | {"airlineCode": "74"}}}, "industryData.airlineData.airlineCode"),
    ({"industryData": {"airlineData": {}}}, "industryData.airlineData.passengerName"),
    ({"expiresAt": "tomorrow"}, "expiresAt"),
    ({"expiresAt": "2027-02-01T09:00:00"}, "expiresAt"),
    ({"expiresAt": "2027-02-30T09:00:00Z"}, "expiresAt"),
    ({"receipt": {"orderLines": [], "bottomLine": {"currency": "NOK"}}}, "receipt.orderLines"),
    ({"receipt": {"orderLines": [LINE]}}, "receipt.bottomLine"),
    ({"receipt": RECEIPT | {"bottomLine": {"currency": "EUR"}}}, "receipt.bottomLine.currency"),
    ({"receipt": RECEIPT | {"orderLines": [LINE | {"taxPercentage": 25}]}}, "receipt.orderLines[0].taxRate"),
    ({"receipt": RECEIPT | {"orderLines": [LINE | {"taxRate": None}]}}, "receipt.orderLines[0].taxRate"),
    ({"receipt": RECEIPT | {"orderLines": [LINE | {"taxRate": 10001}]}}, "receipt.orderLines[0].taxRate"),
    (
        {"receipt": RECEIPT | {"orderLines": [LINE | {"unitInfo": {"unitPrice": 1, "quantity": "1,5"}}]}},
        "receipt.orderLines[0].unitInfo.quantity",
    ),
    (
        {"receipt": RECEIPT | {"bottomLine": {"currency": "NOK", "barcode": {"format": "EAN-14", "data": "1"}}}},
        "receipt.bottomLine.barcode.format",
    ),
    ({"shipping": {"fixedOptions": [GROUP]}, "profile": {"scope": "name"}}, "profile.scope"),
    ({"shipping": {}, "profile": EXPRESS}, "shipping"),
    ({"shipping": {"fixedOptions": [GROUP, GROUP]}, "profile": EXPRESS}, "shipping.fixedOptions"),
    ({"shipping": {"fixedOptions": []}, "profile": EXPRESS}, "shipping.fixedOptions"),
    (
        {
            "shipping": {"dynamicOptions": {"callbackUrl": "https://x.example", "callbackAuthorizationToken": "a b"}},
            "profile": EXPRESS,
        },
        "shipping.dynamicOptions.callbackAuthorizationToken",
    ),
]


@pytest.mark.shows("operation:createPayment")
@pytest.mark.parametrize(("changes", "field"), BAD_FORM, ids=[f"{n}-{field}" for n, (_, field) in enumerate(BAD_FORM)])
async def test_what_has_a_wrong_form_is_named_without_a_code(till: Any, changes: dict[str, Any], field: str) -> None:
    reply = await till.create(**changes)
    assert reply.status == 400
    assert code(reply) is None
    assert reply["title"] == "Bad Request"
    assert reply["instance"] == "/v1/payments"
    assert field in [one["name"] for one in reply["extraDetails"]], reply.body
    assert all(one["reason"].startswith("The field ") for one in reply["extraDetails"])
    assert (await till.sandbox.control("GET", "/export"))["payments"] == []


# What is asked for, the status, and the code of the refusal.
FORBIDDEN: list[tuple[dict[str, Any], int, str]] = [
    ({"amount": {"currency": "NOK", "value": 100.5}}, 400, "4040"),
    ({"amount": {"currency": "NOK", "value": 99}}, 400, "6010"),
    ({"amount": {"currency": "EUR", "value": 100}}, 400, "5040"),
    ({"customer": {"phoneNumber": "091234567"}}, 400, "4070"),
    ({"customer": {"personalQr": "https://qr.example/4791234567"}}, 400, "4060"),
    ({"customer": {"customerToken": "4791234567.0000"}}, 400, "4050"),
    ({"profile": {"scope": "name shoeSize"}}, 400, "4080"),
    ({"profile": {"scope": "name nin"}}, 403, "5030"),
    ({"returnUrl": "http://film.example/thanks"}, 400, "4090"),
    ({"returnUrl": "film.example/thanks"}, 400, "4090"),
    ({"receiptUrl": "http://film.example/receipt"}, 400, "4090"),
    ({"metadata": {str(n): "x" for n in range(6)}}, 400, "4100"),
    ({"metadata": {"k" * 101: "x"}}, 400, "4120"),
    ({"metadata": {"k": "x" * 501}}, 400, "4130"),
    ({"paymentMethod": {"type": "WALLET", "blockedSources": ["COMMERCIAL_CARDS"]}}, 400, "5010"),
    ({"paymentMethod": {"type": "CARD"}}, 400, "5070"),
    ({"paymentMethod": {"type": "CARD_PASSTHROUGH"}, "cardPassthrough": PASSTHROUGH}, 400, "4160"),
    (PUSH, 403, "5080"),
    ({"expiresAt": "2027-01-16T09:00:00Z"}, 400, "6130"),
    ({"expiresAt": "2027-01-16T09:00:00Z", "receipt": RECEIPT}, 403, "5050"),
    ({"shipping": {"fixedOptions": [GROUP]}, "profile": EXPRESS}, 403, "5020"),
    ({"shipping": {"dynamicOptions": {"callbackUrl": "http://film.example"}}, "profile": EXPRESS}, 400, "4090"),
]


@pytest.mark.shows(
    "error:4040",
    "error:4050",
    "error:4060",
    "error:4070",
    "error:4080",
    "error:4090",
    "error:4100",
    "error:4120",
    "error:4130",
    "error:4160",
    "error:5010",
    "error:5020",
    "error:5030",
    "error:5040",
    "error:5050",
    "error:5070",
    "error:5080",
    "error:6010",
    "error:6130",
)
@pytest.mark.parametrize(("changes", "status", "expected"), FORBIDDEN)
async def test_what_business_forbids_has_a_code(till: Any, changes: Any, status: int, expected: str) -> None:
    reply = await till.create(**changes)
    assert (reply.status, code(reply)) == (status, expected), reply.body
    assert (await till.sandbox.control("GET", "/export"))["payments"] == []


ALLOWED: list[dict[str, Any]] = [
    {"amount": {"currency": "NOK", "value": 100}},
    {"amount": {"currency": "NOK", "value": 65_000_000}},
    {"reference": "x" * 64},
    {"reference": "ABCD-efg"},
    {"returnUrl": "filmapp://thanks"},
    {"returnUrl": "http://127.0.0.1:8080/thanks"},
    {"returnUrl": "http://localhost/thanks"},
    {"paymentDescription": ...},
    {"minimumUserAge": None, "customerInteraction": "CUSTOMER_PRESENT"},
    {"customer": {"customerInteraction": "CUSTOMER_PRESENT"}, "unheardOf": 1},
    {"customer": {"phoneNumber": "123456789"}},
    {"userFlow": "NATIVE_REDIRECT", "returnUrl": ...},
    {"metadata": {"k" * 100: "x" * 500} | {str(n): "" for n in range(4)}},
    {"industryData": {"airlineData": FLIGHT | {"ticketNumber": "t"}}},
    {"receipt": RECEIPT, "receiptUrl": "https://film.example/receipt"},
    {
        "receipt": {
            "orderLines": [
                LINE | {"unitInfo": {"unitPrice": None, "quantity": "0.125", "quantityUnit": "KWH"}, "discount": 0}
            ],
            "bottomLine": {
                "currency": "NOK",
                "tipAmount": 1,
                "paymentSources": {"giftCard": 1},
                "barcode": {"format": "EAN-13", "data": "123"},
                "shippingInfo": {"amount": 1, "amountExcludingTax": 1, "taxAmount": None, "taxPercentage": None},
            },
        }
    },
    {"merchantLegalLinks": {"termsOfSaleUrl": "https://film.example/terms"}},
    {"profile": {"scope": "name address email phoneNumber birthDate"}},
]


@pytest.mark.parametrize("changes", ALLOWED)
async def test_what_may_be_asked_for(till: Any, changes: dict[str, Any]) -> None:
    reply = await till.create(**changes)
    assert reply.status == 201, reply.body


@pytest.mark.shows("error:4110")
async def test_a_metadata_key_stands_once(till: Any) -> None:
    body = json.dumps(till.body(metadata={"order": "7", "shop": "1"}))
    reply = await till.call("POST", PATH, body.replace('"shop"', '"order"').encode())
    assert (reply.status, code(reply)) == (400, "4110")
    # The same word twice in other objects is nobody's business.
    body = json.dumps(till.body(metadata={"order": "7"}, receipt=RECEIPT))
    assert (await till.call("POST", PATH, body.replace('"id": "1"', '"id": "1", "id": "2"').encode())).status == 201


async def test_the_words_of_the_two_published_refusals(till: Any) -> None:
    reply = await till.create(reference="no", paymentDescription="x")
    assert reply["detail"] == "See extraDetails for further details"
    assert {one["name"]: one["reason"] for one in reply["extraDetails"]} == {
        "reference": "The field Reference must be a string with a minimum length of 8 and a maximum length of 64.",
        "paymentDescription": "The field PaymentDescription must be a string with a minimum length of 3 "
        "and a maximum length of 100.",
    }
    (wrong,) = (await till.create(reference="film_00000001"))["extraDetails"]
    assert wrong["reason"] == "The field Reference must match the regular expression '^[a-zA-Z0-9-]{8,64}$'."


@pytest.mark.parametrize(("market", "currency", "least"), [("NO", "NOK", 100), ("DK", "DKK", 1), ("FI", "EUR", 1)])
async def test_each_market_has_its_currency_and_least_amount(till: Any, market: str, currency: str, least: int) -> None:
    await till.allow(market=market)
    assert (await till.create(amount={"currency": currency, "value": least})).status == 201
    assert code(await till.create(amount={"currency": currency, "value": least - 1})) == "6010"
    blocked = {"type": "WALLET", "blockedSources": ["COMMERCIAL_CARDS"]}
    reply = await till.create(amount={"currency": currency, "value": 1000}, paymentMethod=blocked)
    assert reply.status == (400 if market == "NO" else 201)


@pytest.mark.shows("error:6110", "error:6120", "rule:P3")
async def test_a_long_living_payment_lives_until_its_own_end(till: Any) -> None:
    await till.allow(longLivingAllowed=True)
    for expires, expected in (
        ("2027-01-15T09:10:00Z", "6120"),
        ("2027-01-15T10:10:00+01:00", "6120"),
        ("2027-03-16T09:00:00.001Z", "6110"),
    ):
        reply = await till.create(receipt=RECEIPT, expiresAt=expires)
        assert code(reply) == expected, expires
    latest, _ = await till.created(receipt=RECEIPT, expiresAt="2027-03-16T09:00:00Z")
    reference, url = await till.created(receipt=RECEIPT, expiresAt="2027-01-20t10:00:00+01:00")
    await till.sandbox.advance_to("2027-01-20T08:59:59Z")
    assert (await till.open(url))["state"] == "CREATED"
    await till.sandbox.advance_to("2027-01-20T09:00:00Z")
    assert (await till.sums(reference))[0] == "EXPIRED"
    assert (await till.sums(latest))[0] == "CREATED"


@pytest.mark.shows("error:7010")
async def test_a_push_reaches_its_telephone_and_nobody_else(till: Any) -> None:
    await till.allow(pushMessageAllowed=True)
    people = till.sandbox.person
    await people("4790000001", temperament="approves")
    await people("4790000002", temperament="rejects")
    await people("4790000003", birthDate="2010-01-16")
    for number, age, state in (("4790000001", 18, "AUTHORIZED"), ("4790000002", 0, "ABORTED"), (ANNA, 99, "CREATED")):
        reference, url = await till.created(**PUSH | {"customer": {"phoneNumber": number}, "minimumUserAge": age})
        assert url is None
        assert (await till.sums(reference))[0] == state
        assert [one["reference"] for one in (await till.sandbox.control("GET", f"/phone/{number}"))["payments"]] == [
            reference
        ]
    for number, age in (("4799999999", 0), ("4790000003", 17)):
        reply = await till.create(**PUSH | {"customer": {"phoneNumber": number}, "minimumUserAge": age})
        assert (reply.status, code(reply)) == (404, "7010")
    assert (await till.create(**PUSH | {"customer": {"phoneNumber": "4790000003"}, "minimumUserAge": 16})).status == 201


async def test_whoever_is_too_young_cannot_pay_and_time_runs_out(till: Any) -> None:
    await till.sandbox.person("4790000003", birthDate="2010-01-16")
    reference, _ = await till.created(minimumUserAge=17)
    reply = await till.decide("approve", reference, "4790000003")
    assert (reply["decision"], reply["state"]) == ("failed", "CREATED")
    assert "17" in reply["reason"]
    await till.sandbox.advance(by="PT10M")
    assert (await till.sums(reference))[0] == "EXPIRED"


async def test_a_customer_is_named_by_code_or_token_as_well(till: Any) -> None:
    await till.allow(pushMessageAllowed=True)
    codes = (await till.sandbox.control("GET", f"/phone/{ANNA}/codes")).body
    for customer in ({"personalQr": codes["personalQr"]}, {"customerToken": codes["customerToken"]}):
        reference, _ = await till.created(**PUSH | {"customer": customer})
        shown = (await till.sandbox.control("GET", f"/phone/{ANNA}"))["payments"]
        assert shown[-1]["reference"] == reference
    forged = codes["customerToken"].replace(ANNA, "4790000001")
    assert code(await till.create(customer={"customerToken": forged})) == "4050"
    assert (await till.sandbox.control("GET", "/phone/4790000009/codes")).status == 404


async def test_what_the_payer_shares_is_told_and_can_be_read(till: Any, told: Any, quiet: Any) -> None:
    await till.sandbox.person(
        "4790000005",
        name="Kari Anne Dahl",
        email="kari@example.com",
        birthDate="1980-05-05",
        address={"streetAddress": "Storgata 1", "postalCode": "0155", "region": "Oslo", "country": "NO"},
    )
    reference = await till.paid("4790000005", profile={"scope": "name email address birthDate"})
    payment = (await till.get(reference)).body
    details = {
        "firstName": "Kari Anne",
        "lastName": "Dahl",
        "email": "kari@example.com",
        "dateOfBirth": "1980-05-05",
        "addresses": [{"addressLine1": "Storgata 1", "city": "Oslo", "country": "NO", "postCode": "0155"}],
    }
    assert payment["userDetails"] == details
    sub = payment["profile"]["sub"]
    assert (await till.call("GET", f"/vipps-userinfo-api/userinfo/{sub}"))["email"] == "kari@example.com"
    again = await till.paid("4790000005", profile={"scope": "name"})
    other = await till.paid(ANNA, profile={"scope": "name"})
    assert (await till.get(again))["profile"]["sub"] == sub != (await till.get(other))["profile"]["sub"]
    await quiet()
    authorized = next(one for one in told.got if one["name"] == "AUTHORIZED" and one["reference"] == reference)
    assert (authorized["sub"], authorized["userDetails"]) == (sub, details)


async def test_who_will_not_share_does_not_pay(till: Any) -> None:
    await till.sandbox.person("4790000006", shares=False)
    reference, _ = await till.created(profile={"scope": "name"})
    assert (await till.decide("approve", reference, "4790000006"))["state"] == "ABORTED"
    assert await till.paid("4790000006")
