"""A merchant at one of the servers: its keys, and the requests that are measured."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from .wrk import Load

V3 = "/recurring/v3/agreements"
PHONE = "4791234567"
KEYS = {
    "client_id": "dev-client-id",
    "client_secret": "dev-client-secret",
    "Ocp-Apim-Subscription-Key": "dev-subscription-key",
}
DRAFT = {
    "pricing": {"type": "LEGACY", "amount": 9900, "currency": "NOK"},
    "interval": {"unit": "MONTH", "count": 1},
    "merchantRedirectUrl": "https://film.example/back?order=7",
    "merchantAgreementUrl": "https://film.example/my-page",
    "productName": "All films",
    "phoneNumber": PHONE,
}
CHARGE = {
    "amount": 9900,
    "description": "February",
    "due": "2027-02-01",
    "retryDays": 2,
    "transactionType": "DIRECT_CAPTURE",
}
OPERATIONS = ("draft", "fetch", "charge")


class Shop:
    """What a merchant needs at a sandbox; at a server that knows no merchants, nothing is asked for."""

    def __init__(self, url: str, stateful: bool = True) -> None:
        self.url = url
        self.number = 0
        self.headers = {
            "Authorization": "Bearer none",
            "Ocp-Apim-Subscription-Key": "dev-subscription-key",
            "Content-Type": "application/json",
        }
        self.fetched = ["agr_5kSeqz7"]
        self.charged = ["agr_5kSeqz7"]
        if stateful:
            token = self.ask("POST", "/accesstoken/get", headers=KEYS)["access_token"]
            self.headers["Authorization"] = f"Bearer {token}"
            self.fetched = [self.draft() for _ in range(200)]
            self.charged = [self.approved() for _ in range(2000)]

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Call, and give the answer's body."""
        self.number += 1
        given = headers or self.headers | {"Idempotency-Key": f"shop-{self.number}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, given, method=method)
        with urllib.request.urlopen(request, timeout=600) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def draft(self) -> str:
        """A waiting agreement."""
        agreement_id: str = self.ask("POST", V3, DRAFT)["agreementId"]
        return agreement_id

    def approved(self) -> str:
        """An active agreement."""
        agreement_id = self.draft()
        self.ask("PATCH", f"{V3}/{agreement_id}/accept", {"phoneNumber": PHONE})
        return agreement_id

    def load(self, operation: str) -> Load:
        """The requests of one kind."""
        if operation == "draft":
            return Load("POST", (V3,), self.headers, json.dumps(DRAFT))
        if operation == "fetch":
            return Load("GET", tuple(f"{V3}/{one}" for one in self.fetched), self.headers)
        return Load("POST", tuple(f"{V3}/{one}/charges" for one in self.charged), self.headers, json.dumps(CHARGE))


def stubs(shop: Shop) -> list[dict[str, object]]:
    """The answers of a sandbox, written down for a server that only repeats."""
    agreement = shop.ask("GET", f"{V3}/{shop.fetched[0]}")
    drafted = shop.ask("POST", V3, DRAFT)
    return [
        _stub("POST", V3, 201, drafted),
        _stub("GET", f"{V3}/[^/]+", 200, agreement),
        _stub("POST", f"{V3}/[^/]+/charges", 201, {"chargeId": "chr-4assY8f"}),
    ]


def _stub(method: str, pattern: str, status: int, body: Any) -> dict[str, object]:
    headers = {"Content-Type": "application/json"}
    return {
        "request": {"method": method, "urlPathPattern": pattern},
        "response": {"status": status, "body": json.dumps(body), "headers": headers},
    }
