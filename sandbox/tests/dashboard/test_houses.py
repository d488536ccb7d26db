"""Single payments and Stripe on the dashboard, and in what tests may ask: each house has its room."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

ANNA = "4791234567"
FORM = "application/x-www-form-urlencoded"


async def stripe(sandbox: Any, path: str, **form: str) -> Any:
    headers = {"Authorization": "Bearer sk_test_dev", "Content-Type": FORM}
    reply = await sandbox.raw("POST", f"/stripe/v1/{path}", urlencode(form), headers)
    assert reply.status == 200, reply.body
    return reply


async def pay(sandbox: Any, reference: str) -> None:
    body = {
        "amount": {"currency": "NOK", "value": 4900},
        "paymentMethod": {"type": "WALLET"},
        "reference": reference,
        "returnUrl": "https://film.example/thanks",
        "userFlow": "WEB_REDIRECT",
        "paymentDescription": "One <film>",
    }
    headers = await sandbox.headers() | {"Merchant-Serial-Number": "123456"}
    reply = await sandbox.raw("POST", "/epayment/v1/payments", json.dumps(body), headers)
    assert reply.status == 201, reply.body


async def look(sandbox: Any, path: str) -> str:
    reply = await sandbox.raw("GET", f"/_sandbox/ui/{path}")
    assert reply.status == 200
    return " ".join(re.sub(r"<[^>]+>", " ", reply.body.decode()).split())


async def send(sandbox: Any, path: str, **form: str) -> int:
    headers = {"Content-Type": FORM, "Origin": sandbox.url}
    async with sandbox.http.post(
        f"{sandbox.url}/_sandbox/ui/{path}", data=urlencode(form), headers=headers, allow_redirects=False
    ) as answer:
        return int(answer.status)


async def test_a_payment_is_answered_and_expected(sandbox: Any) -> None:
    for reference in ("film-00000001", "film-00000002"):
        await pay(sandbox, reference)
    assert await send(sandbox, "payments/answer", id="123456/film-00000001", person=ANNA, answer="yes") == 303
    assert await send(sandbox, "payments/answer", id="123456/film-00000002", answer="no") == 303
    shown = await look(sandbox, "payments")
    assert "film-00000001 One &lt;film&gt;" in shown
    assert "Authorized, 49 kr" in shown
    assert shown.index("film-00000002") < shown.index("film-00000001")
    assert "film-00000002" not in await look(sandbox, "payments?state=AUTHORIZED")
    for wrong in ({"id": "123456/film-00000001", "answer": "yes"}, {"id": "none"}):
        assert await send(sandbox, "payments/answer", **wrong) in (400, 409)
    held = {"reference": "film-00000001", "state": "AUTHORIZED", "authorized": 4900, "captured": 0, "captures": 0}
    assert (await sandbox.control("POST", "/expect", {"expect": [{"payment": held}]})).status == 200
    wrong_sum = {"expect": [{"payment": held | {"captured": 4900}}, {"payment": {"reference": "none"}}]}
    reply = await sandbox.control("POST", "/expect", wrong_sum)
    assert (reply.status, [one["holds"] for one in reply["results"]]) == (417, [False, False])


async def test_stripe_has_a_room_and_its_webhooks_are_sent_again(sandbox: Any, receiver: Any, quiet: Any) -> None:
    await stripe(sandbox, "webhook_endpoints", url=receiver.url, **{"enabled_events[]": "customer.created"})
    customer = await stripe(sandbox, "customers", email="kari@film.example")
    await stripe(sandbox, "payment_intents", amount="9900", currency="nok", customer=customer["id"])
    await quiet()
    assert [one["type"] for one in receiver.got] == ["customer.created"]
    shown = await look(sandbox, "stripe?noun=payments")
    assert "kari@film.example" in shown
    assert "99 kr" in shown
    assert "There are none like that." in await look(sandbox, "stripe?noun=invoices")
    assert "There are none like that." in await look(sandbox, "stripe?noun=payments&text=nobody")
    hooks = await look(sandbox, "webhooks")
    assert "Stripe, acct_" in hooks
    assert "customer.created" in hooks
    number = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"][0]["id"]
    assert f"number {number}" in await look(sandbox, f"webhooks?delivery={number}")
    assert await send(sandbox, "webhooks/replay", number=str(number)) == 303
    await quiet()
    assert len(receiver.raw) == 2


async def test_the_keys_of_stripe_are_masked(sandbox: Any) -> None:
    customer = await stripe(sandbox, "customers", email="kari@film.example")
    await stripe(sandbox, "payment_intents", amount="9900", currency="nok", customer=customer["id"])
    await stripe(sandbox, "webhook_endpoints", url="https://film.example", **{"enabled_events[]": "*"})
    shown = json.dumps((await sandbox.control("GET", "/requests?path=/stripe")).body)
    assert "kari@film.example" in shown or "kari%40film.example" in shown
    for secret in ("sk_test_dev", "whsec_", "_secret_"):
        assert secret not in shown
