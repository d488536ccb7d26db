"""Which webhooks we believe, and what we keep of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale.gateways.vipps.events import VippsWebhooks, signature

# The vector that Vipps publishes with its description of the signature.
SECRET = "A0+AeKBRG2KRGvnNwJpQlb6IJFk48CKXCIcrLoHncVJKDILsQSxS6NWCccwWm6r6FhGKhiHTBsG2wo/xU6FY/A=="
URL = "https://webhook.site/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63"
BODY = b'{"some-unique-content":"ee6e441b-cc4a-46f8-895d-a5af79bcc233/hello-world"}'
HASH = "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4="
HEADERS = {
    "x-ms-date": "Thu, 30 Mar 2023 08:38:32 GMT",
    "x-ms-content-sha256": HASH,
    "Host": "webhook.site",
    "Authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
    "&Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U=",
}
WALL = datetime(2023, 3, 30, 8, 38, 32, tzinfo=UTC)

#: As ePayment's own page shows one: the short name in capitals, and the event's own pspReference.
PAYMENT = {
    "msn": "123456",
    "reference": "018f0000-0000-7000-8000-000000000005",
    "pspReference": "7686f7788898767977",
    "name": "CAPTURED",
    "amount": {"currency": "NOK", "value": 3900},
    "timestamp": "2027-01-15T09:01:00.1234567Z",
    "idempotencyKey": "k",
    "success": True,
}

webhooks = VippsWebhooks()


def test_the_published_vector():
    assert webhooks.verify(URL, HEADERS, BODY, [SECRET], WALL)


def test_header_names_have_no_case_and_the_received_host_plays_no_part():
    headers = {name.upper(): value for name, value in HEADERS.items()} | {"HOST": "evil.example"}
    assert webhooks.verify(URL, headers, BODY, [SECRET], WALL)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_clock_may_differ_by_five_minutes(seconds):
    assert webhooks.verify(URL, HEADERS, BODY, [SECRET], WALL + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_an_old_delivery_is_not_believed(seconds):
    assert not webhooks.verify(URL, HEADERS, BODY, [SECRET], WALL + timedelta(seconds=seconds))


@pytest.mark.parametrize("secrets", [[SECRET, "new"], ["new", SECRET], ["", SECRET], [SECRET, SECRET]])
def test_while_a_secret_is_changed_both_are_accepted(secrets):
    assert webhooks.verify(URL, HEADERS, BODY, secrets, WALL)


@pytest.mark.parametrize("secrets", [[], ["new"], [SECRET[:-1]], [base64.b64decode(SECRET).hex()]])
def test_without_the_secret_nothing_is_believed(secrets):
    assert not webhooks.verify(URL, HEADERS, BODY, secrets, WALL)


def test_an_empty_secret_signs_nothing():
    headers = signed(URL, BODY, "")
    assert not webhooks.verify(URL, headers, BODY, [""], WALL)


@pytest.mark.parametrize(
    "change",
    [
        {"x-ms-date": "Thu, 30 Mar 2023 08:38:33 GMT"},
        {"x-ms-date": "yesterday"},
        {"x-ms-date": ""},
        {"x-ms-content-sha256": HASH.lower()},
        {"x-ms-content-sha256": ""},
        {"Authorization": HEADERS["Authorization"][:-1]},
        {"Authorization": HEADERS["Authorization"].replace("HMAC-SHA256", "Bearer")},
        {"Authorization": HEADERS["Authorization"] + "&Signature=x"},
        {"Authorization": "æ\ud800"},
        {"Authorization": ""},
    ],
)
def test_a_changed_header_is_not_believed(change):
    assert not webhooks.verify(URL, HEADERS | change, BODY, [SECRET], WALL)


@pytest.mark.parametrize("name", ["x-ms-date", "x-ms-content-sha256", "Authorization"])
def test_a_missing_header_is_not_believed(name):
    headers = {key: value for key, value in HEADERS.items() if key != name}
    assert not webhooks.verify(URL, headers, BODY, [SECRET], WALL)


def test_a_changed_body_is_not_believed_even_with_its_own_hash():
    body = BODY.replace(b"hello", b"hallo")
    assert not webhooks.verify(URL, HEADERS, body, [SECRET], WALL)
    own = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert not webhooks.verify(URL, HEADERS | {"x-ms-content-sha256": own}, body, [SECRET], WALL)


@pytest.mark.parametrize("url", [URL + "/", URL + "?a=b", "https://webhook.site:8443/" + URL.split("/")[-1]])
def test_a_delivery_to_another_address_is_not_believed(url):
    assert not webhooks.verify(url, HEADERS, BODY, [SECRET], WALL)


@pytest.mark.parametrize(
    ("url", "path", "host"),
    [
        ("https://film.example", "/", "film.example"),
        ("https://Film.Example:443/hook?a=b%20c&d", "/hook?a=b%20c&d", "film.example"),
        ("http://127.0.0.1:80/h", "/h", "127.0.0.1"),
        ("http://127.0.0.1:8300/h", "/h", "127.0.0.1:8300"),
        ("https://film.example:80/h#part", "/h", "film.example:80"),
        ("http://[::1]:8300/h", "/h", "[::1]:8300"),
        ("https://user:pass@film.example/h", "/h", "film.example"),
    ],
)
def test_path_and_authority_are_those_of_the_registered_address(url, path, host):
    """Against the scheme written out a second time, from its description."""
    text = f"POST\n{path}\nThu, 30 Mar 2023 08:38:32 GMT;{host};{HASH}"
    expected = base64.b64encode(hmac.new(b"secret", text.encode(), "sha256").digest()).decode()
    assert signature("secret", url, "Thu, 30 Mar 2023 08:38:32 GMT", HASH) == expected


def signed(url: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers of a delivery, without the code under test."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    date = "Thu, 30 Mar 2023 08:38:32 GMT"
    path, host = "/" + url.split("/", 3)[3], url.split("/")[2]
    mac = hmac.new(secret.encode(), f"POST\n{path}\n{date};{host};{digest}".encode(), "sha256").digest()
    return {
        "X-Ms-Date": date,
        "X-Ms-Content-Sha256": digest,
        "Authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
        + base64.b64encode(mac).decode(),
    }


@given(st.binary(), st.text(min_size=1), st.binary(min_size=1))
def test_what_is_signed_is_believed_and_nothing_else(body, secret, more):
    if any("\ud800" <= c <= "\udfff" for c in secret):
        return
    headers = signed(URL, body, secret)
    assert webhooks.verify(URL, headers, body, [secret], WALL)
    assert not webhooks.verify(URL, headers, body + more, [secret], WALL)
    assert not webhooks.verify(URL, headers, body, [secret + "x"], WALL)


CHARGE = {
    "agreementId": "agr_1",
    "chargeId": "018f0000-0000-7000-8000-000000000004",
    "chargeExternalId": "018f0000-0000-7000-8000-000000000003.2",
    "eventType": "recurring.charge-captured.v1",
    "occurred": "2027-02-01T08:00:00Z",
    "amount": 9900,
    "currency": "NOK",
    "chargeType": "RECURRING",
    "amountCaptured": 9900,
    "amountCanceled": 0,
    "amountRefunded": 0,
    "failureCode": None,
    "failureReason": None,
    "transactionId": "5001419121",
    "msn": "123456",
}
AGREEMENT = {
    "agreementId": "agr_1",
    "agreementUUID": "9c2ca95c-245f-4a2e-aab2-4a08eb78e6fb",
    "agreementExternalId": "018f0000-0000-7000-8000-000000000001",
    "eventType": "recurring.agreement-stopped.v1",
    "occurred": "2027-02-01T08:00:00Z",
    "actor": "USER",
    "msn": "123456",
}


def read(said: object):
    return webhooks.read(json.dumps(said).encode())


def test_a_charge_is_found_by_its_order():
    subject = read(CHARGE)
    assert subject.event_type == "recurring.charge-captured.v1"
    assert (subject.gateway_agreement_id, subject.order_id) == ("agr_1", CHARGE["chargeId"])
    assert subject.external_id is None


def test_an_agreement_is_found_by_its_id_or_by_our_draft():
    subject = read(AGREEMENT)
    assert subject.event_type == "recurring.agreement-stopped.v1"
    assert (subject.gateway_agreement_id, subject.order_id) == ("agr_1", None)
    assert subject.external_id == AGREEMENT["agreementExternalId"]


def test_the_same_event_has_the_same_key_however_it_is_written():
    shuffled = dict(reversed(CHARGE.items()))
    without_nulls = {name: value for name, value in CHARGE.items() if value is not None}
    with_news = CHARGE | {"somethingNew": {"nested": 1}}
    assert {read(said).key for said in (CHARGE, shuffled, without_nulls, with_news)} == {read(CHARGE).key}
    assert webhooks.read(json.dumps(CHARGE, indent=2).encode()).key == read(CHARGE).key


@pytest.mark.parametrize(
    "change",
    [
        {"eventType": "recurring.charge-refunded.v1"},
        {"chargeId": "another"},
        {"agreementId": "agr_2"},
        {"occurred": "2027-02-01T08:00:01Z"},
        {"transactionId": "5001419122"},
        {"amountRefunded": 100},
        {"amountCaptured": 100},
        {"amountCanceled": 100},
        {"amount": 100},
        {"failureReason": "user_action_required"},
        {"msn": "654321"},
    ],
)
def test_another_event_has_another_key(change):
    assert read(CHARGE | change).key != read(CHARGE).key


@pytest.mark.parametrize("event", [event for event in webhooks.events if event.startswith("recurring.")])
def test_every_event_of_recurring_payments_that_we_register_for_is_read(event):
    assert read(CHARGE | {"eventType": event}).event_type == event


@pytest.mark.parametrize("event", [event for event in webhooks.events if event.startswith("epayments.")])
def test_every_event_of_a_payment_that_we_register_for_is_read(event):
    subject = read(PAYMENT | {"name": event.split(".")[2].upper()})
    assert (subject.event_type, subject.order_id) == (event, PAYMENT["reference"])
    assert (subject.gateway_agreement_id, subject.external_id) == (None, None)


def test_the_events_are_those_of_both_apis():
    assert len(set(webhooks.events)) == 18
    assert "recurring.charge-canceled.v1" in webhooks.events
    assert "epayments.payment.cancelled.v1" in webhooks.events


def test_two_captures_of_one_payment_are_two_events_and_a_repetition_is_one():
    again = {name: PAYMENT[name] for name in sorted(PAYMENT, reverse=True)} | {"idempotencyKey": None}
    assert read(again).key == read(PAYMENT).key
    assert read(PAYMENT | {"pspReference": "4013456789"}).key != read(PAYMENT).key


@pytest.mark.parametrize(
    "change", [{"reference": None}, {"reference": 7}, {"name": None}, {"name": "epayments.payment.captured.v1"}]
)
def test_what_is_no_event_of_a_payment_is_refused(change):
    with pytest.raises(ValueError):
        read(PAYMENT | change)


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        "recurring.charge-captured.v1",
        {"eventType": "recurring.charge-captured.v1"},
        CHARGE | {"eventType": "epayments.payment.captured.v1"},
        CHARGE | {"eventType": None},
        CHARGE | {"eventType": 7},
        CHARGE | {"chargeId": ["x"]},
        CHARGE | {"agreementId": "a\u0000b"},
        AGREEMENT | {"agreementExternalId": "\ud800"},
    ],
)
def test_what_is_no_such_event_is_a_value_error(said):
    with pytest.raises(ValueError):
        read(said)


@given(st.binary())
def test_any_body_is_an_event_or_a_value_error(body):
    with pytest.raises(ValueError):
        webhooks.read(body)


def test_odd_facts_still_have_a_key():
    assert len(read(CHARGE | {"failureReason": "\ud800", "amount": float("nan")}).key) == 64
