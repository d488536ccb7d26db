"""Our wishes as Vipps wants them, and what Vipps says as we understand it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale.domain.campaign import Campaign, CampaignKind
from avtale.domain.charge import Totals
from avtale.domain.money import Money
from avtale.domain.observations import Drafted, GatewayAgreementState
from avtale.domain.periods import Interval, Unit
from avtale.domain.settlement import GatewayChargeState
from avtale.domain.wishes import ChargeWish
from avtale.gateways.vipps import limits, translate

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)))


def test_a_draft_says_all_that_the_person_agrees_to(draft_wish):
    request = translate.write_draft(draft_wish)
    assert request.id == draft_wish.draft_id
    assert (request.method, request.path) == ("POST", "/recurring/v3/agreements")
    assert "Alle filmer, så ofte du vil".encode() in request.body
    assert json.loads(request.body) == {
        "pricing": {"type": "LEGACY", "amount": 9900, "currency": "NOK"},
        "interval": {"unit": "MONTH", "count": 1},
        "merchantRedirectUrl": "https://film.example/back?draft=1",
        "merchantAgreementUrl": "https://film.example/me",
        "productName": "Nordlys Film",
        "productDescription": "Alle filmer, så ofte du vil",
        "phoneNumber": "4791234567",
        "externalId": "018f0000-0000-7000-8000-000000000001",
        "initialCharge": {
            "amount": 9900,
            "description": "Nordlys Film",
            "transactionType": "DIRECT_CAPTURE",
            "orderId": "018f0000-0000-7000-8000-000000000002",
            "externalId": "018f0000-0000-7000-8000-000000000003.1",
        },
    }


def test_what_is_not_known_is_not_said(draft_wish, terms):
    wish = replace(draft_wish, phone_number=None, is_app=True, terms=replace(terms, description=None))
    said = json.loads(translate.write_draft(wish).body)
    assert said["isApp"] is True
    assert not {"phoneNumber", "productDescription"} & said.keys()


@pytest.mark.parametrize("unit", Unit)
def test_every_interval_has_its_name(draft_wish, terms, unit):
    wish = replace(draft_wish, terms=replace(terms, interval=Interval(unit, 3)))
    assert json.loads(translate.write_draft(wish).body)["interval"] == {
        "unit": {Unit.DAY: "DAY", Unit.WEEK: "WEEK", Unit.MONTH: "MONTH", Unit.YEAR: "YEAR"}[unit],
        "count": 3,
    }


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "x" * 46}, "name is longer than 45"),
        ({"name": "🎬" * 23}, "name is longer than 45"),
        ({"name": "  "}, "name is empty"),
        ({"description": "x" * 101}, "description is longer than 100"),
        ({"agreement_url": "film.example/me"}, "agreement_url is a web address"),
        ({"agreement_url": "https://film.example/" + "x" * 1010}, "agreement_url is longer than 1024"),
        ({"price": Money(99, "NOK")}, "100 to"),
        ({"price": Money(0, "EUR")}, "1 to"),
        ({"price": Money(2**31, "NOK")}, "100 to"),
        ({"price": Money(-1, "NOK")}, "100 to"),
        ({"price": Money(9900, "USD")}, "NOK, DKK, EUR, not USD"),
        ({"name": "\ud800"}, "surrogates"),
    ],
)
def test_a_product_that_vipps_would_refuse_is_refused_before(draft_wish, terms, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        translate.write_draft(replace(draft_wish, terms=replace(terms, **change)))


CAMPAIGNS = {
    "price": Campaign("a", CampaignKind.PRICE, 0, until=date(2027, 6, 1)),
    "period": Campaign("b", CampaignKind.PERIOD, 14900, length=Interval(Unit.MONTH, 3)),
    "event": Campaign("c", CampaignKind.EVENT, 4900, until=date(2027, 6, 1), text="to the cup"),
}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("price", {"type": "PRICE_CAMPAIGN", "price": 0, "end": "2027-05-31T22:00:00Z"}),
        ("period", {"type": "PERIOD_CAMPAIGN", "price": 14900, "period": {"unit": "MONTH", "count": 3}}),
        (
            "event",
            {
                "type": "EVENT_CAMPAIGN",
                "price": 4900,
                "eventDate": "2027-05-31T22:00:00Z",
                "eventText": "to the cup",
            },
        ),
    ],
)
def test_a_campaign_is_shown_and_its_price_is_the_first(draft_wish, terms, kind, said):
    campaign = CAMPAIGNS[kind]
    ends_at = datetime(2027, 5, 31, 22, tzinfo=UTC) if campaign.until else None
    wish = replace(draft_wish, terms=replace(terms, campaign=campaign), campaign_ends_at=ends_at)
    draft = json.loads(translate.write_draft(wish).body)
    assert draft["campaign"] == said
    assert draft["pricing"]["amount"] == 9900
    assert draft.get("initialCharge", {"amount": 0})["amount"] == campaign.price


def test_a_price_that_varies_suggests_a_limit_and_reads_the_one_that_was_chosen(draft_wish, terms):
    wish = replace(draft_wish, terms=replace(terms, suggested_max=50000))
    assert json.loads(translate.write_draft(wish).body)["pricing"] == {
        "type": "VARIABLE",
        "suggestedMaxAmount": 50000,
        "currency": "NOK",
    }
    said = {"id": "agr_1", "status": "ACTIVE", "pricing": {"type": "VARIABLE", "maxAmount": 30000}}
    assert translate.read_agreement(json.dumps(said).encode(), "agr_1").limit == 30000


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"suggested_max": 99}, "suggested limit"),
        ({"suggested_max": 2_000_001}, "suggested limit"),
        ({"suggested_max": 5000}, "more than the suggested limit"),
        ({"suggested_max": 50000, "campaign": CAMPAIGNS["price"]}, "no campaigns"),
        ({"campaign": replace(CAMPAIGNS["price"], price=99)}, "100 to"),
        ({"campaign": replace(CAMPAIGNS["event"], text="x" * 16)}, "longer than 15"),
        ({"interval": Interval(Unit.MONTH, 37)}, "1 to 31 months"),
    ],
)
def test_terms_that_vipps_would_refuse(terms, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        limits.check_terms(replace(terms, **change))


def test_many_months_are_shown_as_years(draft_wish, terms):
    wish = replace(draft_wish, terms=replace(terms, interval=Interval(Unit.MONTH, 36)))
    assert json.loads(translate.write_draft(wish).body)["interval"] == {"unit": "YEAR", "count": 3}


@pytest.mark.parametrize("currency", ["DKK", "EUR"])
def test_the_smallest_price_is_the_currencys(terms, currency):
    limits.check_terms(replace(terms, price=Money(1, currency)))


@pytest.mark.parametrize("number", ["+4791234567", "91 23 45 67", "1234567", "1" * 16, "", "٤٧٩١٢٣٤٥٦٧"])
def test_a_phone_number_is_digits(draft_wish, number):
    with pytest.raises(ValueError, match="phone number"):
        translate.write_draft(replace(draft_wish, phone_number=number))


def test_a_redirect_has_its_limit(draft_wish):
    with pytest.raises(ValueError, match="redirect URL is longer"):
        translate.write_draft(replace(draft_wish, redirect_url="https://film.example/" + "x" * 1010))


def test_a_charge_names_its_order_and_its_period(charge_wish):
    request = translate.write_charge(charge_wish)
    assert request.id == charge_wish.order_id
    assert (request.method, request.path) == ("POST", "/recurring/v3/agreements/agr_5kSeqz/charges")
    assert json.loads(request.body) == {
        "type": "RECURRING",
        "transactionType": "DIRECT_CAPTURE",
        "amount": 9900,
        "description": "Nordlys Film, 2027-02-01 – 2027-02-28",
        "due": "2027-02-01",
        "retryDays": 5,
        "orderId": "018f0000-0000-7000-8000-000000000004",
        "externalId": "018f0000-0000-7000-8000-000000000003.2",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": 2**31},
        {"amount": True},
        {"retry_days": -1},
        {"retry_days": 15},
        {"description": " "},
        {"reference": ""},
        {"reference": "x" * 65},
    ],
)
def test_a_charge_that_vipps_would_refuse_is_not_written(charge_wish, change):
    with pytest.raises(ValueError):
        translate.write_charge(replace(charge_wish, **change))


@given(
    st.builds(
        ChargeWish,
        order_id=st.uuids(),
        gateway_agreement_id=st.text("abcXYZ019_-/?#å ", min_size=1, max_size=36),
        amount=st.integers(1, 2**31 - 1),
        due=st.dates(date(2020, 1, 1)),
        retry_days=st.integers(0, 14),
        description=ANY_TEXT.filter(str.strip),
        reference=st.builds(lambda agreement, period: f"{agreement}.{period}", st.uuids(), st.integers(1, 9999)),
    )
)
def test_every_charge_wish_is_read_back_as_it_was(wish):
    """The body as Vipps would answer it, still waiting: what we read names the order and no money."""
    request = translate.write_charge(wish)
    said = json.loads(request.body)
    assert request == translate.write_charge(wish)  # the same wish is the same bytes
    assert request.path.count("/") == 5
    assert not set("?# ") & set(request.path)
    assert 1 <= len(said["description"]) <= 45
    echo = {
        **said,
        "id": said["orderId"],
        "status": "DUE",
        "summary": {"captured": 0, "refunded": 0, "cancelled": 0},
    }
    observed = translate.read_charge(json.dumps(echo).encode(), str(wish.order_id))
    assert (observed.order_id, observed.state) == (str(wish.order_id), GatewayChargeState.WAITING)
    assert observed.totals == Totals()


def test_a_stop_says_nothing_else():
    request = translate.write_stop(UUID(int=7), "agr_5kSeqz")
    assert request.id == UUID(int=7)
    assert (request.method, request.path) == ("PATCH", "/recurring/v3/agreements/agr_5kSeqz")
    assert request.body == b'{"status":"STOPPED"}'


def test_a_refund_says_how_much_and_why():
    request = translate.write_refund(UUID(int=8), "agr_5kSeqz", "order-1", 4000, "  Strømbrudd  ")
    assert request.id == UUID(int=8)
    assert (request.method, request.path) == (
        "POST",
        "/recurring/v3/agreements/agr_5kSeqz/charges/order-1/refund",
    )
    assert request.body == '{"amount":4000,"description":"Strømbrudd"}'.encode()


def test_a_long_reason_is_shortened_for_vipps():
    said = json.loads(translate.write_refund(UUID(int=8), "a", "o", 1, "x" * 150).body)
    assert said["description"] == "x" * 99 + "…"


@pytest.mark.parametrize(("amount", "reason"), [(0, "why"), (-1, "why"), (1, ""), (1, " ")])
def test_a_refund_needs_a_sum_and_a_reason(amount, reason):
    with pytest.raises(ValueError):
        translate.write_refund(UUID(int=8), "a", "o", amount, reason)


def test_the_answer_to_a_draft():
    said = {
        "agreementId": "agr_1",
        "uuid": "u",
        "vippsConfirmationUrl": "https://vipps.example/x?token=" + "j" * 3000,
    }
    assert translate.read_drafted(json.dumps({**said, "chargeId": None, "new": {"field": 1}}).encode()) == Drafted(
        "agr_1", said["vippsConfirmationUrl"]
    )
    with pytest.raises(ValueError, match="vippsConfirmationUrl is missing"):
        translate.read_drafted(b'{"agreementId":"agr_1"}')


def agreement(**said: object) -> bytes:
    return json.dumps({"id": "agr_1", "status": "ACTIVE", "unheard": {"of": [1]}, **said}).encode()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PENDING", GatewayAgreementState.PENDING),
        ("ACTIVE", GatewayAgreementState.ACTIVE),
        ("STOPPED", GatewayAgreementState.STOPPED),
        ("EXPIRED", GatewayAgreementState.EXPIRED),
    ],
)
def test_every_agreement_status_has_our_word(status, state):
    assert translate.read_agreement(agreement(status=status), "agr_1").state is state


def test_an_agreement_and_its_instants():
    body = agreement(
        status="STOPPED",
        externalId="draft-1",
        start="2027-01-31T09:00:00.1234567Z",
        stop="2027-03-01T02:00:00+02:00",
    )
    observed = translate.read_agreement(body, "agr_1")
    assert observed.external_id == "draft-1"
    assert observed.started_at == datetime(2027, 1, 31, 9, 0, 0, 123456, UTC)
    assert observed.stopped_at == datetime(2027, 3, 1, tzinfo=UTC)
    assert observed.stopped_at.tzinfo is UTC


@pytest.mark.parametrize("said", [{"start": None, "externalId": None}, {}, {"externalId": ""}])
def test_a_draft_that_was_rejected_never_started(said):
    observed = translate.read_agreement(agreement(status="STOPPED", **said), "agr_1")
    assert (observed.started_at, observed.external_id) == (None, None)


def test_an_instant_without_an_offset_is_utc():
    observed = translate.read_agreement(agreement(start="2027-01-31T09:00:00"), "agr_1")
    assert observed.started_at == datetime(2027, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"status": "PAUSED"}, "agreement status that we do not know: PAUSED"),
        ({"status": None}, "status is missing"),
        ({"status": ["ACTIVE"]}, "status is not a text"),
        ({"id": "agr_2"}, "another agreement"),
        ({"id": None}, "id is missing"),
        ({"start": "yesterday"}, "start is not an instant"),
        ({"start": 1}, "start is not a text"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start is not an instant"),
        ({"externalId": "a\u0000b"}, "externalId is not a text"),
        ({"externalId": "\ud800"}, "externalId is not a text"),
    ],
)
def test_an_agreement_that_we_cannot_read_is_not_guessed(said, complaint):
    with pytest.raises(ValueError, match=complaint):
        translate.read_agreement(agreement(**said), "agr_1")


def charge(**said: object) -> bytes:
    return json.dumps({"id": "order-1", "amount": 9900, "status": "CHARGED", "history": [], **said}).encode()


def summary(captured: object = 0, refunded: object = 0, cancelled: object = 0) -> dict[str, object]:
    return {"captured": captured, "refunded": refunded, "cancelled": cancelled}


@pytest.mark.parametrize(
    ("status", "said", "state", "totals"),
    [
        ("PENDING", summary(), GatewayChargeState.WAITING, Totals()),
        ("DUE", summary(), GatewayChargeState.WAITING, Totals()),
        ("PROCESSING", summary(), GatewayChargeState.WAITING, Totals()),
        ("RESERVED", summary(), GatewayChargeState.RESERVED, Totals()),
        ("CHARGED", summary(9900), GatewayChargeState.CAPTURED, Totals(9900)),
        ("CHARGED", summary(5000, 0, 4900), GatewayChargeState.CAPTURED, Totals(5000, 0, 4900)),
        ("PARTIALLY_CAPTURED", summary(5000), GatewayChargeState.CAPTURED, Totals(5000)),
        ("PARTIALLY_REFUNDED", summary(9900, 100), GatewayChargeState.CAPTURED, Totals(9900, 100)),
        ("REFUNDED", summary(1000, 600), GatewayChargeState.CAPTURED, Totals(1000, 600)),
        ("FAILED", summary(), GatewayChargeState.FAILED, Totals()),
        ("CANCELLED", summary(0, 0, 9900), GatewayChargeState.CANCELLED, Totals(0, 0, 9900)),
        ("DUE", None, GatewayChargeState.WAITING, Totals()),
        ("CHARGED", None, GatewayChargeState.CAPTURED, Totals(9900)),
        ("REFUNDED", None, GatewayChargeState.CAPTURED, Totals(9900, 9900)),
        ("FAILED", None, GatewayChargeState.FAILED, Totals()),
        ("CANCELLED", None, GatewayChargeState.CANCELLED, Totals(0, 0, 9900)),
    ],
)
def test_every_charge_status_has_our_word_and_its_sums(status, said, state, totals):
    observed = translate.read_charge(charge(status=status, summary=said), "order-1")
    assert (observed.order_id, observed.state, observed.totals) == ("order-1", state, totals)


def test_why_a_try_failed_is_told_while_there_are_more():
    observed = translate.read_charge(charge(status="DUE", failureReason="user_action_required"), "order-1")
    assert (observed.state, observed.failure_reason) == (GatewayChargeState.WAITING, "user_action_required")
    assert translate.read_charge(charge(failureReason=None), "order-1").failure_reason is None


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"status": "UNKNOWN"}, "charge status that we do not know: UNKNOWN"),
        ({"id": "order-2"}, "another charge"),
        ({"summary": summary("9900")}, "captured is not an amount"),
        ({"summary": summary(99.0)}, "captured is not an amount"),
        ({"summary": summary(True)}, "captured is not an amount"),
        ({"summary": summary(-1)}, "captured is not an amount"),
        ({"summary": {"captured": 9900}}, "refunded is not an amount"),
        ({"summary": summary(100, 200)}, "refunded 200 of 100"),
        ({"summary": []}, "summary is not an object"),
        ({"status": "PARTIALLY_CAPTURED"}, "says no sum"),
        ({"status": "PARTIALLY_REFUNDED"}, "says no sum"),
        ({"amount": None}, "amount is not an amount"),
    ],
)
def test_sums_that_we_cannot_read_are_not_guessed(said, complaint):
    with pytest.raises(ValueError, match=complaint):
        translate.read_charge(charge(**said), "order-1")


READERS = [
    translate.read_drafted,
    translate.read_created,
    lambda body: translate.read_agreement(body, "x"),
    lambda body: translate.read_charge(body, "x"),
    lambda body: translate.read_registered(body, "https://x", ()),
    translate.read_webhooks,
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b"<html>", b"\xff", b"[" * 100_000, b'{"id":' + b"1" * 5000 + b"}"]
)
def test_a_body_that_is_something_else_is_a_value_error(read, body):
    with pytest.raises(ValueError):
        read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMED = st.dictionaries(
    st.sampled_from(["id", "status", "summary", "amount", "start", "externalId", "failureReason", "webhooks"]),
    JSON | st.sampled_from(["x", "CHARGED", "ACTIVE", "CANCELLED"]),
)


@given(NAMED)
def test_whatever_is_said_is_read_or_a_value_error(said):
    body = json.dumps(said).encode()
    for read in READERS:
        try:
            read(body)
        except ValueError:
            continue


def test_registrations_are_read_without_their_secrets():
    body = b'{"webhooks":[{"id":"w1","url":"https://a.example/","events":["e1","e2"],"secret":"s"}],"more":1}'
    [webhook] = translate.read_webhooks(body)
    assert (webhook.id, webhook.url, webhook.events, webhook.secret) == (
        "w1",
        "https://a.example/",
        ("e1", "e2"),
        None,
    )


@pytest.mark.parametrize(
    "row", [None, {}, {"id": "w", "url": "u", "events": "e"}, {"id": "w", "url": "u", "events": [1]}]
)
def test_a_registration_that_we_cannot_read_is_an_error(row):
    with pytest.raises(ValueError):
        translate.read_webhooks(json.dumps({"webhooks": [row]}).encode())
