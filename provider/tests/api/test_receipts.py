"""Receipts in three forms, which say the same figures, and what the bookkeeping rules want on them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pypdf import PdfReader

from avtale.api.accepting import NotAcceptable, language, media_type
from avtale.api.payments.documents import document_of, page, pdf
from avtale.api.payments.people import encode_subject
from avtale.domain.receipt import ReceiptKind, Sums
from avtale.storage.receipts import Receipt

from .conftest import Answer, World
from .test_config import change, codes, register

OFFERED = ("application/json", "text/html", "application/pdf")
SELLER = {
    "name": "Nordlys Film AS",
    "organization_number": "999999999",
    "vat_registered": True,
    "business_register": True,
    "address": "Storgata 1, 0155 Oslo",
}


def issued(kind: ReceiptKind = ReceiptKind.RECEIPT, **more: Any) -> Receipt:
    some = UUID(int=7)
    values: dict[str, Any] = {
        "id": some,
        "seller": "999999999",
        "kind": kind,
        "number": 41,
        "ledger_id": some,
        "corrects_id": None,
        "agreement_id": some,
        "purchase_id": None,
        "charge_id": some,
        "issuer": "https://id.example",
        "subject": "anna",
        "sums": Sums(123456, 24691, 2500),
        "currency": "NOK",
        "content": {
            "seller": SELLER,
            "product": "Film, måned",
            "period": 1,
            "periodStart": "2027-01-15",
            "periodEnd": "2027-02-15",
            "dueDate": "2027-01-15",
        },
        "issued_at": datetime(2027, 1, 14, 23, 30, tzinfo=UTC),
    }
    return Receipt(**values | more)


def text_of(sheet: bytes) -> str:
    return "\n".join(one.extract_text() for one in PdfReader(io.BytesIO(sheet)).pages)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_receipt_says_what_the_bookkeeping_rules_want() -> None:
    text = flat(text_of(pdf(document_of(issued(), None, "Europe/Oslo", "nb"))))
    for said in (
        "Kvittering 41",
        "2027-01-15",  # the date in the tenant's zone
        "Nordlys Film AS, Org.nr. 999999999 MVA, Foretaksregisteret, Storgata 1, 0155 Oslo",
        "Film, måned",
        "2027-01-15 til 2027-02-14",
        "elektronisk",
        "NOK 987,65",
        "Mva. 25 %",
        "NOK 246,91",
        "Betalt med Vipps",
        "NOK 1 234,56",
    ):
        assert said in text, said


def test_a_credit_note_names_what_it_corrects() -> None:
    note = issued(ReceiptKind.CREDIT_NOTE, number=3, corrects_id=UUID(int=7))
    document = document_of(note, issued(), "Europe/Oslo", "en")
    for text in (text_of(pdf(document)), page(document)):
        assert "Credit note 3" in text
        assert "41 (2027-01-15)" in text
        assert "Given back with Vipps" in text
        assert "NOK 1,234.56" in text


@pytest.mark.parametrize(
    "name", ["Příběh č. 3", "Ελληνικά", "Кино", "Čáhppes eatnan", "10 € & <b>", "映画 🎬", "x" * 300]
)
def test_any_name_can_stand_on_a_document(name: str) -> None:
    document = document_of(issued(content=issued().content | {"product": name}), None, "Europe/Oslo", "en")
    text = flat(text_of(pdf(document))).replace(" ", "")
    if name != "映画 🎬":
        assert name.replace(" ", "") in text
    assert "<b>" not in page(document).replace("&lt;b&gt;", "")
    assert len(PdfReader(io.BytesIO(pdf(document))).pages) == 1


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/pdf", "application/pdf"),
        ("APPLICATION/PDF;q=0.5, text/html;q=0.4", "application/pdf"),
        ("text/*, application/pdf;q=0.9", "text/html"),
        ("application/json;q=0, */*", "text/html"),
        ("*/*;q=x, application/pdf;q=0.1", "application/pdf"),
    ],
)
def test_the_form_that_is_liked_best(accept: str | None, kind: str) -> None:
    assert media_type(accept, OFFERED) == kind


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/plain, image/*"])
def test_forms_that_there_are_not(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        media_type(accept, OFFERED)


@pytest.mark.parametrize(
    ("accept", "spoken"),
    [(None, "en"), ("nb-NO, en;q=0.8", "nb"), ("en, nb;q=0.8", "en"), ("fr, nn;q=0.3", "nb"), ("fr", "en")],
)
def test_the_language_that_is_liked_best(accept: str | None, spoken: str) -> None:
    assert language(accept) == spoken


@pytest.mark.shows("payments:getV1Receipt", "payments:getV1ReceiptAdmin2", "payments:listV1Receipt")
async def test_three_forms_say_the_same_figures(world: World) -> None:
    agreement = await world.paid()
    refund = f"/api/v1/charges/{agreement['charges'][0]['chargeId']}/refunds"
    await world.call("POST", refund, token=world.admin(), json={"amount": 4000, "reason": "Hakket"})
    await world.settle()
    listed = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    assert {one["kind"] for one in listed} == {"receipt", "credit_note"}
    for one in listed:
        paths = (
            (f"/api/v1/receipt/{one['receiptId']}", world.anna()),
            (f"/api/v1/receipt/admin/{encode_subject('auth0|anna')}/{one['receiptId']}", world.admin()),
        )
        for path, token in paths:
            assert (await world.call("GET", path, token=token)).json == one
            shown = await world.call("GET", path, token=token, headers={"Accept": "text/html"})
            assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
            assert {"Accept", "Accept-Language"} <= set(shown.headers["Vary"].split(", "))
            printed = await world.call("GET", path, token=token, headers={"Accept": "application/pdf"})
            assert printed.headers["Content-Type"] == "application/pdf"
            assert f'"{one["kind"]}-{one["number"]}.pdf"' in printed.headers["Content-Disposition"]
            vat, gross = one["vat"]["amount"], one["amount"]["amount"]
            for text in (shown.body.decode(), text_of(printed.body)):
                for minor in (gross, vat, gross - vat):
                    assert f"NOK {minor // 100}.{minor % 100:02d}" in text
            refused: Answer = await world.call("GET", path, token=token, headers={"Accept": "image/png"})
            assert (refused.status, refused.code) == (406, "not_acceptable")


@pytest.mark.shows("payments:listV1Receipt", "payments:listV1ConfigErrors")
async def test_a_receipt_in_euros_says_its_vat_in_kroner(world: World) -> None:
    finnish = {"clientId": "fi", "clientSecret": "fi-secret", "subscriptionKey": "fi-key", "market": "FI"}
    await world.control("POST", "/merchants", finnish | {"merchantSerialNumber": "765432"})
    product = {
        "id": "film-month",
        "name": "Film",
        "price_minor": 1000,
        "currency": "EUR",
        "interval": "month",
        "vat_percent": "25",
        "agreement_url": "https://film.example/me",
    }
    account = {
        "client_id": "fi",
        "client_secret": "fi-secret",
        "subscription_key": "fi-key",
        "merchant_serial_number": "765432",
    }
    await change(world, vipps=account, products=[product])
    await register(world)
    assert await codes(world) == ["exchange_rate_missing"]
    without = await world.paid(world.bjorn())
    rates = [
        {"currency": "EUR", "day": day, "nok": nok} for day, nok in (("2027-01-01", "11.6543"), ("2027-02-01", "9"))
    ]
    await change(world, vipps=account, products=[product], exchange_rates=rates)
    assert await codes(world) == []
    with_rate = await world.paid()
    assert without["charges"][0]["status"] == "paid"
    for agreement in (without, with_rate):
        refund = f"/api/v1/charges/{agreement['charges'][0]['chargeId']}/refunds"
        said = {"amount": 500, "reason": "half of it"}
        assert (await world.call("POST", refund, token=world.admin(), json=said)).status == 200
    await world.settle()
    note, receipt = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    # 200 cents of VAT, and half of them given back.
    assert receipt["vatInNok"] == {"amount": 2331, "rate": "11.6543", "rateDate": "2027-01-01"}
    assert note["vatInNok"] == {"amount": 1165, "rate": "11.6543", "rateDate": "2027-01-01"}
    page_of = await world.call(
        "GET", f"/api/v1/receipt/{receipt['receiptId']}", token=world.anna(), headers={"Accept": "text/html"}
    )
    assert "VAT in NOK (1 EUR = NOK 11.6543)" in page_of.body.decode()
    documents = (await world.call("GET", "/api/v1/receipt", token=world.bjorn())).json["receipts"]
    assert [one["vatInNok"] for one in documents] == [None, None]
