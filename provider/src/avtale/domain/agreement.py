"""An agreement: its terms, its states, and the table of steps between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from avtale.domain.campaign import Campaign
from avtale.domain.errors import IllegalStep
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Period, period


class AgreementStatus(StrEnum):
    """Where an agreement stands with us."""

    PENDING = "pending"
    ACTIVE = "active"
    STOPPING = "stopping"
    STOPPED = "stopped"
    REJECTED = "rejected"
    EXPIRED = "expired"


class AgreementVerb(StrEnum):
    """What can happen to an agreement."""

    ACTIVATE = "activate"
    REJECT = "reject"
    EXPIRE = "expire"
    ASK_TO_STOP = "ask_to_stop"
    STOP = "stop"


_S, _V = AgreementStatus, AgreementVerb

#: Every (state, verb) pair is decided: the state after it, or None where the step is illegal.
AGREEMENT_STEPS: dict[tuple[AgreementStatus, AgreementVerb], AgreementStatus | None] = {
    (_S.PENDING, _V.ACTIVATE): _S.ACTIVE,
    (_S.PENDING, _V.REJECT): _S.REJECTED,
    (_S.PENDING, _V.EXPIRE): _S.EXPIRED,
    (_S.PENDING, _V.ASK_TO_STOP): None,
    (_S.PENDING, _V.STOP): None,
    (_S.ACTIVE, _V.ACTIVATE): _S.ACTIVE,
    (_S.ACTIVE, _V.REJECT): None,
    (_S.ACTIVE, _V.EXPIRE): None,
    (_S.ACTIVE, _V.ASK_TO_STOP): _S.STOPPING,
    (_S.ACTIVE, _V.STOP): _S.STOPPED,
    (_S.STOPPING, _V.ACTIVATE): _S.STOPPING,
    (_S.STOPPING, _V.REJECT): None,
    (_S.STOPPING, _V.EXPIRE): None,
    (_S.STOPPING, _V.ASK_TO_STOP): _S.STOPPING,
    (_S.STOPPING, _V.STOP): _S.STOPPED,
    (_S.STOPPED, _V.ACTIVATE): None,
    (_S.STOPPED, _V.REJECT): None,
    (_S.STOPPED, _V.EXPIRE): None,
    (_S.STOPPED, _V.ASK_TO_STOP): _S.STOPPED,
    (_S.STOPPED, _V.STOP): _S.STOPPED,
    # A draft that we had given up may still have been approved: the truth at the gateway wins.
    (_S.REJECTED, _V.ACTIVATE): _S.ACTIVE,
    (_S.REJECTED, _V.REJECT): _S.REJECTED,
    (_S.REJECTED, _V.EXPIRE): _S.REJECTED,
    (_S.REJECTED, _V.ASK_TO_STOP): None,
    (_S.REJECTED, _V.STOP): None,
    (_S.EXPIRED, _V.ACTIVATE): _S.ACTIVE,
    (_S.EXPIRED, _V.REJECT): _S.REJECTED,
    (_S.EXPIRED, _V.EXPIRE): _S.EXPIRED,
    (_S.EXPIRED, _V.ASK_TO_STOP): None,
    (_S.EXPIRED, _V.STOP): None,
}


def step(status: AgreementStatus, verb: AgreementVerb) -> AgreementStatus:
    """The state after a verb. Raises IllegalStep with code `illegal_step` where the table has none."""
    after = AGREEMENT_STEPS[(status, verb)]
    if after is None:
        raise IllegalStep(f"an agreement that is {status.value} cannot {verb.value.replace('_', ' ')}")
    return after


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person agrees to: product, price for each period, and how long a period is.

    With a `suggested_max` (minor units) the price may vary: a period costs what the merchant says, at most the limit
    that the person chooses at the gateway, where this one is suggested.
    """

    product_id: str
    name: str
    description: str | None
    price: Money
    interval: Interval
    vat_basis_points: int
    agreement_url: str
    campaign: Campaign | None = None
    suggested_max: int | None = None

    @property
    def first_price(self) -> Money:
        """What period 1 costs."""
        return self.price if self.campaign is None else replace(self.price, amount=self.campaign.price)

    def first_period(self, anchor: date) -> Period:
        """Period 1: an interval, or what the campaign makes of it."""
        return (self.campaign and self.campaign.first_period(anchor)) or period(anchor, self.interval, 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a gateway that bills by itself asks for each period."""

    price: Money
    interval: Interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """One person's agreement about one product; instants are UTC, dates are local to the tenant's zone.

    `last_period` is the last period that has a charge; `next_charge_at` is when the next one is planned.
    One with a `gift_reason` was given by an administrator: no gateway knows it, and `next_charge_at` is its end.
    One at Stripe has no `next_charge_at`: its invoices are Stripe's, and `last_period` counts those that we know.
    Access ends at `access_ends_at` whatever is paid; a `hidden_at` one is shown to nobody but the books.
    Period `phase_period` begins on `phase_start` (period 1 on the anchor, without one), and the periods after it are
    counted from there; with a `bridge_start`, the one before it is a shorter one that begins on that day. `limit` is
    what the person lets a charge be at most, `next_amount` what the next one is to be. One with a `paused_at` is not
    charged from `paused_from` until it is resumed, by itself on `resumes_on` if that is there;
    `pause_reason` says why, unless somebody asked for it. At `consented_at` its person asked for it to begin within the
    time in which they may withdraw. `voucher` is the code of the one that was taken at checkout; `stop_comment` is what
    its owner said when they stopped it. What its gateway asks is `asked`, where that is not what was agreed here.
    """

    id: UUID
    issuer: str
    subject: str
    terms: Terms
    status: AgreementStatus
    gateway_agreement_id: str | None
    anchor: date | None
    last_period: int
    next_charge_at: datetime | None
    created_at: datetime
    expires_at: datetime | None
    activated_at: datetime | None
    stopped_at: datetime | None
    stop_reason: str | None
    parked_reason: str | None
    version: int
    gift_reason: str | None = None
    access_ends_at: datetime | None = None
    hidden_at: datetime | None = None
    phase_period: int = 1
    phase_start: date | None = None
    limit: int | None = None
    next_amount: int | None = None
    bridge_start: date | None = None
    paused_at: datetime | None = None
    paused_from: date | None = None
    resumes_on: date | None = None
    gateway: GatewayName = GatewayName.VIPPS
    pause_reason: str | None = None
    consented_at: datetime | None = None
    withdrawn_at: datetime | None = None
    voucher: str | None = None
    stop_comment: str | None = None
    asked: Asked | None = None

    def period(self, number: int) -> Period:
        """A period of the present terms; raises ValueError for one from before they held."""
        if self.bridge_start is not None and self.phase_start is not None and number == self.phase_period - 1:
            return Period(number, self.bridge_start, self.phase_start)
        counted_from = self.phase_start or self.anchor
        if counted_from is None:
            raise ValueError("an agreement that never became active has no periods")
        regular = period(counted_from, self.terms.interval, number - self.phase_period + 1)
        return replace(regular, number=number)

    @property
    def next_period(self) -> Period:
        """The first period that has no charge yet."""
        return self.period(self.last_period + 1)

    def price_of(self, this: Period) -> Money:
        """What a period costs: the campaign's price, or the one that is in force when it begins."""
        terms = self.terms
        special = self.next_amount if this.number == self.last_period + 1 else None
        if special is None and terms.campaign is not None:
            special = terms.campaign.price_of(this.number, this.start)
        return terms.price if special is None else replace(terms.price, amount=special)
