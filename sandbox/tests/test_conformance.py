"""Every operation, asked rightly and wrongly at random: no fault of ours, and every answer as its contract says."""

from __future__ import annotations

import itertools
import json
import os
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from avtale_sandbox.contracts.contract import Contract

pytestmark = pytest.mark.fuzz

CONTRACTS = ("recurring-v2", "recurring-v3", "epayment", "webhooks", "accesstoken", "userinfo", "login")
ANNA = "4791234567"
V3 = "/recurring/v3/agreements"
PAYMENTS = "/epayment/v1/payments"
#: `make fuzz` asks so many times as often.
EXAMPLES = 15 * int(os.environ.get("FUZZ", "1"))

load_all_checks()
CONFORMS = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]


ASKED = [pytest.param(name, one.path, one.method, id=one.id) for name in CONTRACTS for one in Contract(name).operations]


@cache
def described(name: str) -> Any:
    """A contract as schemathesis reads it."""
    return schemathesis.openapi.from_dict(Contract(name).document)


class Shop:
    """A merchant at a running sandbox who has agreements and charges in many states."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.numbers = itertools.count(1)
        keys = {"client_id": "dev-client-id", "client_secret": "dev-client-secret"}
        self.keys = keys | {"Ocp-Apim-Subscription-Key": "dev-subscription-key"}
        token = self.http.post(f"{url}/accesstoken/get", headers=self.keys).json()["access_token"]
        self.headers = {
            "Authorization": f"Bearer {token}",
            "Ocp-Apim-Subscription-Key": "dev-subscription-key",
            "Merchant-Serial-Number": "123456",
        }
        self.references: list[str] = []
        self.agreements: list[str] = []
        self.charges: list[tuple[str, str]] = []
        self.subs: list[str] = []
        self.fill()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = self.headers | {"Idempotency-Key": f"key-{next(self.numbers)}"}
        reply = self.http.request(method, self.url + path, json=body, headers=headers)
        assert reply.ok, reply.text
        return reply.json() if reply.content else None

    def control(self, path: str, body: Any = None) -> Any:
        reply = self.http.post(f"{self.url}/_sandbox{path}", data=json.dumps(body or {}))
        assert reply.ok, reply.text
        return reply.json()

    def agree(self, **changes: Any) -> str:
        body: dict[str, Any] = {
            "pricing": {"type": "LEGACY", "amount": 9900, "currency": "NOK"},
            "interval": {"unit": "MONTH", "count": 1},
            "merchantRedirectUrl": "https://film.example/back",
            "merchantAgreementUrl": "https://film.example/my-page",
            "productName": "All films",
            "scope": "name address",
        }
        found: str = self.call("POST", V3, body | changes)["agreementId"]
        self.agreements.append(found)
        return found

    def charge(self, agreement_id: str, **changes: Any) -> None:
        body = {
            "amount": 9900,
            "description": "Month",
            "due": "2027-02-01",
            "retryDays": 0,
            "transactionType": "RESERVE_CAPTURE",
        }
        charge_id = self.call("POST", f"{V3}/{agreement_id}/charges", body | changes)["chargeId"]
        self.charges.append((agreement_id, charge_id))

    def ask(self, approved: bool = True, **changes: Any) -> str:
        reference = f"film-{len(self.references):08}"
        body: dict[str, Any] = {
            "amount": {"currency": "NOK", "value": 9900},
            "paymentMethod": {"type": "WALLET"},
            "reference": reference,
            "returnUrl": "https://film.example/back",
            "userFlow": "WEB_REDIRECT",
        }
        self.call("POST", PAYMENTS, body | changes)
        self.references.append(reference)
        if approved:
            self.control(f"/phone/{ANNA}/payments/{reference}/approve")
        return reference

    def sell(self) -> None:
        """Payments in every state, some of them captured and refunded in part."""
        merchant = self.http.get(f"{self.url}/_sandbox/merchants").json()["merchants"][0]
        self.control("/merchants", merchant | {"pushMessageAllowed": True, "longLivingAllowed": True})
        scope = {"scope": "name address email phoneNumber birthDate"}
        for share in (9900, 500):
            path = f"{PAYMENTS}/{self.ask(profile=scope, metadata={'a': 'b'})}"
            amount = {"modificationAmount": {"currency": "NOK", "value": share}}
            self.call("POST", f"{path}/capture", amount)
            self.call("POST", f"{path}/refund", amount)
        self.ask()
        self.call("POST", f"{PAYMENTS}/{self.ask()}/cancel")
        self.call("POST", f"{PAYMENTS}/{self.ask(False)}/cancel")
        self.control(f"/phone/{ANNA}/payments/{self.ask(False)}/reject")
        self.control("/clock/advance", {"by": "PT10M"})
        self.ask(False, userFlow="QR", qrFormat={"format": "IMAGE/PNG"})
        self.ask(False, userFlow="PUSH_MESSAGE", customer={"phoneNumber": ANNA})

    def fill(self) -> None:
        shapes: list[dict[str, Any]] = [
            {},
            {"pricing": {"type": "VARIABLE", "suggestedMaxAmount": 30000, "currency": "NOK"}, "externalId": "x"},
            {"pricing": {"type": "FLEXIBLE", "currency": "NOK"}, "interval": None, "productDescription": "y"},
            {"campaign": {"type": "PRICE_CAMPAIGN", "price": 1, "end": "2027-06-01T00:00:00Z"}},
            {"campaign": {"type": "PERIOD_CAMPAIGN", "price": 1, "period": {"unit": "WEEK", "count": 2}}},
            {
                "campaign": {
                    "type": "EVENT_CAMPAIGN",
                    "price": 1,
                    "eventDate": "2027-06-01T00:00:00Z",
                    "eventText": "until spring",
                }
            },
            {"initialCharge": {"amount": 100, "description": "z", "transactionType": "RESERVE_CAPTURE"}},
        ]
        for shape in shapes:
            agreement_id = self.agree(**shape)
            self.control(f"/phone/{ANNA}/agreements/{agreement_id}/approve")
            for transaction_type in ("DIRECT_CAPTURE", "RESERVE_CAPTURE"):
                self.charge(agreement_id, transactionType=transaction_type)
            self.charge(agreement_id, due="2027-12-01")
        self.control("/people", {"phoneNumber": "4790000001", "noFunds": [{}]})
        poor = self.agree()
        self.control(f"/phone/4790000001/agreements/{poor}/approve")
        self.charge(poor)
        self.control("/clock/advance", {"to": "2027-02-02T12:00:00Z"})
        for share, (agreement_id, charge_id) in zip((9900, 500), self.charges[1::3], strict=False):
            path = f"{V3}/{agreement_id}/charges/{charge_id}"
            self.call("POST", f"{path}/capture", {"amount": share, "description": "part"})
            self.call("POST", f"{path}/refund", {"amount": 200, "description": "part"})
        self.agree()
        stopped = self.agree()
        self.control(f"/phone/{ANNA}/agreements/{stopped}/reject")
        self.subs = [self.call("GET", f"{V3}/{one}")["sub"] for one in self.agreements[:2]]
        self.sell()
        self.call("POST", "/webhooks/v1/webhooks", {"url": "https://film.example", "events": ["a.b.v1"]})


@pytest.fixture(scope="module")
def shop(threaded: Any) -> Shop:
    return Shop(threaded.url)


@pytest.mark.parametrize(("name", "path", "method"), ASKED)
def test_whatever_is_asked_the_answer_is_as_the_contract_says(shop: Shop, name: str, path: str, method: str) -> None:
    """Two questions of three are as the contract has them, about things that are there for the most part."""
    operation = described(name)[path][method]
    rightly = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrongly = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    statuses: set[int] = set()

    @given(data=st.data(), case=st.one_of(rightly, rightly, wrongly))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(data: Any, case: Any) -> None:
        known = data.draw(st.sampled_from([True, True, True, False]))
        if known:
            case.path_parameters = case.path_parameters or {}
            aim(case.path_parameters, data, shop)
        headers = shop.keys if path == "/accesstoken/get" else shop.headers
        if known:
            headers = headers | {"Idempotency-Key": f"key-{next(shop.numbers)}"}
            case.headers = {}
        elif path in ("/accesstoken/get", "/miami/v1/token") or "oauth2" in path:
            headers = {}
        response = case.call(base_url=shop.url, headers=headers, session=shop.http, allow_redirects=False)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CONFORMS)

    ask()
    assert statuses


def aim(values: dict[str, Any], data: Any, shop: Shop) -> None:
    """Put ids of things that are there in the place of random ones."""
    agreement_id, charge_id = data.draw(st.sampled_from(shop.charges))
    if "chargeId" in values:
        values["chargeId"] = charge_id
    elif "agreementId" in values:
        agreement_id = data.draw(st.sampled_from(shop.agreements))
    if "agreementId" in values:
        values["agreementId"] = agreement_id
    if "reference" in values:
        values["reference"] = data.draw(st.sampled_from(shop.references))
    if "sub" in values:
        values["sub"] = data.draw(st.sampled_from(shop.subs))
