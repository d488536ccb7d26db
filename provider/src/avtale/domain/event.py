"""What other systems are told: kinds of events, and the schedule on which an undelivered one is sent again."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from avtale.domain.agreement import Agreement
from avtale.domain.purchase import Purchase


class EventKind(StrEnum):
    """What happened. Kinds are only ever added: systems of others rely on their names."""

    AGREEMENT_ACTIVATED = "agreement.activated"
    AGREEMENT_STOPPED = "agreement.stopped"
    AGREEMENT_CHANGED = "agreement.changed"
    CHARGE_PAID = "charge.paid"
    CHARGE_FAILING = "charge.failing"
    CHARGE_FAILED = "charge.failed"
    CHARGE_REFUNDED = "charge.refunded"
    CHARGE_REFUND_FAILED = "charge.refund_failed"
    ACCESS_EXTENDED = "access.extended"
    ACCESS_SHORTENED = "access.shortened"
    ACCESS_ENDED = "access.ended"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to an agreement or a purchase, to be told; `data` has JSON values alone."""

    kind: EventKind
    owner: Agreement | Purchase
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact in the stream: the `agreement_seq`-th of its agreement or purchase, and, once numbered, at a `position`.

    Positions have no gaps, and whoever has read up to one has missed nothing before it.
    """

    id: UUID
    position: int | None
    kind: str
    agreement_id: UUID | None
    purchase_id: UUID | None
    agreement_seq: int
    issuer: str
    subject: str
    product_id: str
    data: Mapping[str, object]
    occurred_at: datetime

    @property
    def owner_id(self) -> UUID:
        """The agreement or the purchase that it is about."""
        owner = self.agreement_id or self.purchase_id
        if owner is None:
            raise RuntimeError("an event is about an agreement or a purchase")
        return owner


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of sending an event: taken where there is no `error`; `gone` where nobody wants any more."""

    error: str | None = None
    gone: bool = False


#: What a secret begins with, and how long it is (Standard Webhooks, signature scheme).
SECRET_PREFIX = "whsec_"
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64


def check_secret(secret: str) -> None:
    """Raise ValueError for a secret that is not `whsec_` and the base64 of 24 to 64 bytes."""
    try:
        length = len(b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except ValueError:
        length = 0
    if not secret.startswith(SECRET_PREFIX) or not SECRET_BYTES_MIN <= length <= SECRET_BYTES_MAX:
        raise ValueError(f"the secret is {SECRET_PREFIX} and base64 of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")


#: How long after each failed delivery the next one is made (Standard Webhooks, operational considerations).
REDELIVER_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)


def deliver_again_at(tries: int, now: datetime) -> datetime | None:
    """When an event that has failed `tries` times is sent again; None when it has had enough tries."""
    return now + REDELIVER_AFTER[tries - 1] if tries <= len(REDELIVER_AFTER) else None
