"""Webhooks of Stripe: is this one authentic, and what is it about?"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from avtale.domain.observations import EventSubject
from avtale.gateways.stripe.writing import ATTEMPT

#: How far a delivery's time may be from our wall time, in seconds: what Stripe's own libraries tolerate.
TOLERANCE_SECONDS_MAX = 300
SIGNATURES_COUNT_MAX = 16

_SIGNATURE = re.compile(r"[0-9a-f]{64}")


class StripeWebhooks:
    """The port WebhookReader: pure, the same for every tenant."""

    events: tuple[str, ...] = (
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.voided",
        "invoice.marked_uncollectible",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "refund.updated",
        "refund.failed",
    )

    def verify(self, url: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], wall: datetime) -> bool:
        """Whether one of `secrets` signed this body within 300 s of `wall`; the address plays no part.

        While a secret is being rolled there are several signatures. An empty secret signs nothing.
        """
        received = {name.lower(): value for name, value in headers.items()}.get("stripe-signature", "")
        parts = [part.strip().partition("=") for part in received.split(",")]
        times = [value for name, _, value in parts if name == "t"]
        said = [value for name, _, value in parts if name == "v1" and _SIGNATURE.fullmatch(value)]
        if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12:
            return False
        if abs(int(times[0]) - wall.timestamp()) > TOLERANCE_SECONDS_MAX:
            return False
        matches = 0
        for secret in filter(None, secrets):  # every pair is compared, whichever matches
            expected = hmac.digest(secret.encode(), times[0].encode() + b"." + body, "sha256").hex()
            matches += sum(hmac.compare_digest(one, expected) for one in said[:SIGNATURES_COUNT_MAX])
        return matches > 0

    def read(self, body: bytes) -> EventSubject:
        """What an event is about. Raises ValueError if it is no event of Stripe's; one about other things names none.

        `external_id` is our attempt id, in the metadata of what is ours; `order_id` is an invoice or a payment intent.
        """
        said = read_event(body)
        kind, about = _text(said, "type"), said["data"]["object"]
        agreement_id = external_id = order_id = None
        if kind.startswith("customer.subscription."):
            agreement_id, external_id = _text(about, "id"), _attempt(about)
        elif kind.startswith("invoice."):
            details = ((about.get("parent") or {}).get("subscription_details")) or {}
            agreement_id, external_id = _id(details.get("subscription")), _attempt(details)
            order_id = _text(about, "id")
        elif kind.startswith("payment_intent."):
            order_id, external_id = _text(about, "id"), _attempt(about)
        elif kind.startswith(("charge.", "refund.")):
            order_id = _id(about.get("payment_intent"))
        return EventSubject(
            key=_text(said, "id"),
            event_type=kind,
            gateway_agreement_id=agreement_id,
            external_id=external_id,
            order_id=order_id,
        )

    def account(self, body: bytes) -> str | None:
        """The connected account that an event is of; None where it does not say. Raises ValueError."""
        return _id(read_event(body).get("account"))

    def is_live(self, body: bytes) -> bool:
        """Whether an event is about real money. Raises ValueError."""
        return read_event(body)["livemode"] is True


def read_event(body: bytes) -> dict[str, Any]:
    """The event in a body. Raises ValueError."""
    try:
        said = json.loads(body)
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError("not JSON") from error
    shaped = isinstance(said, dict) and said.get("object") == "event" and isinstance(said.get("livemode"), bool)
    if not shaped or not isinstance(said.get("data"), dict) or not isinstance(said["data"].get("object"), dict):
        raise ValueError("not an event of Stripe's")
    event: dict[str, Any] = said
    return event


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255 or "\0" in value:
        raise ValueError(f"{name} is missing")
    return value


def _id(said: object) -> str | None:
    """An id, whether the thing itself stands in its place or not."""
    if isinstance(said, dict):
        said = said.get("id")
    return said if isinstance(said, str) and 0 < len(said) <= 255 and "\0" not in said else None


def _attempt(said: Mapping[str, Any]) -> str | None:
    metadata = said.get("metadata")
    return _id(metadata.get(ATTEMPT)) if isinstance(metadata, dict) else None
