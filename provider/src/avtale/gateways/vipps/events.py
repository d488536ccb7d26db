"""Webhooks of Vipps: is this one authentic, and what is it about?"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import urlsplit

from avtale.domain.observations import EventSubject
from avtale.gateways.vipps.reading import Json, object_of, optional_text, text

#: How far a delivery's date may be from our wall time. Vipps states no limit, and signs each delivery anew.
SKEW_SECONDS_MAX = 300.0

#: What tells one event from another: Vipps sends no id of an event. The last four are ePayment's.
_FACTS = (
    "eventType",
    "msn",
    "agreementId",
    "agreementUUID",
    "chargeId",
    "transactionId",
    "occurred",
    "actor",
    "amount",
    "currency",
    "amountCaptured",
    "amountCanceled",
    "amountRefunded",
    "failureCode",
    "failureReason",
    "reference",
    "pspReference",
    "name",
    "timestamp",
)

#: What ePayment tells of a payment. An event bears the name in capitals, a registration the long form.
PAYMENT_EVENTS = (
    "created",
    "aborted",
    "expired",
    "cancelled",
    "captured",
    "refunded",
    "authorized",
    "terminated",
)

_DEFAULT_PORTS = {"https": 443, "http": 80}
_SIGNED = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="


class VippsWebhooks:
    """The port WebhookReader: pure, the same for every tenant."""

    events: tuple[str, ...] = (
        "recurring.agreement-activated.v1",
        "recurring.agreement-rejected.v1",
        "recurring.agreement-stopped.v1",
        "recurring.agreement-expired.v1",
        "recurring.charge-reserved.v1",
        "recurring.charge-captured.v1",
        "recurring.charge-canceled.v1",
        "recurring.charge-refunded.v1",
        "recurring.charge-failed.v1",
        "recurring.charge-creation-failed.v1",
        *(f"epayments.payment.{name}.v1" for name in PAYMENT_EVENTS),
    )

    def verify(self, url: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], wall: datetime) -> bool:
        """Whether one of `secrets` signed this body for `url` (the registered one) within 300 s of `wall`.

        The body is the raw bytes; the received Host and path play no part. An empty secret signs nothing.
        """
        received = {name.lower(): value for name, value in headers.items()}
        date = received.get("x-ms-date", "")
        content_hash = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if not _same(received.get("x-ms-content-sha256", ""), content_hash) or not _is_now(date, wall):
            return False
        said = received.get("authorization", "")
        matches = 0
        for secret in filter(None, secrets):  # every secret is compared, whichever matches
            matches += _same(said, _SIGNED + signature(secret, url, date, content_hash))
        return matches > 0

    def read(self, body: bytes) -> EventSubject:
        """What an event is about. Raises ValueError if it is no event of Vipps Recurring or ePayment.

        `external_id` is the agreement's (our draft id); a charge or a payment is found by its order id.
        """
        said = object_of(body)
        if "eventType" not in said and "reference" in said:
            return _of_payment(said)
        event_type = text(said, "eventType")
        agreement_id, order_id = optional_text(said, "agreementId"), optional_text(said, "chargeId")
        if not event_type.startswith("recurring."):
            raise ValueError(f"not an event of recurring payments: {event_type[:60]}")
        if agreement_id is None and order_id is None:
            raise ValueError("an event about no agreement and no charge")
        return EventSubject(
            key=_key(said),
            event_type=event_type,
            gateway_agreement_id=agreement_id,
            external_id=optional_text(said, "agreementExternalId"),
            order_id=order_id,
        )


def _of_payment(said: Json) -> EventSubject:
    name = text(said, "name").lower()
    if name not in PAYMENT_EVENTS:
        raise ValueError(f"not an event of a payment: {name[:60]}")
    return EventSubject(
        key=_key(said),
        event_type=f"epayments.payment.{name}.v1",
        gateway_agreement_id=None,
        external_id=None,
        order_id=text(said, "reference"),
    )


def signature(secret: str, url: str, date: str, content_hash: str) -> str:
    """The base64 signature of a delivery to `url`; the secret is used as the text it is (Vipps Webhooks)."""
    host, path = _host_and_path(url)
    signed = f"POST\n{path}\n{date};{host};{content_hash}"
    digest = hmac.new(secret.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@lru_cache
def _host_and_path(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    host = (parts.hostname or "") if ":" not in (parts.hostname or "") else f"[{parts.hostname}]"
    if parts.port is not None and parts.port != _DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _same(said: str, expected: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "surrogatepass"), expected.encode())


def _is_now(date: str, wall: datetime) -> bool:
    try:
        sent = parsedate_to_datetime(date)
        difference = (sent if sent.tzinfo else sent.replace(tzinfo=UTC)) - wall
    except (ValueError, OverflowError):
        return False
    return abs(difference.total_seconds()) <= SKEW_SECONDS_MAX


def _key(said: Mapping[str, object]) -> str:
    """The same for every delivery of one event, whatever the order of its fields, with null or without."""
    facts = {name: said[name] for name in _FACTS if said.get(name) is not None}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
