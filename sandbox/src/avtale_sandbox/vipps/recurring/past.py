"""Agreements that a merchant had before the story begins, with what was charged on them: planted, not drafted."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from ...clock import Clock
from ...ids import Ids
from ...instants import local_day, local_instant, parse_day
from ...merchants import Merchant
from ...people import People
from ...settings import Settings
from .resources import Agreement, Campaign, Charge, Interval, Occurrence, PricingType
from .shelf import Shelf
from .states import AgreementStatus
from .timerules import visible_at


class PastAgreement(Struct, kw_only=True, frozen=True):
    """What is planted. Days are local to the merchant's market, amounts minor units.

    It was approved on the day `start`; each day of `charged` has a charge that was taken, each of `waiting` one that
    will be. A status other than ACTIVE is what it ended as.
    """

    phone_number: str
    amount: int
    interval: Interval
    start: date
    product_name: str
    status: AgreementStatus = "ACTIVE"
    pricing: PricingType = "LEGACY"
    external_id: str | None = None
    campaign: Campaign | None = None
    charged: tuple[date, ...] = ()
    waiting: tuple[date, ...] = ()


def check(past: PastAgreement, clock: Clock, merchant: Merchant) -> None:
    """Raises ValueError for a beginning or a charge that is yet to come, and for one that waits for a day gone by."""
    today = local_day(clock.now(), merchant.terms.zone)
    if past.start > today or any(not past.start <= day <= today for day in past.charged):
        raise ValueError(f"start and the days of charged lie in this order and are over; today is {today}")
    if any(day < today for day in past.waiting):
        raise ValueError(f"the days of waiting are not over; today is {today}")


def plant(
    shelf: Shelf, ids: Ids, clock: Clock, people: People, settings: Settings, merchant: Merchant, past: PastAgreement
) -> Agreement:
    """Put it among what happened; nobody is told. Raises ValueError for what is no phone number."""
    people.meet(past.phone_number)
    number = ids.next_number()
    market = merchant.terms
    began = local_instant(past.start, 9, market.zone)
    agreement = Agreement(
        id=_free_id(shelf, ids, number),
        number=number,
        msn=merchant.merchant_serial_number,
        uuid=ids.uuid("agreement", number),
        created=began,
        pricing=past.pricing,
        currency=market.currency,
        amount=past.amount if past.pricing == "LEGACY" else 0,
        suggested_max_amount=past.amount if past.pricing == "VARIABLE" else 0,
        interval=past.interval,
        product_name=past.product_name,
        redirect_url="https://old.example/back",
        agreement_url="https://old.example/agreement",
        phone_number=past.phone_number,
        person=past.phone_number,
        external_id=past.external_id,
        campaign=past.campaign,
        status=past.status,
        start=began if past.status in ("ACTIVE", "STOPPED") else None,
        stop=clock.now() if past.status in ("STOPPED", "EXPIRED") else None,
    )
    shelf.save_agreement(agreement, None)
    for day in past.charged:
        shelf.save_charge(_charge(ids, agreement, day, local_instant(day, 9, market.zone), taken=True))
    for day in past.waiting:
        shelf.save_charge(_charge(ids, agreement, day, visible_at(day, market, settings), taken=False))
    return agreement


def _charge(ids: Ids, agreement: Agreement, day: date, at: int, *, taken: bool) -> Charge:
    """A charge that was taken `at` an instant, or will be seen from then on."""
    number = ids.next_number()
    amount = agreement.amount or agreement.suggested_max_amount
    return Charge(
        id="chr-" + ids.letters("charge", number, 7),
        number=number,
        agreement_id=agreement.id,
        msn=agreement.msn,
        type="RECURRING",
        transaction_type="DIRECT_CAPTURE",
        amount=amount,
        currency=agreement.currency,
        description=agreement.product_name,
        due=day.isoformat(),
        created=at if taken else agreement.created,
        status="CHARGED" if taken else "PENDING",
        transaction_id=ids.digits("transaction", number, 10) if taken else None,
        captured=amount if taken else 0,
        captured_at=at if taken else None,
        next_at=None if taken else at,
        history=[Occurrence(at, "CAPTURE", amount, f"past-{number}")] if taken else [],
    )


def _free_id(shelf: Shelf, ids: Ids, number: int) -> str:
    attempt = 0
    while True:
        found = "agr_" + ids.letters(f"agreement {attempt}", number, 7)
        if not shelf.has_agreement(found):
            return found
        attempt += 1


def days_of(texts: list[str]) -> tuple[date, ...]:
    """Local dates. Raises ValueError."""
    return tuple(parse_day(text) for text in texts)
