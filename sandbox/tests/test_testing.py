"""What other people's tests get: a sandbox in a fixture or a context manager, and plain calls to command it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from avtale_sandbox.testing import CommandRefused, VippsSandbox, sandbox

V3 = "/recurring/v3/agreements"
CAPTURED = "recurring.charge-captured.v1"


class Shop:
    """A merchant's client, as small as can be."""

    def __init__(self, vipps: VippsSandbox) -> None:
        self.url, keys = vipps.url, vipps.credentials
        self._key = 0
        self.headers = {"Ocp-Apim-Subscription-Key": keys.subscription_key, "Content-Type": "application/json"}
        asked = {"client_id": keys.client_id, "client_secret": keys.client_secret}
        _, token = self.call("POST", "/accesstoken/get", None, asked)
        self.headers["Authorization"] = f"Bearer {token['access_token']}"

    def call(self, method: str, path: str, body: Any = None, more: dict[str, str] | None = None) -> tuple[int, Any]:
        self._key += 1
        headers = self.headers | {"Idempotency-Key": f"key-{self._key}"} | (more or {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text, status = answer.read(), answer.status
        except urllib.error.HTTPError as problem:
            with problem:
                text, status = problem.read(), problem.code
        return status, json.loads(text) if text else None

    def draft(self, **changes: Any) -> Any:
        body = {
            "pricing": {"type": "LEGACY", "amount": 9900, "currency": "NOK"},
            "interval": {"unit": "MONTH", "count": 1},
            "merchantRedirectUrl": "https://film.example/back",
            "merchantAgreementUrl": "https://film.example/my-page",
            "productName": "All films",
        }
        return self.call("POST", V3, body | changes)[1]

    def charge(self, agreement_id: str, name: str) -> int:
        body = {
            "amount": 9900,
            "description": name,
            "due": "2027-02-01",
            "retryDays": 5,
            "transactionType": "DIRECT_CAPTURE",
            "orderId": name,
        }
        return self.call("POST", f"{V3}/{agreement_id}/charges", body)[0]


@pytest.fixture
def shop(vipps_sandbox: VippsSandbox) -> Shop:
    return Shop(vipps_sandbox)


def test_a_month_of_a_subscription(vipps_sandbox: VippsSandbox, shop: Shop) -> None:
    anna = vipps_sandbox.phone()
    draft = shop.draft()
    assert anna.approve(draft["vippsConfirmationUrl"])["status"] == "ACTIVE"
    vipps_sandbox.fail_next("CreateChargeV3", status=429, headers={"Retry-After": "1"})
    assert shop.charge(draft["agreementId"], "feb") == 429
    assert shop.charge(draft["agreementId"], "feb") == 201
    vipps_sandbox.fail_charge("feb", tries=2, reason="technical_error")
    with pytest.raises(AssertionError, match="status is 'DUE'"):
        vipps_sandbox.expect(charge={"id": "feb", "status": "CHARGED"})
    assert vipps_sandbox.clock.advance("P1M") == vipps_sandbox.clock.now == "2027-02-15T09:00:00Z"
    vipps_sandbox.expect(
        charge={"id": "feb", "status": "CHARGED", "captures": 1, "tries": 3},
        event={"event": CAPTURED, "about": "feb", "count": 1},
        request={"operationId": "CreateChargeV3", "count": 2},
    )
    assert [one["chargeId"] for one in vipps_sandbox.webhooks.events(CAPTURED)] == ["feb"]
    assert [one["status"] for one in anna.agreements[0]["charges"]] == ["CHARGED"]
    assert anna.stop(draft["agreementId"])["status"] == "STOPPED"
    assert [one["status"] for one in vipps_sandbox.requests(operationId="CreateChargeV3")] == [429, 201]


@pytest.mark.parametrize("_", [1, 2])
def test_every_test_begins_anew(vipps_sandbox: VippsSandbox, shop: Shop, _: int) -> None:
    assert vipps_sandbox.clock.now == "2027-01-15T09:00:00Z"
    assert vipps_sandbox.webhooks.events() == []
    assert vipps_sandbox.command("GET", "/export")["agreements"] == []
    assert len(vipps_sandbox.command("GET", "/people")["people"]) == 1
    assert vipps_sandbox.command("GET", "/faults")["faults"] == []
    shop.draft()
    vipps_sandbox.phone("4790000001", temperament="rejects")
    vipps_sandbox.fail_next(times=99)
    vipps_sandbox.command("POST", "/clock/participants", {"name": "shop", "url": "http://127.0.0.1:9/"})
    vipps_sandbox.command("DELETE", "/clock/participants/shop")
    vipps_sandbox.clock.advance(to="2027-06-01T00:00:00Z")
    vipps_sandbox.command("POST", "/clock/participants", {"name": "shop", "url": "http://127.0.0.1:9/"})


def test_people_decide(vipps_sandbox: VippsSandbox, shop: Shop) -> None:
    kari = vipps_sandbox.phone("4790000001", name="Kari", temperament="rejects")
    assert kari.open(shop.draft()["vippsConfirmationUrl"])["decision"] == "rejected"
    assert kari.approve(shop.draft()["vippsConfirmationUrl"])["decision"] == "approved"
    assert kari.reject(shop.draft()["agreementId"])["decision"] == "rejected"
    assert kari.change(shares=False)["name"] == "Kari"
    assert kari.approve(shop.draft(scope="name")["vippsConfirmationUrl"])["decision"] == "rejected"
    pricing = {"type": "VARIABLE", "suggestedMaxAmount": 30000, "currency": "NOK"}
    variable = shop.draft(pricing=pricing)
    kari.approve(variable["vippsConfirmationUrl"], max_amount=10000)
    kari.set_limit(variable["agreementId"], 20000)
    assert [one["maxAmount"] for one in kari.agreements if one["status"] == "ACTIVE"] == [None, 20000]
    kari.delete_profile()
    assert {one["body"]["actor"] for one in vipps_sandbox.command("GET", "/events?text=ADMIN")["events"]} == {"ADMIN"}


def test_webhooks_are_seen_and_replayed(vipps_sandbox: VippsSandbox, shop: Shop) -> None:
    event = "recurring.agreement-activated.v1"
    shop.call("POST", "/webhooks/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": [event]})
    vipps_sandbox.fail_next(webhook=event, kind="drop")
    vipps_sandbox.phone().approve(shop.draft()["vippsConfirmationUrl"])
    lost = vipps_sandbox.webhooks.deliveries(event, state="dropped")[0]
    assert vipps_sandbox.webhooks.replay(lost)["replayOf"] == lost["id"]


def test_back_to_a_snapshot_and_tokens_that_end(vipps_sandbox: VippsSandbox, shop: Shop) -> None:
    name = vipps_sandbox.snapshot("before")
    shop.draft()
    vipps_sandbox.restore(name)
    assert vipps_sandbox.command("GET", "/export")["agreements"] == []
    vipps_sandbox.command("DELETE", "/snapshots/before")
    vipps_sandbox.expire_tokens()
    assert shop.call("GET", V3)[0] == 401


def test_what_cannot_be_done_is_said(vipps_sandbox: VippsSandbox) -> None:
    with pytest.raises(CommandRefused, match="409: Time does not go back") as refused:
        vipps_sandbox.clock.advance(to="2020-01-01T00:00:00Z")
    assert refused.value.status == 409
    with pytest.raises(CommandRefused):
        vipps_sandbox.expect(charge={})


def test_a_sandbox_without_pytest_ends_with_its_block() -> None:
    with sandbox(start_at="2030-06-01T00:00:00Z", seed="other") as vipps:
        assert vipps.clock.now == "2030-06-01T00:00:00Z"
        began = time.monotonic()
        with sandbox() as second:
            assert second.url != vipps.url
        assert time.monotonic() - began < 5
    with pytest.raises(OSError):
        vipps.command("GET", "/health")


def test_a_sandbox_that_cannot_start_says_why() -> None:
    with pytest.raises(ValueError, match="ISO 8601"), sandbox(start_at="yesterday"):
        raise AssertionError("it has started")


def test_a_suite_of_somebody_else_finds_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture(scope='session')\ndef vipps_sandbox_settings():\n"
        "    return {'start_at': '2028-02-29T12:00:00Z'}\n"
    )
    (tmp_path / "test_it.py").write_text(
        "def test_it(vipps_sandbox):\n    assert vipps_sandbox.clock.advance('P1Y') == '2029-02-28T12:00:00Z'\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path), "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=100,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_a_single_payment_is_answered_on_the_telephone(shop: Shop, vipps_sandbox: VippsSandbox) -> None:
    anna = vipps_sandbox.phone()
    msn = {"Merchant-Serial-Number": "123456"}
    for number, (verb, state) in enumerate((("approve", "AUTHORIZED"), ("reject", "ABORTED"))):
        body = {
            "amount": {"currency": "NOK", "value": 4900},
            "paymentMethod": {"type": "WALLET"},
            "reference": f"film-{number:08}",
            "returnUrl": "https://film.example/thanks",
            "userFlow": "WEB_REDIRECT",
        }
        _, asked = shop.call("POST", "/epayment/v1/payments", body, msn)
        told = getattr(anna, verb)(asked["redirectUrl"])
        assert (told["state"], told["redirectUrl"]) == (state, "https://film.example/thanks")
        assert shop.call("GET", f"/epayment/v1/payments/film-{number:08}", None, msn)[1]["state"] == state
    assert [one["state"] for one in anna.payments] == ["AUTHORIZED", "ABORTED"]
