"""A shop's till: everything that these tests ask of ePayment, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

ANNA = "4791234567"
PATH = "/epayment/v1/payments"
EVENTS = ("created", "aborted", "expired", "cancelled", "captured", "refunded", "authorized", "terminated")


class Till:
    """A sandbox, as a merchant who sells single things uses it."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.count = 0

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        headers: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Any:
        """One call, with changed headers (None leaves one out)."""
        given = await self.sandbox.headers(key) | {"Merchant-Serial-Number": "123456"} | dict(headers)
        data = body if isinstance(body, bytes | None) else json.dumps(body)
        sent = {name: value for name, value in given.items() if value is not None}
        return await self.sandbox.raw(method, path, data, sent)

    def body(self, **changes: Any) -> dict[str, Any]:
        """A create call's body; `...` leaves a member out."""
        self.count += 1
        body = {
            "amount": {"currency": "NOK", "value": 4900},
            "paymentMethod": {"type": "WALLET"},
            "reference": f"film-{self.count:08}",
            "returnUrl": "https://film.example/thanks?order=7",
            "userFlow": "WEB_REDIRECT",
            "paymentDescription": "One film",
        }
        return {name: value for name, value in (body | changes).items() if value is not ...}

    async def create(self, **changes: Any) -> Any:
        return await self.call("POST", PATH, self.body(**changes))

    async def created(self, **changes: Any) -> tuple[str, str | None]:
        """Ask for a payment; gives reference and redirectUrl."""
        reply = await self.create(**changes)
        assert reply.status == 201, reply.body
        return reply["reference"], reply.body.get("redirectUrl")

    async def paid(self, person: str = ANNA, **changes: Any) -> str:
        """Ask, and have the person approve; gives the reference."""
        reference, _ = await self.created(**changes)
        reply = await self.decide("approve", reference, person)
        assert reply["decision"] == "approved", reply.body
        return reference

    async def decide(self, verb: str, reference: str, person: str = ANNA) -> Any:
        return await self.sandbox.control("POST", f"/phone/{person}/payments/{reference}/{verb}")

    async def open(self, url: str | None, person: str = ANNA) -> Any:
        return await self.sandbox.control("POST", f"/phone/{person}/open", {"url": url})

    async def get(self, reference: str) -> Any:
        return await self.call("GET", f"{PATH}/{reference}")

    async def events(self, reference: str) -> Any:
        return await self.call("GET", f"{PATH}/{reference}/events")

    async def capture(self, reference: str, value: int, currency: str = "NOK", key: str | None = None) -> Any:
        body = {"modificationAmount": {"currency": currency, "value": value}}
        return await self.call("POST", f"{PATH}/{reference}/capture", body, key)

    async def refund(self, reference: str, value: int, currency: str = "NOK", key: str | None = None) -> Any:
        body = {"modificationAmount": {"currency": currency, "value": value}}
        return await self.call("POST", f"{PATH}/{reference}/refund", body, key)

    async def cancel(self, reference: str, body: Any = None) -> Any:
        return await self.call("POST", f"{PATH}/{reference}/cancel", body, headers={"Idempotency-Key": None})

    async def force(self, reference: str, body: Any = None, test: str = "/test") -> Any:
        path = f"/epayment/v1{test}/payments/{reference}/approve"
        return await self.call("POST", path, body, headers={"Idempotency-Key": None})

    async def sums(self, reference: str) -> tuple[str, int, int, int, int]:
        """State, authorized, cancelled, captured, refunded."""
        body = (await self.get(reference)).body
        names = ("authorizedAmount", "cancelledAmount", "capturedAmount", "refundedAmount")
        return body["state"], *(body["aggregate"][name]["value"] for name in names)

    async def log(self, reference: str) -> list[tuple[str, int]]:
        """Names and amounts of what happened."""
        return [(event["name"], event["amount"]["value"]) for event in (await self.events(reference)).body]

    async def allow(self, **permissions: Any) -> None:
        """Let the sales unit do what it may not by default."""
        merchants = (await self.sandbox.control("GET", "/merchants"))["merchants"]
        await self.sandbox.control("POST", "/merchants", merchants[0] | permissions)


@pytest.fixture
def till(sandbox: Any) -> Till:
    """The till of the demo merchant."""
    return Till(sandbox)


@pytest.fixture
async def told(sandbox: Any, receiver: Any) -> Any:
    """A receiver, registered for every event of ePayment."""
    order = {"url": receiver.url, "events": [f"epayments.payment.{name}.v1" for name in EVENTS]}
    reply = await sandbox.call("POST", "/webhooks/v1/webhooks", order)
    assert reply.status == 201, reply.body
    return receiver
