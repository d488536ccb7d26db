"""Payments driven by random steps, legal and illegal, against a small model of where the money may be."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

pytestmark = pytest.mark.fuzz

START = "2027-01-15T09:00:00Z"
PATH = "/epayment/v1/payments"
PRICE = 10_000
MINUTE, DAY = 1, 1440
SERVER: Any = None


@pytest.fixture(scope="module", autouse=True)
def server(threaded: Any) -> None:
    global SERVER
    SERVER = threaded


@dataclass
class Known:
    """What the model believes of one payment; `age` is minutes since it was asked for."""

    state: str = "CREATED"
    age: int = 0
    reserved_age: int = 0
    authorized: int = 0
    cancelled: int = 0
    captured: int = 0
    refunded: int = 0
    ended: str | None = None

    @property
    def left(self) -> int:
        return self.authorized - self.cancelled - self.captured if self.state == "AUTHORIZED" else 0

    def pass_time(self, minutes: int) -> None:
        self.age += minutes
        if self.state == "CREATED" and self.age >= 10:
            self.state = self.ended = "EXPIRED"
        if self.state == "AUTHORIZED":
            self.reserved_age += minutes
            if self.reserved_age >= 180 * DAY:
                self.cancelled += self.left


class Payments(RuleBasedStateMachine):
    """Every step is tried whatever the state; the model says what must come of it."""

    payments = Bundle("payments")

    def __init__(self) -> None:
        super().__init__()
        self.http = HTTPConnection(*SERVER.address, timeout=30)
        self.keys = itertools.count(1)
        self.ask("POST", "/_sandbox/reset")
        self.ask("PUT", "/_sandbox/clock", {"now": START})
        keys = {
            "client_id": "dev-client-id",
            "client_secret": "dev-client-secret",
            "Ocp-Apim-Subscription-Key": "dev-subscription-key",
        }
        token = self.ask("POST", "/accesstoken/get", headers=keys)[1]["access_token"]
        self.headers = {
            "Authorization": f"Bearer {token}",
            "Ocp-Apim-Subscription-Key": "dev-subscription-key",
            "Merchant-Serial-Number": "123456",
            "Content-Type": "application/json",
        }
        self.known: dict[str, Known] = {}

    def teardown(self) -> None:
        self.http.close()

    def ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> tuple[int, Any]:
        self.http.request(method, path, None if body is None else json.dumps(body), headers or {})
        reply = self.http.getresponse()
        text = reply.read()
        assert reply.status < 500, text
        return reply.status, json.loads(text) if text else None

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        return self.ask(method, path, body, self.headers | {"Idempotency-Key": key or f"k-{next(self.keys)}"})

    @rule(target=payments, paid=st.sampled_from([True, True, False]))
    def create(self, paid: bool) -> str:
        reference = f"film-{len(self.known):08}"
        body = {
            "amount": {"currency": "NOK", "value": PRICE},
            "paymentMethod": {"type": "WALLET"},
            "reference": reference,
            "returnUrl": "https://film.example/",
            "userFlow": "WEB_REDIRECT",
        }
        assert self.call("POST", PATH, body)[0] == 201
        assert self.call("POST", PATH, body)[0] == 409
        self.known[reference] = Known()
        if paid:
            self.decide(reference, "approve")
        return reference

    @rule(reference=payments, verb=st.sampled_from(["approve", "reject", "force", "force"]))
    def answer(self, reference: str, verb: str) -> None:
        self.decide(reference, verb)

    def decide(self, reference: str, verb: str) -> None:
        known = self.known[reference]
        legal = known.state == "CREATED" and known.age < 5
        if verb == "force":
            customer = {"customer": {"phoneNumber": "4791234567"}}
            status, _ = self.call("POST", f"/epayment/v1/test/payments/{reference}/approve", customer)
        else:
            status, _ = self.ask("POST", f"/_sandbox/phone/4791234567/payments/{reference}/{verb}")
        assert (status == 200) is legal
        if legal and verb == "reject":
            known.state = known.ended = "ABORTED"
        elif legal:
            known.state = known.ended = "AUTHORIZED"
            known.authorized = PRICE

    @rule(
        reference=payments,
        verb=st.sampled_from(["capture", "refund"]),
        share=st.sampled_from([0, 1, 2_500, 5_000, 9_999, 10_000, 10_001]),
        twice=st.booleans(),
    )
    def move_money(self, reference: str, verb: str, share: int, twice: bool) -> None:
        known = self.known[reference]
        limit = known.left if verb == "capture" else known.captured - known.refunded
        legal = 0 < share <= limit
        if verb == "capture":
            legal = legal and known.reserved_age < 180 * DAY
        else:
            legal = legal and known.reserved_age <= 365 * DAY
        body, key = {"modificationAmount": {"currency": "NOK", "value": share}}, f"k-{next(self.keys)}"
        first = self.call("POST", f"{PATH}/{reference}/{verb}", body, key)
        assert (first[0] == 200) is legal, (first, known)
        if twice:
            assert self.call("POST", f"{PATH}/{reference}/{verb}", body, key)[0] == first[0]
        if legal and verb == "capture":
            known.captured += share
        elif legal:
            known.refunded += share

    @rule(reference=payments, only=st.booleans())
    def cancel(self, reference: str, only: bool) -> None:
        known = self.known[reference]
        status, _ = self.call("POST", f"{PATH}/{reference}/cancel", {"cancelTransactionOnly": only})
        if known.state == "CREATED":
            assert status == 200
            known.state = known.ended = "TERMINATED"
            known.cancelled = PRICE
        elif known.left and not only and known.reserved_age < 180 * DAY:
            assert status == 200
            known.cancelled += known.left
        else:
            assert status == 400

    @rule(minutes=st.sampled_from([1, 4, 6, 10, DAY, 100 * DAY]))
    def wait(self, minutes: int) -> None:
        by = f"P{minutes // DAY}D" if minutes >= DAY else f"PT{minutes}M"
        assert self.ask("POST", "/_sandbox/clock/advance", {"by": by})[0] == 200
        for known in self.known.values():
            known.pass_time(minutes)

    @invariant()
    def the_money_is_where_the_model_says(self) -> None:
        exported = self.ask("GET", "/_sandbox/export")[1]["payments"]
        assert [one["reference"] for one in exported] == list(self.known)
        for one in exported:
            known = self.known[one["reference"]]
            sums = [one[name] for name in ("authorized", "cancelled", "captured", "refunded")]
            assert [one["state"], *sums] == [
                known.state,
                known.authorized,
                known.cancelled,
                known.captured,
                known.refunded,
            ]
            assert one["captured"] <= one["authorized"] <= one["amount"]
            assert one["refunded"] <= one["captured"]
            if one["state"] == "AUTHORIZED":
                assert one["cancelled"] + one["captured"] <= one["authorized"]
            # The log adds up to the sums, and holds one beginning and at most one end.
            by_name = {
                name: [line["amount"] for line in one["history"] if line["event"] == name]
                for name in {line["event"] for line in one["history"]}
            }
            assert sum(by_name.get("CAPTURED", [])) == one["captured"]
            assert sum(by_name.get("REFUNDED", [])) == one["refunded"]
            assert sum(by_name.get("CANCELLED", by_name.get("TERMINATED", []))) == one["cancelled"]
            ends = [n for n in ("AUTHORIZED", "ABORTED", "EXPIRED", "TERMINATED") if n in by_name]
            assert ends == ([] if known.ended is None else [known.ended])
            assert all(len(by_name[name]) == 1 for name in ("CREATED", *ends))
            assert len({line["pspReference"] for line in one["history"]}) == len(one["history"])


Payments.TestCase.settings = hypothesis_settings(
    max_examples=40 * int(os.environ.get("FUZZ", "1")), stateful_step_count=30, deadline=None, database=None
)
TestPayments = Payments.TestCase
