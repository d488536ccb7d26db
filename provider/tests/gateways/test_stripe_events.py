"""Webhooks of Stripe: believed only when signed now with a secret of ours, and understood as far as they matter."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from stripe import WebhookSignature

from avtale.gateways.stripe.events import StripeWebhooks

WALL = datetime(2027, 1, 15, 9, tzinfo=UTC)
AT = int(WALL.timestamp())
READER = StripeWebhooks()


def event(kind: str, about: dict[str, Any], **more: Any) -> bytes:
    said = {"id": "evt_1", "object": "event", "type": kind, "livemode": False, "data": {"object": about}}
    return json.dumps(said | more).encode()


BODY = event("invoice.paid", {"id": "in_1", "object": "invoice"})


def header(secret: str = "whsec_1", at: int = AT, body: bytes = BODY) -> str:
    """As Stripe's own library signs."""
    return str(WebhookSignature.generate_signature_header(body.decode(), secret, at))  # type: ignore[no-untyped-call]


def believed(signature: str, secrets: tuple[str, ...] = ("whsec_1",), body: bytes = BODY) -> bool:
    return READER.verify("", {"Stripe-Signature": signature}, body, secrets, WALL)


def test_what_is_signed_with_a_secret_of_ours_within_five_minutes_is_believed() -> None:
    assert believed(header())
    assert believed(header(), ("whsec_old", "whsec_1"))
    assert believed(header(at=AT - 300))
    assert believed(f"{header('whsec_new')},v1={'0' * 64},v0=x,{header().partition(',')[2]}")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v1=00",
        header(at=AT - 301),
        header(at=AT + 301),
        header("whsec_2"),
        header(body=BODY + b" "),
        header().replace("v1", "v0"),
        header().replace("t=", "t=0x"),
        f"t={AT},{header()}",
        "t=" + "9" * 40 + ",v1=" + "0" * 64,
    ],
)
def test_nothing_else_is(signature: str) -> None:
    assert not believed(signature)
    assert not believed(signature, ("",))


OURS = {"metadata": {"avtale_attempt": "a-1"}}
PARENT = {"parent": {"subscription_details": {"subscription": "sub_1", **OURS}}}


@pytest.mark.parametrize(
    ("kind", "about", "subject"),
    [
        ("customer.subscription.updated", {"id": "sub_1", **OURS}, ("sub_1", "a-1", None)),
        ("customer.subscription.created", {"id": "sub_2", "metadata": {}}, ("sub_2", None, None)),
        ("invoice.paid", {"id": "in_1", **PARENT}, ("sub_1", "a-1", "in_1")),
        ("invoice.voided", {"id": "in_2", "parent": None}, (None, None, "in_2")),
        ("payment_intent.succeeded", {"id": "pi_1", **OURS}, (None, "a-1", "pi_1")),
        ("charge.refunded", {"id": "ch_1", "payment_intent": "pi_1"}, (None, None, "pi_1")),
        ("charge.dispute.closed", {"id": "du_1", "payment_intent": {"id": "pi_1"}}, (None, None, "pi_1")),
        ("refund.failed", {"id": "re_1", "payment_intent": None}, (None, None, None)),
        ("product.created", {"id": "prod_1"}, (None, None, None)),
    ],
)
def test_what_an_event_is_about(kind: str, about: dict[str, Any], subject: tuple[str | None, ...]) -> None:
    found = READER.read(event(kind, about))
    assert (found.key, found.event_type) == ("evt_1", kind)
    assert (found.gateway_agreement_id, found.external_id, found.order_id) == subject


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"object": "event"}', event("x", {}, id=7), event("x", {}, id="")]
)
def test_what_is_no_event_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        READER.read(body)


def test_whose_it_is() -> None:
    assert READER.account(event("x", {}, account="acct_1")) == "acct_1"
    assert READER.account(event("x", {})) is None
    assert READER.is_live(event("x", {}, livemode=True))
