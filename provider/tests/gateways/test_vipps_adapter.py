"""Vipps Recurring over real HTTP, against a server that answers what each test says."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from avtale.domain.charge import Totals
from avtale.domain.observations import Drafted, GatewayAgreementState, ObservedAgreement, RegisteredWebhook
from avtale.domain.outcome import Answered, Refused, Throttled, Unknown
from avtale.domain.ports import RecurringGateway
from avtale.domain.settlement import GatewayChargeState, ObservedCharge
from avtale.gateways.outbound import Exchange, Outbound, OutboundLimits
from avtale.gateways.vipps.adapter import VippsRecurring
from avtale.gateways.vipps.calling import VippsCalls
from avtale.gateways.vipps.credentials import VippsCredentials

PROBLEMS = "https://developer.vippsmobilepay.com/docs/APIs/recurring-api/recurring-api-problems"
DRAFTED = {
    "agreementId": "agr_1",
    "uuid": "u",
    "vippsConfirmationUrl": "https://vipps.example/?token=j",
    "chargeId": None,
}
EVENTS = ["recurring.agreement-activated.v1", "recurring.charge-captured.v1"]


def test_it_is_the_port_that_use_cases_ask_for(vipps):
    port: RecurringGateway = vipps
    assert port.write_stop(UUID(int=1), "agr_1").body == b'{"status":"STOPPED"}'


async def test_a_draft_says_who_we_are_and_what_we_wrote(vipps, scripted, draft_wish):
    scripted.answers(201, DRAFTED)
    request = vipps.write_draft(draft_wish)
    assert await vipps.draft(request) == Answered(Drafted("agr_1", "https://vipps.example/?token=j"))

    [token] = scripted.tokens_received
    assert (token.method, token.body) == ("POST", b"")
    assert token.headers["client_id"] == "dev-client-id"
    assert token.headers["client_secret"] == "dev-client-secret"
    assert token.headers["ocp-apim-subscription-key"] == "dev-subscription-key"
    assert token.headers["merchant-serial-number"] == "123456"
    assert "authorization" not in token.headers

    [call] = scripted.received
    assert (call.method, call.target, call.body) == ("POST", "/recurring/v3/agreements", request.body)
    assert call.headers["authorization"] == "Bearer token-1"
    assert call.headers["idempotency-key"] == str(draft_wish.draft_id)
    assert call.headers["ocp-apim-subscription-key"] == "dev-subscription-key"
    assert call.headers["merchant-serial-number"] == "123456"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["vipps-system-name"] == "avtale"
    assert call.headers["user-agent"].startswith("avtale/")
    assert "client_secret" not in call.headers
    assert all(len(value) <= 30 for name, value in call.headers.items() if name.startswith("vipps-system-"))


async def test_a_charge_answers_with_its_order(vipps, scripted, charge_wish):
    scripted.answers(201, {"chargeId": str(charge_wish.order_id)})
    request = vipps.write_charge(charge_wish)
    assert await vipps.create_charge(request) == Answered(str(charge_wish.order_id))
    [call] = scripted.received
    assert (call.method, call.target) == ("POST", "/recurring/v3/agreements/agr_5kSeqz/charges")
    assert (call.headers["idempotency-key"], call.body) == (str(charge_wish.order_id), request.body)


@pytest.mark.parametrize("status", [202, 204])
async def test_a_stop_and_a_refund_are_accepted(vipps, scripted, status):
    scripted.answers(status)
    scripted.answers(status)
    assert await vipps.stop(vipps.write_stop(UUID(int=7), "agr_1")) == Answered(None)
    assert await vipps.refund(vipps.write_refund(UUID(int=8), "agr_1", "order-1", 4000, "why")) == Answered(None)
    stop, refund = scripted.received
    assert (stop.method, stop.target) == ("PATCH", "/recurring/v3/agreements/agr_1")
    assert (refund.method, refund.target) == ("POST", "/recurring/v3/agreements/agr_1/charges/order-1/refund")
    assert json.loads(refund.body) == {"amount": 4000, "description": "why"}
    assert [call.headers["idempotency-key"] for call in (stop, refund)] == [
        str(UUID(int=7)),
        str(UUID(int=8)),
    ]


async def test_an_agreement_and_a_charge_are_read(vipps, scripted):
    scripted.answers(200, {"id": "agr_1", "status": "ACTIVE", "start": "2027-01-31T09:00:00Z", "stop": None})
    scripted.answers(
        200,
        {
            "id": "order-1",
            "status": "PARTIALLY_REFUNDED",
            "summary": {"captured": 9900, "refunded": 4000, "cancelled": 0},
        },
    )
    assert await vipps.fetch_agreement("agr_1") == Answered(
        ObservedAgreement("agr_1", None, GatewayAgreementState.ACTIVE, datetime(2027, 1, 31, 9, tzinfo=UTC), None)
    )
    assert await vipps.fetch_charge("agr_1", "order-1") == Answered(
        ObservedCharge("order-1", GatewayChargeState.CAPTURED, Totals(9900, 4000, 0))
    )
    first, second = scripted.received
    assert (first.method, first.target, first.body) == ("GET", "/recurring/v3/agreements/agr_1", b"")
    assert second.target == "/recurring/v3/agreements/agr_1/charges/order-1"
    assert not {"idempotency-key", "content-type"} & first.headers.keys()


async def test_ids_of_others_stay_inside_their_path(vipps, scripted):
    scripted.answers(404)
    await vipps.fetch_charge("../x?y", "a/b#c")
    assert scripted.received[0].target == "/recurring/v3/agreements/..%2Fx%3Fy/charges/a%2Fb%23c"


async def test_webhooks_are_registered_listed_and_deleted(vipps, scripted):
    url = "https://pay.film.example/api/v1/webhook/vipps/nordlys/film"
    scripted.answers(201, {"id": "w-1", "secret": "s3cret"})
    scripted.answers(200, {"webhooks": [{"id": "w-1", "url": url, "events": EVENTS}]})
    scripted.answers(204)
    registered = await vipps.register_webhook(url, EVENTS)
    assert registered == Answered(RegisteredWebhook("w-1", url, tuple(EVENTS), "s3cret"))
    assert await vipps.list_webhooks() == Answered((RegisteredWebhook("w-1", url, tuple(EVENTS), None),))
    assert await vipps.delete_webhook("w-1") == Answered(None)
    register, listing, delete = scripted.received
    assert (register.method, register.target) == ("POST", "/webhooks/v1/webhooks")
    assert json.loads(register.body) == {"url": url, "events": EVENTS}
    assert (listing.method, listing.target) == ("GET", "/webhooks/v1/webhooks")
    assert (delete.method, delete.target) == ("DELETE", "/webhooks/v1/webhooks/w-1")
    assert "idempotency-key" not in register.headers


# What an answer means for money


async def test_a_definite_no_says_why(vipps, scripted, charge_wish):
    scripted.answers(
        400,
        {
            "type": f"{PROBLEMS}#charge-due-too-soon",
            "title": "Bad Request",
            "detail": "Too soon",
            "extraDetails": [{"name": "due", "reason": "at least tomorrow"}],
        },
    )
    outcome = await vipps.create_charge(vipps.write_charge(charge_wish))
    assert outcome == Refused(400, "charge-due-too-soon", "Too soon; due: at least tomorrow")


async def test_a_charge_that_is_not_there(vipps, scripted):
    scripted.answers(404, {"type": "about:blank", "title": "Not Found", "detail": "Charge not found."})
    assert await vipps.fetch_charge("agr_1", "order-1") == Refused(404, "not-found", "Charge not found.")


async def test_a_wait_is_a_wait(vipps, scripted, clock, charge_wish):
    scripted.answers(429, headers={"Retry-After": "17"})
    scripted.answers(429, headers={"Retry-After": "Fri, 20 Nov 2026 12:00:30 GMT"})
    scripted.answers(429)
    request = vipps.write_charge(charge_wish)
    waits = [await vipps.create_charge(request) for _ in range(3)]
    assert waits == [Throttled(17.0), Throttled(30.0), Throttled(5.0)]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 302])
async def test_what_is_no_answer_of_vipps_leaves_us_not_knowing(vipps, scripted, charge_wish, status):
    scripted.answers(status, {"type": f"{PROBLEMS}#operation-failed"})
    assert await vipps.create_charge(vipps.write_charge(charge_wish)) == Unknown(f"Vipps answered {status}")


async def test_a_hanging_charge_is_unknown_and_sent_once(credentials, outbound, scripted, charge_wish):
    vipps = VippsRecurring(VippsCalls(replace(credentials, call_seconds_max=1.0), outbound))
    scripted.hangs()
    outcome = await vipps.create_charge(vipps.write_charge(charge_wish))
    assert outcome == Unknown("no answer within 1 s", sent=True)
    assert len(scripted.received) == 1


async def test_a_cut_charge_is_unknown_and_its_repeat_is_the_same_call(vipps, scripted, charge_wish):
    scripted.cuts()
    scripted.answers(201, {"chargeId": str(charge_wish.order_id)})
    request = vipps.write_charge(charge_wish)
    assert await vipps.create_charge(request) == Unknown("the connection was cut", sent=True)
    assert await vipps.create_charge(request) == Answered(str(charge_wish.order_id))
    first, second = scripted.received
    assert (first.body, first.target) == (second.body, second.target)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize("body", [b"", b"<html>Welcome to this hotel's network</html>", b"[]", b"{}", b"{}" * 5001])
async def test_a_success_that_we_cannot_read_is_unknown(vipps, scripted, draft_wish, charge_wish, body):
    for _ in range(3):
        scripted.answers(200, body)
    for outcome in (
        await vipps.draft(vipps.write_draft(draft_wish)),
        await vipps.create_charge(vipps.write_charge(charge_wish)),
        await vipps.fetch_charge("agr_1", "order-1"),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.sent


async def test_a_page_in_between_is_not_a_refund(vipps, scripted):
    scripted.answers(200, b"<html>Please log in</html>")
    outcome = await vipps.refund(vipps.write_refund(UUID(int=8), "agr_1", "order-1", 4000, "why"))
    assert outcome == Unknown("Vipps answered 200, which is not documented for this call")


async def test_a_status_that_nobody_told_us_of_is_named(vipps, scripted):
    scripted.answers(200, {"id": "order-1", "status": "DISPUTED"})
    outcome = await vipps.fetch_charge("agr_1", "order-1")
    assert isinstance(outcome, Unknown)
    assert "a charge status that we do not know: DISPUTED" in outcome.reason


async def test_a_key_used_for_other_bytes_is_a_definite_no(vipps, scripted, charge_wish):
    scripted.answers(409, {"type": f"{PROBLEMS}#idempotency-conflict", "title": "Conflict"})
    outcome = await vipps.create_charge(vipps.write_charge(charge_wish))
    assert outcome == Refused(409, "idempotency-conflict", "Conflict")


async def test_any_other_conflict_may_be_with_our_own_earlier_call(vipps, scripted, charge_wish):
    for _ in range(3):
        scripted.answers(409, {"type": f"{PROBLEMS}#conflict", "detail": "Being processed."})
    refund = vipps.write_refund(UUID(int=8), "agr_1", "order-1", 4000, "why")
    assert await vipps.create_charge(vipps.write_charge(charge_wish)) == Unknown("conflict: Being processed.")
    assert await vipps.refund(refund) == Unknown("conflict: Being processed.")
    stop = await vipps.stop(vipps.write_stop(UUID(int=7), "agr_1"))
    assert stop == Refused(409, "conflict", "Being processed.")  # to stop moves no money, and is looked up


# The access token


async def test_a_token_serves_many_calls(vipps, scripted):
    for _ in range(3):
        scripted.answers(404)
        await vipps.fetch_agreement("agr_1")
    assert len(scripted.tokens_received) == 1


@pytest.mark.parametrize("expires_in", ["3600", 3600, 3600.0])
async def test_a_token_is_renewed_a_minute_before_its_end(vipps, scripted, clock, expires_in):
    scripted.gives_tokens({"access_token": "old", "expires_in": expires_in, "ext_expires_in": "0"})
    for seconds in (0, 3539, 1):
        clock.seconds += seconds
        scripted.answers(404)
        await vipps.fetch_agreement("agr_1")
    used = [call.headers["authorization"] for call in scripted.received]
    assert used == ["Bearer old", "Bearer old", "Bearer token-2"]


async def test_a_short_token_is_used_for_most_of_its_life(vipps, scripted, clock):
    scripted.gives_tokens({"access_token": "short", "expires_in": 10})
    for seconds in (0, 8.9, 0.1):
        clock.seconds += seconds
        scripted.answers(404)
        await vipps.fetch_agreement("agr_1")
    assert [call.headers["authorization"] for call in scripted.received] == [
        "Bearer short",
        "Bearer short",
        "Bearer token-2",
    ]


async def test_a_refused_token_is_replaced_once_and_the_call_is_the_same(vipps, scripted, charge_wish):
    scripted.answers(401, {"message": "Something went wrong, please try again later"})
    scripted.answers(201, {"chargeId": str(charge_wish.order_id)})
    request = vipps.write_charge(charge_wish)
    assert await vipps.create_charge(request) == Answered(str(charge_wish.order_id))
    first, second = scripted.received
    assert [call.headers["authorization"] for call in (first, second)] == ["Bearer token-1", "Bearer token-2"]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body == request.body


async def test_a_token_refused_twice_is_the_end(vipps, scripted):
    for _ in range(2):
        scripted.answers(401, {"statusCode": 401, "message": "Access denied"})
    assert await vipps.fetch_agreement("agr_1") == Refused(401, "credentials-refused", "Access denied")
    assert len(scripted.tokens_received) == 2


async def test_many_calls_at_once_share_one_token_and_one_renewal(vipps, scripted):
    for status in [404] * 20 + [401] * 20 + [404] * 20:
        scripted.answers(status)
    for _ in range(2):
        outcomes = await asyncio.gather(*(vipps.fetch_agreement("agr_1") for _ in range(20)))
        assert {outcome.status for outcome in outcomes} == {404}
    assert len(scripted.tokens_received) == 2


async def test_wrong_credentials_end_no_order(vipps, scripted, charge_wish, draft_wish):
    wrong = {"error": "invalid_client", "error_description": "Wrong secret"}
    scripted.gives_tokens(*[wrong] * 5, status=401)
    kept = [
        await vipps.create_charge(vipps.write_charge(charge_wish)),
        await vipps.stop(vipps.write_stop(UUID(int=7), "agr_1")),
        await vipps.refund(vipps.write_refund(UUID(int=8), "agr_1", "order-1", 4000, "why")),
    ]
    told = [await vipps.draft(vipps.write_draft(draft_wish)), await vipps.list_webhooks()]
    assert set(kept) == {Unknown("our credentials were refused: Wrong secret", sent=False)}
    assert set(told) == {Refused(401, "credentials-refused", "Wrong secret")}
    assert not scripted.received


async def test_a_charge_outlives_a_refused_key(vipps, scripted, charge_wish):
    for _ in range(2):
        scripted.answers(401, {"message": "Access denied due to invalid subscription key."})
    scripted.answers(201, {"chargeId": str(charge_wish.order_id)})
    request = vipps.write_charge(charge_wish)
    first = await vipps.create_charge(request)
    assert first == Unknown("our credentials were refused: Access denied due to invalid subscription key.", sent=False)
    assert await vipps.create_charge(request) == Answered(str(charge_wish.order_id))


async def test_a_token_that_must_wait(vipps, scripted, charge_wish):
    scripted.gives_tokens(b"", status=429, headers={"Retry-After": "9"})
    assert await vipps.create_charge(vipps.write_charge(charge_wish)) == Throttled(9.0)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"access_token": "x"},
        {"access_token": "x", "expires_in": "soon"},
        {"access_token": "x", "expires_in": 0},
        {"access_token": "x", "expires_in": True},
        {"access_token": "x", "expires_in": float("inf")},
        {"access_token": "x", "expires_in": float("nan")},
        {"access_token": "two words", "expires_in": 60},
        {"access_token": "x\r\nX-Injected: y", "expires_in": 60},
        {"access_token": 7, "expires_in": 60},
        b"<html>",
    ],
)
async def test_a_token_that_we_cannot_read_leaves_the_call_unsent(vipps, scripted, charge_wish, said):
    scripted.gives_tokens(said)
    outcome = await vipps.create_charge(vipps.write_charge(charge_wish))
    assert isinstance(outcome, Unknown)
    assert not outcome.sent
    assert outcome.reason.startswith("no access token: ")


async def test_after_a_failure_the_next_call_asks_for_a_token_again(vipps, scripted):
    scripted.gives_tokens(b"", status=500)
    assert await vipps.fetch_agreement("agr_1") == Unknown("no access token: Vipps answered 500", sent=False)
    scripted.answers(404)
    assert isinstance(await vipps.fetch_agreement("agr_1"), Refused)


async def test_who_waited_for_a_token_shares_its_failure(vipps, scripted):
    """A hundred calls must not each wait out the same time limit, one after another."""
    scripted.gives_tokens(b"", status=500)
    outcomes = await asyncio.gather(*(vipps.fetch_agreement("agr_1") for _ in range(100)))
    assert set(outcomes) == {Unknown("no access token: Vipps answered 500", sent=False)}
    assert len(scripted.tokens_received) == 1


async def test_a_cancelled_call_does_not_take_the_token_with_it(vipps, scripted):
    scripted.hangs_for_a_token()
    first = asyncio.create_task(vipps.fetch_agreement("agr_1"))
    await scripted.asked.wait()
    scripted.answers(404)
    second = asyncio.create_task(vipps.fetch_agreement("agr_1"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert isinstance(await second, Refused)


async def test_a_charge_that_found_no_connection_was_not_sent(credentials, scripted, charge_wish):
    scripted.hangs()
    scripted.answers(404)  # the read is made once more, when its connection ends
    async with Outbound(OutboundLimits(connect_seconds_max=0.05, connections_count_max=1)) as outbound:
        vipps = VippsRecurring(VippsCalls(credentials, outbound))
        reading = asyncio.create_task(vipps.fetch_agreement("agr_1"))
        while not scripted.received:
            scripted.asked.clear()
            await scripted.asked.wait()
        outcome = await vipps.create_charge(vipps.write_charge(charge_wish))
        scripted.over.set()
        await reading
    assert outcome == Unknown("no connection within 0.05 s", sent=False)


async def test_nothing_listens(credentials, outbound, charge_wish):
    nowhere = VippsRecurring(VippsCalls(replace(credentials, base_url="http://127.0.0.1:1"), outbound))
    outcome = await nowhere.create_charge(nowhere.write_charge(charge_wish))
    assert outcome == Unknown("no access token: the connection was refused", sent=False)


async def test_the_log_hears_of_calls_without_secrets(credentials, scripted, charge_wish):
    heard: list[Exchange] = []
    async with Outbound(exchange_log=heard.append) as outbound:
        vipps = VippsRecurring(VippsCalls(credentials, outbound))
        scripted.answers(500)
        await vipps.create_charge(vipps.write_charge(charge_wish))
    assert [exchange.request_id for exchange in heard] == [None, str(charge_wish.order_id)]
    for secret in ("dev-client-secret", "dev-subscription-key", "token-1"):
        assert secret not in repr(heard)


def test_credentials_show_no_secret(credentials):
    assert "dev-client-secret" not in repr(credentials)
    assert "dev-subscription-key" not in repr(credentials)


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "api.vipps.no"},
        {"base_url": "ftp://api.vipps.no"},
        {"base_url": "https://"},
        {"base_url": "https://api.vipps.no?x=1"},
        {"client_id": ""},
        {"client_secret": "line\nbreak"},
        {"client_secret": " padded "},
        {"subscription_key": "nøkkel"},
        {"merchant_serial_number": ""},
        {"call_seconds_max": 0},
    ],
)
def test_credentials_that_cannot_make_a_call_are_refused_at_once(change):
    given = {
        "base_url": "https://api.vipps.no",
        "client_id": "id",
        "client_secret": "secret",
        "subscription_key": "key",
        "merchant_serial_number": "123456",
    }
    assert VippsCredentials(**given)
    with pytest.raises(ValueError):
        VippsCredentials(**{**given, **change})


async def test_a_base_url_with_a_slash_is_the_same(credentials, outbound, scripted):
    vipps = VippsRecurring(VippsCalls(replace(credentials, base_url=scripted.url + "/"), outbound))
    scripted.answers(404)
    await vipps.fetch_agreement("agr_1")
    assert scripted.received[0].target == "/recurring/v3/agreements/agr_1"
