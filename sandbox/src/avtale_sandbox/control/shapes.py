"""What the control room's answers look like, for their OpenAPI document."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from ..merchants import Merchant, Partner
from ..people import Person
from .faults import Action, Match


class Health(TypedDict):
    """The sandbox answers."""

    status: str


class Follower(TypedDict):
    """A participant, without its token."""

    name: str
    url: str


class ClockShown(TypedDict):
    """The clock: instants are ISO 8601 in UTC, `next` is when something is due next."""

    now: str
    running: bool
    next: str | None
    participants: list[Follower]


class MerchantList(TypedDict):
    """Every merchant."""

    merchants: list[Merchant]


class PartnerList(TypedDict):
    """Every partner."""

    partners: list[Partner]


class PersonList(TypedDict):
    """Everybody."""

    people: list[Person]


class ChargeInApp(TypedDict):
    """A charge as a person's app has it."""

    chargeId: str
    amount: int
    currency: str
    due: str
    status: str
    description: str


class AgreementInApp(TypedDict):
    """An agreement as a person's app has it."""

    agreementId: str
    merchantSerialNumber: str
    productName: str
    status: str
    pricing: str
    amount: int
    maxAmount: int | None
    currency: str
    created: str


class AgreementWithCharges(AgreementInApp):
    """An agreement with its charges."""

    charges: list[ChargeInApp]


class PaymentInApp(TypedDict):
    """A single payment as a person's app has it."""

    reference: str
    merchantSerialNumber: str
    description: str | None
    state: str
    amount: int
    currency: str
    created: str
    expires: str


class App(TypedDict):
    """What is on a telephone."""

    phoneNumber: str
    agreements: list[AgreementWithCharges]
    payments: list[PaymentInApp]


class Decision(TypedDict):
    """What a person did with a payment request, and where they are sent."""

    agreementId: str
    decision: str
    status: str
    redirectUrl: str | None


class PaymentDecision(TypedDict):
    """What a person did with a single payment, where they are sent, and why it failed if it did."""

    reference: str
    decision: str
    state: str
    redirectUrl: str | None
    reason: str | None


class Opened(TypedDict):
    """What a person did with what they opened: an agreement has an id and a status, a payment the other three."""

    decision: str
    redirectUrl: str | None
    agreementId: NotRequired[str]
    status: NotRequired[str]
    reference: NotRequired[str]
    state: NotRequired[str]
    reason: NotRequired[str | None]


class Codes(TypedDict):
    """By what a merchant can name a person instead of by number."""

    personalQr: str
    customerToken: str


class FaultShown(TypedDict):
    """A script, and how often it has matched."""

    id: str
    match: Match
    times: int
    matched: int
    action: Action


class FaultList(TypedDict):
    """Every script, in order."""

    faults: list[FaultShown]


class Exchange(TypedDict):
    """A call and its answer, secrets masked; `status` is null when there was no answer."""

    number: int
    wallTime: str
    now: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    operationId: str | None
    status: int | None
    answer: str
    fault: str | None


class ExchangeList(TypedDict):
    """Exchanges, oldest first."""

    requests: list[Exchange]


class Event(TypedDict):
    """Something that merchants may be told of."""

    number: int
    wallTime: str
    now: str
    merchantSerialNumber: str
    event: str
    body: Any


class EventList(TypedDict):
    """Events, oldest first."""

    events: list[Event]


class AttemptShown(TypedDict):
    """One sending of a delivery: the status, or what went wrong."""

    at: str
    wallTime: str
    status: int | None
    error: str | None


class DeliveryShown(TypedDict):
    """An event on its way to one address."""

    id: int
    webhookId: str
    merchantSerialNumber: str
    url: str
    event: str
    created: str
    state: str
    why: str | None
    next: str | None
    replayOf: int | None
    attempts: list[AttemptShown]
    body: Any


class DeliveryList(TypedDict):
    """Deliveries, oldest first."""

    deliveries: list[DeliveryShown]


class SnapshotShown(TypedDict):
    """A snapshot: when it was taken (wall time), and what the clock showed."""

    name: str
    taken: str
    now: str
    agreements: int


class SnapshotList(TypedDict):
    """Every snapshot, oldest first."""

    snapshots: list[SnapshotShown]


class Export(TypedDict):
    """Everything that happened to everybody's money."""

    version: int
    now: str
    agreements: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    stripe: dict[str, Any]


class ProblemShown(TypedDict):
    """What cannot be done, and why (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
