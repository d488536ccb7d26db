"""How the API is spoken: keys, forms, errors, idempotency, pages of lists, expansion, faults, restarts."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from avtale_sandbox.server import running
from avtale_sandbox.settings import Settings
from avtale_sandbox.stripe.forms import parse
from avtale_sandbox.stripe.refusals import Refused

BEARER = {"Authorization": "Bearer sk_test_dev"}


async def test_the_sdk_without_async_speaks_too(shop: Any) -> None:
    def talk(client: stripe.StripeClient) -> tuple[str, list[str]]:
        customer = client.v1.customers.create({"email": "ola@film.example"})
        return customer.id, [one.id for one in client.v1.customers.list().auto_paging_iter()]

    made, listed = await shop.sync(talk)
    assert listed == [made]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sk_test_wrong_key_1234", "Invalid API Key provided: sk_test_"),
        ("sk_live_0123456789", "takes test keys only"),
    ],
)
async def test_keys_that_are_none(client: Any, key: str, message: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match=message):
        await client(key=key).v1.customers.list_async()


async def test_without_a_key_and_with_basic_authentication(sandbox: Any) -> None:
    reply = await sandbox.raw("GET", "/stripe/v1/customers")
    assert reply.status == 401
    assert reply["error"]["type"] == "invalid_request_error"
    basic = {"Authorization": "Basic c2tfdGVzdF9kZXY6"}
    reply = await sandbox.raw("GET", "/stripe/v1/customers", headers=basic)
    assert reply.body == {"object": "list", "data": [], "has_more": False, "url": "/v1/customers"}
    assert reply.headers["Request-Id"].startswith("req_")
    assert reply.headers["Stripe-Version"] == stripe.api_version


@pytest.mark.parametrize(
    ("method", "path", "form", "status", "code", "param"),
    [
        ("GET", "/stripe/v1/coupons", "", 404, None, None),
        ("GET", "/stripe/v1", "", 404, None, None),
        ("PUT", "/stripe/v1/customers", "", 404, None, None),
        ("GET", "/stripe/v1/customers/cus_none", "", 404, "resource_missing", "id"),
        ("GET", "/stripe/v1/customers?limit=0", "", 400, "parameter_invalid_integer", "limit"),
        ("GET", "/stripe/v1/customers?limit=ten", "", 400, "parameter_invalid_integer", "limit"),
        ("GET", "/stripe/v1/customers?starting_after=cus_none", "", 400, "resource_missing", "starting_after"),
        ("GET", "/stripe/v1/customers?created[at]=5", "", 400, "parameter_unknown", "created[at]"),
        ("POST", "/stripe/v1/customers", "nme=Kari", 400, "parameter_unknown", "nme"),
        ("POST", "/stripe/v1/customers", "metadata=x", 400, "parameter_invalid_string_blank", "metadata"),
        ("POST", "/stripe/v1/customers", "name[first]=Kari", 400, None, "name"),
        ("POST", "/stripe/v1/customers", "a[b", 400, None, "a[b"),
        ("POST", "/stripe/v1/customers", "name=%ff%fe", 400, None, None),
        ("POST", "/stripe/v1/customers", "expand[]=nothing", 400, None, "expand"),
        ("POST", "/stripe/v1/customers", "expand[]=email", 400, None, "expand"),
        ("POST", "/stripe/v1/payment_intents", "currency=nok", 400, "parameter_missing", "amount"),
        ("POST", "/stripe/v1/payment_intents", "amount=5&currency=nok", 400, "amount_too_small", "amount"),
        ("POST", "/stripe/v1/payment_intents", "amount=99.5&currency=nok", 400, "parameter_invalid_integer", "amount"),
        ("POST", "/stripe/v1/payment_intents", "amount=9900&currency=xyz", 400, None, "currency"),
        ("POST", "/stripe/v1/prices", "currency=nok&unit_amount=1", 400, "parameter_missing", "product"),
        ("POST", "/stripe/v1/refunds", "", 400, "parameter_missing", "charge"),
        ("POST", "/stripe/v1/webhook_endpoints", "url=x&enabled_events[]=*", 400, "url_invalid", "url"),
    ],
)
async def test_what_cannot_be_is_told_in_stripes_words(
    sandbox: Any, method: str, path: str, form: str, status: int, code: str | None, param: str | None
) -> None:
    headers = BEARER | {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await sandbox.raw(method, path, form.encode() or None, headers)
    error = reply["error"]
    assert (reply.status, error["type"]) == (status, "invalid_request_error")
    assert (error.get("code"), error.get("param")) == (code, param)
    assert error["message"]
    assert (await sandbox.raw("GET", "/stripe/v1/customers", headers=BEARER))["data"] == []


async def test_json_is_not_what_stripe_reads(sandbox: Any) -> None:
    reply = await sandbox.raw("POST", "/stripe/v1/customers", b"{}", BEARER | {"Content-Type": "application/json"})
    assert reply.status == 400
    assert "application/x-www-form-urlencoded" in reply["error"]["message"]


def test_forms_are_nested_by_brackets() -> None:
    assert parse(b"a=1&b[c]=2&b[d][]=x&b[d][]=y&e[0][f]=3&e[1][f]=4") == {
        "a": "1",
        "b": {"c": "2", "d": {"0": "x", "1": "y"}},
        "e": {"0": {"f": "3"}, "1": {"f": "4"}},
    }
    assert parse(b"i[][p]=1&i[][q]=2&i[][p]=3") == {"i": {"0": {"p": "1", "q": "2"}, "1": {"p": "3"}}}
    assert parse(b"") == {}


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab[]=&%01+\x00\xff", max_size=60))
def test_any_form_is_read_or_refused(text: str) -> None:
    # Nothing but a refusal is raised.
    with contextlib.suppress(Refused):
        assert isinstance(parse(text.encode()), dict)


async def test_metadata_is_merged_and_unset(shop: Any) -> None:
    customer = await shop.customer(metadata={"a": "1", "b": "2", "7": "digits"})
    changed = await shop.v1.customers.update_async(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "7": "digits", "c": "3"}
    assert (await shop.v1.customers.update_async(customer.id, {"metadata": ""})).metadata.to_dict() == {}
    for wrong in ({"x" * 41: "1"}, {"a": "y" * 501}, {str(number): "z" for number in range(51)}):
        with pytest.raises(stripe.InvalidRequestError):
            await shop.v1.customers.update_async(customer.id, {"metadata": wrong})


async def test_a_key_makes_one_effect_and_one_answer(shop: Any, sandbox: Any) -> None:
    options: Any = {"idempotency_key": "checkout-7"}
    first = await shop.v1.customers.create_async({"name": "Kari"}, options)
    again = await shop.v1.customers.create_async({"name": "Kari"}, options)
    assert first.id == again.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        await shop.v1.customers.create_async({"name": "Ola"}, options)
    with pytest.raises(stripe.IdempotencyError):
        await shop.v1.products.create_async({"name": "Kari"}, options)
    assert len((await shop.v1.customers.list_async()).data) == 1
    assert (await sandbox.control("POST", "/stripe/idempotency-keys/forget")).status == 204
    assert (await shop.v1.customers.create_async({"name": "Kari"}, options)).id != first.id


async def test_a_decline_is_repeated_and_not_tried_again(shop: Any) -> None:
    options: Any = {"idempotency_key": "pay-7"}
    order: Any = {"amount": 9900, "currency": "nok", "confirm": True, "payment_method": "pm_card_chargeDeclined"}
    order["return_url"] = "https://film.example"
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await shop.v1.payment_intents.create_async(order, options)
    assert len((await shop.v1.charges.list_async()).data) == 1


async def test_parameters_that_were_refused_leave_the_key_free(shop: Any) -> None:
    options: Any = {"idempotency_key": "price-7"}
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.products.create_async({"name": ""}, options)
    assert (await shop.v1.products.create_async({"name": "Film"}, options)).name == "Film"


async def test_keys_of_two_accounts_do_not_meet(shop: Any, sandbox: Any, client: Any) -> None:
    other = {"id": "acct_other", "secretKey": "sk_test_other", "publishableKey": "pk_test_other"}
    assert (await sandbox.control("POST", "/stripe/accounts", other)).status == 201
    options: Any = {"idempotency_key": "same"}
    ours = await shop.v1.customers.create_async({"name": "Kari"}, options)
    theirs = await client(key="sk_test_other").v1.customers.create_async({"name": "Kari"}, options)
    assert ours.id != theirs.id
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.customers.retrieve_async(theirs.id)
    live = other | {"id": "acct_live", "secretKey": "sk_live_1"}
    assert (await sandbox.control("POST", "/stripe/accounts", live)).status == 400


async def test_lists_can_be_read_from_both_ends(shop: Any) -> None:
    made = [(await shop.v1.customers.create_async({"name": str(number)})).id for number in range(7)][::-1]
    first = await shop.v1.customers.list_async({"limit": 3})
    assert ([one.id for one in first.data], first.has_more) == (made[:3], True)
    second = await shop.v1.customers.list_async({"limit": 3, "starting_after": made[2]})
    assert ([one.id for one in second.data], second.has_more) == (made[3:6], True)
    last = await shop.v1.customers.list_async({"limit": 3, "starting_after": made[5]})
    assert ([one.id for one in last.data], last.has_more) == (made[6:], False)
    back = await shop.v1.customers.list_async({"limit": 3, "ending_before": made[5]})
    assert ([one.id for one in back.data], back.has_more) == (made[2:5], True)
    begin = await shop.v1.customers.list_async({"limit": 3, "ending_before": made[1]})
    assert ([one.id for one in begin.data], begin.has_more) == (made[:1], False)
    assert [one.id async for one in first.auto_paging_iter()] == made
    with pytest.raises(stripe.InvalidRequestError, match="only use one"):
        await shop.v1.customers.list_async({"starting_after": made[0], "ending_before": made[1]})


async def test_lists_by_time_of_making(shop: Any, sandbox: Any) -> None:
    old = await shop.customer()
    await shop.advance_to("2027-01-16T09:00:00Z")
    new = await shop.customer()
    noon = 1_800_014_400
    assert [one.id for one in (await shop.v1.customers.list_async({"created": {"lt": noon}})).data] == [old.id]
    assert [one.id for one in (await shop.v1.customers.list_async({"created": {"gte": noon}})).data] == [new.id]
    assert [one.id for one in (await shop.v1.customers.list_async({"created": old.created})).data] == [old.id]


async def test_faults_befall_stripe_as_well(shop: Any, sandbox: Any, client: Any) -> None:
    fault = {"match": {"operationId": "PostCustomers"}, "action": {"kind": "status", "status": 429}}
    await sandbox.control("POST", "/faults", fault)
    with pytest.raises(stripe.RateLimitError) as caught:
        await shop.v1.customers.create_async({"name": "Kari"})
    assert caught.value.error.code == "rate_limit"
    fault = {"match": {"path": "/stripe/v1/customers", "method": "POST"}, "action": {"kind": "effect-then-close"}}
    await sandbox.control("POST", "/faults", fault)
    made = await client(max_network_retries=2).v1.customers.create_async({"name": "Ola"})
    assert [one.id for one in (await shop.v1.customers.list_async()).data] == [made.id]
    fault = {"match": {"path": "/stripe/v1/customers"}, "action": {"kind": "effect-then-status", "status": 500}}
    await sandbox.control("POST", "/faults", fault)
    with pytest.raises(stripe.APIError):
        await shop.v1.customers.create_async({"name": "Per"})
    assert len((await shop.v1.customers.list_async()).data) == 2


async def test_what_was_asked_is_shown_without_secrets(shop: Any, sandbox: Any) -> None:
    await shop.v1.setup_intents.create_async({})
    (call,) = (await sandbox.control("GET", "/requests?path=/stripe/v1/setup_intents"))["requests"]
    assert (call["operationId"], call["status"], call["headers"]["authorization"]) == ("PostSetupIntents", 200, "***")
    assert "_secret_" not in call["answer"]


async def test_everything_goes_on_after_a_restart(tmp_path: Path) -> None:
    how = Settings(port=0, clock_running=False, start_at="2027-01-15T09:00:00Z", state_path=str(tmp_path / "state"))
    books: dict[str, Any] = {}
    for turn in range(2):
        async with running(how) as (url, world):
            http = stripe.AIOHTTPClient(timeout=10)
            addresses: Any = {"api": f"{url}/stripe"}
            v1 = stripe.StripeClient("sk_test_dev", base_addresses=addresses, http_client=http).v1
            if turn == 0:
                customer = await v1.customers.create_async({"payment_method": "pm_card_visa"})
                card = (await v1.payment_methods.list_async({"customer": customer.id})).data[0]
                data: Any = {"currency": "nok", "unit_amount": 9900, "recurring": {"interval": "month"}}
                price = await v1.prices.create_async(data | {"product_data": {"name": "Film"}})
                order: Any = {"customer": customer.id, "items": [{"price": price.id}]}
                books["made"] = await v1.subscriptions.create_async(order | {"default_payment_method": card.id})
                assert books["made"].status == "active"
            else:
                await world.conductor.advance(world.clock.now() + 40 * 86_400_000, 30)
                found = await v1.invoices.list_async({"subscription": books["made"].id})
                assert [invoice.status for invoice in found.data] == ["paid", "paid"]
                assert found.data[0].id != found.data[1].id
            await http.close_async()
            await asyncio.sleep(0)


async def test_a_reset_forgets_all_but_the_accounts(shop: Any, sandbox: Any) -> None:
    other = {"id": "acct_other", "secretKey": "sk_test_other", "publishableKey": "pk_test_other"}
    await sandbox.control("POST", "/stripe/accounts", other)
    await shop.subscribe()
    await sandbox.control("POST", "/reset")
    assert (await shop.v1.customers.list_async()).data == []
    assert (await shop.v1.events.list_async()).data == []
    accounts = (await sandbox.control("GET", "/stripe/accounts"))["accounts"]
    assert [one["id"] for one in accounts] == ["acct_sandboxdefault01", "acct_other"]
    assert (await sandbox.control("PUT", "/clock", {"now": "2026-01-01T00:00:00Z"})).status == 200
